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
-module(iris_fuzz_swap).

-export([in/3, in_counted/4, out/5, try_out/4, stacks/0]).

-type outcome() :: ok | {error, binary()}.
-type stacks() :: #{module() => true}.

-define(INSIDE, <<"processes run inside it, so that it could not be put back">>).
-define(OLDER, <<"processes still run an older version of it">>).

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
    case erlang:module_loaded(Module) andalso in(Module, File, Original) of
        false -> ok;
        ok -> is_left(code:soft_purge(Module));
        {error, _} = Error -> Error
    end.

is_left(true) -> ok;
is_left(false) -> {error, ?INSIDE}.

-spec in(module(), file:filename(), Code :: binary()) -> outcome().
in(Module, File, Code) ->
    in_prepared(Module, code:prepare_loading([{Module, File, Code}])).

%% The same, in a coverage mode that the emulator has else not (see iris_fuzz_native).
-spec in_counted(Mode :: atom(), module(), file:filename(), Code :: binary()) -> outcome().
in_counted(Mode, Module, File, Code) ->
    Before = code:set_coverage_mode(Mode),
    Prepared =
        try
            code:prepare_loading([{Module, File, Code}])
        after
            code:set_coverage_mode(Before)
        end,
    in_prepared(Module, Prepared).

%% All has been made ready first, for a fun of the old version cannot be called between its purge
%% and the load of the new one.
in_prepared(Module, {ok, Prepared}) ->
    case code:soft_purge(Module) of
        true -> finish(Prepared);
        false -> {error, ?OLDER}
    end;
in_prepared(_, {error, Reason}) ->
    {error, iris_fuzz_shape:text(Reason)}.

finish(Prepared) ->
    case code:finish_loading(Prepared) of
        ok -> ok;
        {error, Reason} -> {error, iris_fuzz_shape:text(Reason)}
    end.

%% Put Original back, and be rid of what was in its place; Until is in monotonic milliseconds.
-spec out(module(), file:filename(), Original :: binary(), WasLoaded :: boolean(), integer()) ->
    outcome().
out(Module, File, Original, WasLoaded, Until) ->
    case {in(Module, File, Original), is_over(Until)} of
        {ok, _} when WasLoaded ->
            gone(Module, Until);
        {ok, _} ->
            unload(Module, Until);
        {{error, ?OLDER}, false} ->
            pause(),
            out(Module, File, Original, WasLoaded, Until);
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
