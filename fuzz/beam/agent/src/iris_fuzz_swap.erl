%%% Puts code in the place of other code while it runs, and the first one back.
%%%
%%% A module can have two versions of its code in a node, and loading a third kills the processes
%%% that run the first. So each load asks first whether the old version can be purged without
%%% harm. Funs do not count for that: those of a version that is loaded again go over to the new
%%% copy; one that instrumented code has made, and that is kept until after the agent has left,
%%% cannot be called any more.
%%%
%%% In a node that is not the harness's own, what is put in must come out again. While a process
%%% stays in the version that it was started in, that cannot be: so a module that is on some stack
%%% is left alone, and one that is not is loaded once more as it is, which shows whether it is on a
%%% stack too deep to be told. If so, the same code stays.
%%%
%%% The target may load code of its own at any time. What it has loaded stays: each load asks last
%%% of all whether what runs is what was there when the load was planned, by its checksum, and
%%% what comes out is only what was put in. Nor is code replaced that has loaded native functions:
%%% the same code would be without them.
-module(iris_fuzz_swap).

-export([in/4, in_counted/4, out/2, try_out/4, stacks/0, sum/1]).
-export_type([put/0, sum/0]).

%% Of the code of a module, in a beam file as well as in the node.
-type sum() :: binary().
%% What was put in, the checksum of it, and what was there before.
-type put() :: #{
    module := module(),
    file := file:filename(),
    sum := sum(),
    original := binary(),
    was_loaded := boolean()
}.
-type outcome() :: ok | {error, binary()}.
-type stacks() :: #{module() => true}.

-define(INSIDE, <<"processes run inside it, so that it could not be put back">>).
-define(OLDER, <<"processes still run an older version of it">>).
-define(NATIVES, <<"it has native functions by now, which would be lost">>).
-define(ANEW, <<"somebody has loaded it anew meanwhile">>).

%% Between two looks at processes that are about to leave a version.
-define(PAUSE_MS, 20).

%% Modules that processes are in the middle of. A stack is told of to a depth of some frames;
%% what is deeper is found by loading.
-spec stacks() -> stacks().
stacks() ->
    Stacks = [process_info(Pid, current_stacktrace) || Pid <- processes()],
    maps:from_list([{M, true} || {_, Stack} <- Stacks, {M, _, _, _} <- Stack]).

%% Whether what takes the place of a module now could come out again.
-spec try_out(module(), file:filename(), Original :: binary(), stacks()) -> outcome().
try_out(Module, _, _, Stacks) when is_map_key(Module, Stacks) ->
    {error, ?INSIDE};
try_out(Module, File, Original, _) ->
    case erlang:module_loaded(Module) andalso in(Module, File, Original, Original) of
        false -> ok;
        ok -> is_left(code:soft_purge(Module));
        {error, _} = Error -> Error
    end.

is_left(true) -> ok;
is_left(false) -> {error, ?INSIDE}.

-spec sum(Code :: binary()) -> sum().
sum(Code) ->
    {ok, {_, Sum}} = beam_lib:md5(Code),
    Sum.

loaded(Module) ->
    case erlang:module_loaded(Module) of
        true -> Module:module_info(md5);
        false -> unloaded
    end.

%% Put Code in the place of Original, or of nothing.
-spec in(module(), file:filename(), Code :: binary(), Original :: binary()) -> outcome().
in(Module, File, Code, Original) ->
    Prepared = code:prepare_loading([{Module, File, Code}]),
    in_prepared(Module, Prepared, [unloaded, sum(Original)]).

%% Original itself, in a coverage mode that the emulator has else not (see iris_fuzz_native).
-spec in_counted(Mode :: atom(), module(), file:filename(), Original :: binary()) -> outcome().
in_counted(Mode, Module, File, Original) ->
    Before = code:set_coverage_mode(Mode),
    Prepared =
        try
            code:prepare_loading([{Module, File, Original}])
        after
            code:set_coverage_mode(Before)
        end,
    in_prepared(Module, Prepared, [unloaded, sum(Original)]).

%% All has been made ready first, for a fun of the old version cannot be called between its purge
%% and the load of the new one.
in_prepared(Module, {ok, Prepared}, Replaced) ->
    IsExpected = lists:member(loaded(Module), Replaced),
    case IsExpected andalso code:soft_purge(Module) of
        true -> finish(Prepared);
        false when IsExpected -> {error, ?OLDER};
        false -> {error, ?ANEW}
    end;
in_prepared(_, {error, Reason}, _) ->
    {error, iris_fuzz_shape:text(Reason)}.

finish(Prepared) ->
    case code:finish_loading(Prepared) of
        ok -> ok;
        {error, Reason} -> {error, iris_fuzz_shape:text(Reason)}
    end.

%% Put back what was there, and be rid of what was in its place; Until is in monotonic
%% milliseconds. A module that somebody else has loaded or deleted since is left as it is, but for
%% its old version.
-spec out(put(), Until :: integer()) -> outcome() | left.
out(#{module := Module, sum := Sum, original := Original} = Put, Until) ->
    case {loaded(Module), sum(Original)} of
        {Sum, _} -> back(Put, Module:module_info(nifs), Until);
        {Before, Before} -> gone(Module, Until);
        {_, _} -> left(gone(Module, Until))
    end.

left(ok) -> left;
left({error, _} = Error) -> Error.

back(_, [_ | _], _) ->
    {error, ?NATIVES};
back(#{module := Module, file := File, sum := Sum, original := Original} = Put, [], Until) ->
    Prepared = code:prepare_loading([{Module, File, Original}]),
    case {in_prepared(Module, Prepared, [Sum]), is_over(Until)} of
        {ok, _} when map_get(was_loaded, Put) ->
            gone(Module, Until);
        {ok, _} ->
            unload(Module, Until);
        {{error, ?OLDER}, false} ->
            pause(),
            out(Put, Until);
        {{error, ?ANEW}, _} ->
            out(Put, Until);
        {{error, _} = Error, _} ->
            Error
    end.

unload(Module, Until) ->
    case gone(Module, Until) of
        ok ->
            true = code:delete(Module),
            gone(Module, Until);
        {error, _} = Error ->
            Error
    end.

%% A connection that has just been closed takes a moment to end its process.
gone(Module, Until) ->
    case {code:soft_purge(Module), is_over(Until)} of
        {true, _} ->
            ok;
        {false, false} ->
            pause(),
            gone(Module, Until);
        {false, true} ->
            {error, <<"processes still run its instrumented version">>}
    end.

is_over(Until) ->
    erlang:monotonic_time(millisecond) >= Until.

pause() ->
    receive
        never -> ok
    after ?PAUSE_MS -> ok
    end.
