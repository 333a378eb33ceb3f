%%% Instruments the target's modules while they run, reads what was hit, puts them back.
%%%
%%% Theory of operation. One array of atomics serves all modules; its reference is a persistent
%%% term, the cheapest thing that code in any module can reach. The instrumented code counts in
%%% it (see iris_fuzz_forms). An atomic that went from zero to one also sets the mark of its
%%% block, and a read looks at the marks only.
%%%
%%% A module can have two versions of its code in a node, and loading a third kills processes
%%% that run the first. So each load asks first whether the old version can be purged without
%%% harm, and gives that module up if not. A process that never leaves a loop inside its
%%% module stays in the version it was started in: restart the application to see all of it.
%%%
%%% What is instrumented is kept in a table that belongs to the supervisor: a fault in here must
%%% not lose the way back.
-module(iris_fuzz_cover).
-behaviour(gen_server).

-export([start_link/0, new_table/0, note_loaded/1, instrument/2, read/1, restore/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-type name() :: binary().
-type point() :: {
    Module :: name(), Function :: name(), arity(), Line :: non_neg_integer(), Kind :: name()
}.
-type failure() :: {Module :: name(), Reason :: binary()}.

%% A module on its way: what it was, and what it becomes.
-record(plan, {
    module :: module(),
    file :: file:filename(),
    original :: binary(),
    was_loaded :: boolean(),
    forms :: [erl_parse:abstract_form()],
    options :: [term()],
    count :: non_neg_integer(),
    first = 0 :: non_neg_integer(),
    points = [] :: [iris_fuzz_forms:point()],
    code = <<>> :: binary()
}).

-spec start_link() -> {ok, pid()}.
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec new_table() -> ok.
new_table() ->
    ?MODULE = ets:new(?MODULE, [set, public, named_table]),
    true = ets:insert(?MODULE, [{foreign, []}, {originals, []}, {size, 0}]),
    ok.

%% Remember which modules of OTP were loaded on the agent's behalf, to unload them in the end.
-spec note_loaded([{module(), term()}]) -> ok.
note_loaded(Before) ->
    New = [M || {M, _} <- code:all_loaded() -- Before, not iris_fuzz_agent:is_own_name(M)],
    Library = code:lib_dir(),
    Foreign = [M || M <- New, iris_fuzz_select:is_below(Library, M)],
    true = ets:insert(?MODULE, {foreign, Foreign ++ fetch(foreign)}),
    ok.

%% Instrument what the patterns select (see iris_fuzz_select). A node is instrumented once;
%% asking again for the same gives the same points, asking for something else is refused.
-spec instrument([binary()], [binary()]) ->
    {ok, {[point()], [failure()]}} | {error, binary()}.
instrument(Include, Exclude) ->
    gen_server:call(?MODULE, {instrument, {Include, Exclude}}, infinity).

%% Put every module back. Kept are those that are still in use in a way that only killing
%% processes would end; they go on counting into an array that nobody reads.
-spec restore() -> {Restored :: [name()], Kept :: [failure()], Foreign :: [module()]}.
restore() ->
    gen_server:call(?MODULE, restore, infinity).

init([]) ->
    {ok, none}.

handle_call({instrument, Selection}, _, State) ->
    Reply =
        case ets:lookup(?MODULE, instrumented) of
            [] -> instrument_now(Selection);
            [{instrumented, Selection, Result}] -> {ok, Result};
            [_] -> {error, <<"the node is instrumented already, with another selection">>}
        end,
    {reply, Reply, State};
handle_call(restore, _, State) ->
    Outcomes = [{Module, put_back(Original)} || {Module, _, _, _} = Original <- fetch(originals)],
    Restored = lists:sort([atom_to_binary(Module) || {Module, ok} <- Outcomes]),
    Kept = lists:sort([{atom_to_binary(Module), Reason} || {Module, {kept, Reason}} <- Outcomes]),
    _ = [persistent_term:erase(?MODULE) || Kept =:= []],
    {reply, {Restored, Kept, fetch(foreign)}, State}.

handle_cast(_, State) ->
    {noreply, State}.

fetch(Key) ->
    ets:lookup_element(?MODULE, Key, 2).

%%% Instrumenting

instrument_now({Include, Exclude} = Selection) ->
    %% A process of its own, for compiling leaves a large heap behind.
    {Worker, Monitor} = spawn_monitor(fun() -> exit({made, plan_all(Include, Exclude)}) end),
    receive
        {'DOWN', Monitor, process, Worker, {made, {Plans, Failures}}} ->
            {ok, load_all(Selection, Plans, Failures)};
        {'DOWN', Monitor, process, Worker, Reason} ->
            {error, iris_fuzz_shape:text(Reason)}
    end.

plan_all(Include, Exclude) ->
    Before = code:all_loaded(),
    {Modules, Unfit} = iris_fuzz_select:modules(Include, Exclude),
    Planned = [plan(Module, File) || {Module, File} <- Modules],
    Plans = [Plan || #plan{} = Plan <- Planned],
    Unplanned = [Failure || {_, _} = Failure <- Planned],
    Made =
        case load_compiler() of
            ok -> compile_all(Plans, Unfit ++ Unplanned);
            {error, Reason} -> {[], Unfit ++ [{P#plan.module, Reason} || P <- Plans]}
        end,
    note_loaded(Before),
    Made.

plan(Module, File) ->
    case original(Module, File) of
        {ok, Original} -> plan(Module, File, Original);
        {error, Reason} -> {Module, Reason}
    end.

plan(Module, File, Original) ->
    case beam_lib:chunks(Original, [debug_info, abstract_code]) of
        {ok, {Module, [{debug_info, Info}, {abstract_code, {raw_abstract_v1, Forms}}]}} ->
            {_, Points} = iris_fuzz_forms:transform(Forms, 0),
            #plan{
                module = Module, file = File, original = Original, forms = Forms,
                was_loaded = erlang:module_loaded(Module),
                options = options(Info), count = length(Points)
            };
        {ok, _} ->
            {Module, <<"it was compiled without +debug_info">>};
        {error, beam_lib, Reason} ->
            {Module, iris_fuzz_shape:text(Reason)}
    end.

%% The file on disk must be what runs, or putting it back would change the target.
original(Module, File) ->
    case erl_prim_loader:get_file(File) of
        {ok, Binary, _} ->
            case {erlang:module_loaded(Module), beam_lib:md5(Binary)} of
                {true, {ok, {Module, Sum}}} ->
                    same_code(Module:module_info(md5), Sum, Binary);
                {false, {ok, {Module, _}}} ->
                    {ok, Binary};
                {_, _} ->
                    {error, <<"its file holds no such module">>}
            end;
        error ->
            {error, <<"its file cannot be read">>}
    end.

same_code(Sum, Sum, Binary) -> {ok, Binary};
same_code(_, _, _) -> {error, <<"its file is not the code that is loaded">>}.

%% Options that change what the code means or how it runs; the rest concern files and messages.
options({debug_info_v1, erl_abstract_code, {_, Options}}) when is_list(Options) ->
    [Option || Option <- Options, is_kept(Option)];
options(_) ->
    [].

is_kept(inline) -> true;
is_kept(no_auto_import) -> true;
is_kept({no_auto_import, _}) -> true;
is_kept({Key, _}) -> lists:member(Key, [inline, inline_size, inline_effort, inline_unroll]);
is_kept(_) -> false.

%% A node in embedded mode loads nothing by itself and knows the folders of its release only;
%% the compiler may not be among them though it is beside them.
load_compiler() ->
    case code:ensure_loaded(compile) of
        {module, compile} ->
            ok;
        {error, embedded} ->
            Pattern = filename:join([code:lib_dir(), "compiler-*", "ebin", "*.beam"]),
            _ = [code:load_abs(filename:rootname(File)) || File <- filelib:wildcard(Pattern)],
            compiler_is_there(erlang:module_loaded(compile));
        {error, _} ->
            compiler_is_there(false)
    end.

compiler_is_there(true) ->
    ok;
compiler_is_there(false) ->
    {error, <<"the node has no compiler application to instrument it with">>}.

%% Numbers have no gaps: when a module does not compile, the others are numbered again.
compile_all(Plans, Failures) ->
    Compiled = [await(Started) || Started <- start_all(number(Plans, 0))],
    case [Failure || {_, _} = Failure <- Compiled] of
        [] ->
            {Compiled, Failures};
        Unfit ->
            Left = [Plan || Plan <- Plans, not lists:keymember(Plan#plan.module, 1, Unfit)],
            compile_all(Left, Failures ++ Unfit)
    end.

number([], _) ->
    [];
number([#plan{count = Count} = Plan | Plans], First) ->
    [Plan#plan{first = First} | number(Plans, First + Count)].

%% All at once: the schedulers share the modules out among themselves.
start_all(Plans) ->
    [{Plan#plan.module, spawn_monitor(fun() -> exit({made, compile(Plan)}) end)} || Plan <- Plans].

await({Module, {Worker, Monitor}}) ->
    receive
        {'DOWN', Monitor, process, Worker, {made, Result}} -> Result;
        {'DOWN', Monitor, process, Worker, Reason} -> {Module, iris_fuzz_shape:text(Reason)}
    end.

compile(#plan{module = Module, forms = Forms, first = First} = Plan) ->
    {Instrumented, Points} = iris_fuzz_forms:transform(Forms, First),
    Options = [binary, return_errors, {source, source(Module)} | Plan#plan.options],
    case compile:forms(Instrumented, Options) of
        {ok, Module, Code} -> Plan#plan{points = Points, code = Code};
        {ok, Module, Code, _} -> Plan#plan{points = Points, code = Code};
        {error, Errors, _} -> {Module, iris_fuzz_shape:text({does_not_compile, Errors})}
    end.

source(Module) ->
    case erlang:module_loaded(Module) of
        true -> proplists:get_value(source, Module:module_info(compile), atom_to_list(Module));
        false -> atom_to_list(Module)
    end.

%% A module that is still in use in its old version at this moment keeps its numbers, which
%% then are never hit.
load_all(Selection, Plans, Failures) ->
    Size = lists:sum([Plan#plan.count || Plan <- Plans]),
    persistent_term:put(?MODULE, atomics:new(iris_fuzz_forms:slots(Size), [])),
    true = ets:insert(?MODULE, {size, Size}),
    Unloaded = lists:append([load(Plan) || Plan <- Plans]),
    Points = [
        {atom_to_binary(Module), atom_to_binary(F), A, Line, atom_to_binary(Kind)}
     || #plan{module = Module, points = Points} <- Plans, {F, A, Line, Kind} <- Points
    ],
    Failed = [{atom_to_binary(Module), Reason} || {Module, Reason} <- Failures ++ Unloaded],
    Result = {Points, lists:sort(Failed)},
    true = ets:insert(?MODULE, {instrumented, Selection, Result}),
    Result.

load(#plan{module = Module, file = File} = Plan) ->
    case replace(Module, File, Plan#plan.code) of
        ok ->
            Original = {Module, File, Plan#plan.original, Plan#plan.was_loaded},
            true = ets:insert(?MODULE, {originals, [Original | fetch(originals)]}),
            [];
        {error, Reason} ->
            [{Module, Reason}]
    end.

replace(Module, File, Code) ->
    case code:soft_purge(Module) of
        true ->
            case code:load_binary(Module, File, Code) of
                {module, Module} -> ok;
                {error, Reason} -> {error, iris_fuzz_shape:text(Reason)}
            end;
        false ->
            {error, <<"processes still run an older version of it">>}
    end.

put_back({Module, File, Original, WasLoaded}) ->
    case replace(Module, File, Original) of
        ok when WasLoaded -> gone(Module);
        ok -> unload(Module);
        {error, Reason} -> {kept, Reason}
    end.

unload(Module) ->
    case gone(Module) of
        ok ->
            true = code:delete(Module),
            gone(Module);
        Kept ->
            Kept
    end.

gone(Module) ->
    case code:soft_purge(Module) of
        true -> ok;
        false -> {kept, <<"processes still run its instrumented version">>}
    end.

%%% Reading

%% The counters that are not zero, as <<Index:24, Count:8>> each, and zero they are then.
%% Counts are clamped at 255, so the one that was hit most often comes too, the first of several.
%% Besides the marked blocks one more is read, another each time: a process killed between
%% counting and marking would otherwise silence a point for good.
-spec read(non_neg_integer()) -> {binary(), Hottest :: non_neg_integer() | none}.
read(Sweep) ->
    case fetch(size) of
        0 ->
            {<<>>, none};
        Size ->
            Counters = persistent_term:get(?MODULE),
            Blocks = Size div iris_fuzz_forms:block_size() + 1,
            read_blocks(Counters, 0, Blocks, Sweep rem Blocks, <<>>, {0, none})
    end.

read_blocks(_, Blocks, Blocks, _, Read, {_, Hottest}) ->
    {Read, Hottest};
read_blocks(Counters, Block, Blocks, Swept, Read, Most) ->
    First = Block * iris_fuzz_forms:block_size(),
    Mark = iris_fuzz_forms:mark(First),
    case atomics:get(Counters, Mark) of
        0 when Block =/= Swept ->
            read_blocks(Counters, Block + 1, Blocks, Swept, Read, Most);
        _ ->
            %% Before the counters: a hit from now on sets it again.
            atomics:put(Counters, Mark, 0),
            Slot = iris_fuzz_forms:slot(First),
            End = Slot + iris_fuzz_forms:block_size(),
            {More, Now} = read_slots(Counters, Slot, End, First, Read, Most),
            read_blocks(Counters, Block + 1, Blocks, Swept, More, Now)
    end.

read_slots(_, End, End, _, Read, Most) ->
    {Read, Most};
read_slots(Counters, Slot, End, Index, Read, {Highest, _} = Most) ->
    case atomics:get(Counters, Slot) of
        0 ->
            read_slots(Counters, Slot + 1, End, Index + 1, Read, Most);
        _ ->
            Hits = atomics:exchange(Counters, Slot, 0),
            Count = min(255, Hits),
            More = <<Read/binary, Index:24, Count:8>>,
            Now =
                case Hits > Highest of
                    true -> {Hits, Index};
                    false -> Most
                end,
            read_slots(Counters, Slot + 1, End, Index + 1, More, Now)
    end.
