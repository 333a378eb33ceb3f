%%% Instruments the target's modules while they run, reads what was hit, puts them back.
%%%
%%% Theory of operation. One array of atomics serves all modules; its reference is a persistent
%%% term, the cheapest thing that code in any module can reach. The instrumented code counts in
%%% it (see iris_fuzz_forms). An atomic that went from zero to one also sets the mark of its
%%% block, and a read looks at the marks only.
%%%
%%% A module that cannot be replaced without harm is given up (see iris_fuzz_swap). A process that
%%% never leaves a loop inside its module stays in the version it was started in: restart the
%%% application to see all of it.
%%%
%%% What is instrumented is kept in a table that belongs to the supervisor: a fault in here must
%%% not lose the way back.
-module(iris_fuzz_cover).
-behaviour(gen_server).

-export([start_link/1, new_table/0, note_loaded/1, instrument/2, read/1, restore/0]).
-export([init/1, handle_call/3, handle_cast/2]).

-type name() :: binary().
-type point() :: {
    Module :: name(), Function :: name(), arity(), Line :: non_neg_integer(), Kind :: name()
}.
-type failure() :: {Module :: name(), Reason :: binary()}.

%% Processes of connections that have just been closed end in no time; one that stays in
%% instrumented code for longer will not leave it soon.
-define(PUT_BACK_MS, 1000).

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

-spec start_link(iris_fuzz_agent:settings()) -> {ok, pid()}.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

-spec new_table() -> ok.
new_table() ->
    ?MODULE = ets:new(?MODULE, [set, public, named_table]),
    true = ets:insert(?MODULE, [{foreign, []}, {originals, []}, {size, 0}]),
    ok.

%% Remember which modules of OTP were loaded on the agent's behalf, to unload them in the end.
-spec note_loaded([{module(), term()}]) -> ok.
note_loaded(Before) ->
    New = [M || {M, _} <- code:all_loaded() -- Before, not iris_fuzz_agent:is_own_name(M)],
    Foreign = [M || M <- New, iris_fuzz_otp:is_module(M)],
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

init(Settings) ->
    {ok, Settings}.

handle_call({instrument, Selection}, _, Settings) ->
    Reply =
        case ets:lookup(?MODULE, instrumented) of
            [] -> instrument_now(Selection, Settings);
            [{instrumented, Selection, Result}] -> {ok, Result};
            [_] -> {error, <<"the node is instrumented already, with another selection">>}
        end,
    {reply, Reply, Settings};
handle_call(restore, _, Settings) ->
    Until = erlang:monotonic_time(millisecond) + ?PUT_BACK_MS,
    Outcomes = [
        {Module, iris_fuzz_swap:out(Module, File, Original, WasLoaded, Until)}
     || {Module, File, Original, WasLoaded} <- fetch(originals)
    ],
    Restored = lists:sort([atom_to_binary(Module) || {Module, ok} <- Outcomes]),
    Kept = lists:sort([{atom_to_binary(Module), Why} || {Module, {error, Why}} <- Outcomes]),
    _ = [persistent_term:erase(?MODULE) || Kept =:= []],
    {reply, {Restored, Kept, fetch(foreign)}, Settings}.

handle_cast(_, Settings) ->
    {noreply, Settings}.

fetch(Key) ->
    ets:lookup_element(?MODULE, Key, 2).

%%% Instrumenting

instrument_now({Include, Exclude} = Selection, Settings) ->
    %% A process of its own, for compiling leaves a large heap behind.
    {Worker, Monitor} = spawn_monitor(fun() ->
        exit({made, plan_all(Include, Exclude, Settings)})
    end),
    receive
        {'DOWN', Monitor, process, Worker, {made, {Plans, Failures}}} ->
            {ok, load_all(Selection, Plans, Failures)};
        {'DOWN', Monitor, process, Worker, Reason} ->
            {error, iris_fuzz_shape:text(Reason)}
    end.

plan_all(Include, Exclude, Settings) ->
    Before = code:all_loaded(),
    {Modules, Unfit} = iris_fuzz_select:modules(Include, Exclude),
    Made =
        case load_compiler(maps:get(compiler, Settings, none)) of
            ok ->
                Tried = [try_plan(Module, File) || {Module, File} <- Modules],
                Planned = try_out(Tried, Settings),
                Unplanned = [Failure || {_, _} = Failure <- Planned],
                compile_all([Plan || #plan{} = Plan <- Planned], Unfit ++ Unplanned, Settings);
            {error, Reason} ->
                {[], Unfit ++ [{Module, Reason} || {Module, _} <- Modules]}
        end,
    note_loaded(Before),
    Made.

%% Code is read that anybody may have written: what is odd about one module is no matter of the
%% others.
try_plan(Module, File) ->
    try
        plan(Module, File)
    catch
        _:Fault -> {Module, iris_fuzz_shape:text(Fault)}
    end.

%% What a guest cannot put back, it does not touch.
try_out(Planned, #{linger_ms := _}) ->
    Stacks = iris_fuzz_swap:stacks(),
    [try_out_one(One, Stacks) || One <- Planned];
try_out(Planned, #{}) ->
    Planned.

try_out_one(#plan{module = Module, file = File, original = Original} = Plan, Stacks) ->
    case iris_fuzz_swap:try_out(Module, File, Original, Stacks) of
        ok -> Plan;
        {error, Reason} -> {Module, Reason}
    end;
try_out_one(Failure, _) ->
    Failure.

plan(Module, File) ->
    case iris_fuzz_source:read(Module, File) of
        {ok, Original, Forms, Options} ->
            {_, Points} = iris_fuzz_forms:transform(Forms, 0),
            #plan{
                module = Module, file = File, original = Original, forms = Forms,
                was_loaded = erlang:module_loaded(Module),
                options = Options, count = length(Points)
            };
        {error, Reason} ->
            {Module, Reason}
    end.

%% A node in embedded mode loads nothing by itself and knows the folders of its release only;
%% the compiler may not be among them though it is beside them, or where the harness has its own.
load_compiler(Elsewhere) ->
    Beside = filename:join([code:lib_dir(), "compiler-*", "ebin"]),
    case code:ensure_loaded(compile) of
        {module, compile} -> ok;
        {error, _} -> compiler_is_there(lists:any(fun load_folder/1, [Beside, Elsewhere]))
    end.

load_folder(none) ->
    false;
load_folder(Pattern) ->
    Files = filelib:wildcard(filename:join(Pattern, "*.beam")),
    _ = [code:load_abs(filename:rootname(File)) || File <- Files],
    erlang:module_loaded(compile).

compiler_is_there(true) ->
    ok;
compiler_is_there(false) ->
    {error, <<"the node has no compiler application to instrument it with">>}.

%% Numbers have no gaps: when a module does not compile, the others are numbered again.
compile_all(Plans, Failures, Settings) ->
    Compiled = [await(Started) || Started <- start_all(number(Plans, 0), Settings)],
    case [Failure || {_, _} = Failure <- Compiled] of
        [] ->
            {Compiled, Failures};
        Unfit ->
            Left = [Plan || Plan <- Plans, not lists:keymember(Plan#plan.module, 1, Unfit)],
            compile_all(Left, Failures ++ Unfit, Settings)
    end.

number([], _) ->
    [];
number([#plan{count = Count} = Plan | Plans], First) ->
    [Plan#plan{first = First} | number(Plans, First + Count)].

%% All at once: the schedulers share the modules out among themselves.
start_all(Plans, Settings) ->
    [
        {Plan#plan.module, spawn_monitor(fun() -> exit({made, compile(Plan, Settings)}) end)}
     || Plan <- Plans
    ].

await({Module, {Worker, Monitor}}) ->
    receive
        {'DOWN', Monitor, process, Worker, {made, Result}} -> Result;
        {'DOWN', Monitor, process, Worker, Reason} -> {Module, iris_fuzz_shape:text(Reason)}
    end.

compile(#plan{module = Module, forms = Forms, first = First} = Plan, Settings) ->
    {Instrumented, Points} = iris_fuzz_forms:transform(Forms, First),
    Options = [binary, return_errors, {source, source(Module)} | Plan#plan.options],
    case iris_fuzz_cache:compile(Settings, Instrumented, Options) of
        {ok, Module, Code} -> Plan#plan{points = Points, code = Code};
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

load(#plan{module = Module, file = File, original = Original} = Plan) ->
    case iris_fuzz_swap:in(Module, File, Plan#plan.code) of
        ok ->
            Put = {Module, File, Original, Plan#plan.was_loaded},
            true = ets:insert(?MODULE, {originals, [Put | fetch(originals)]}),
            [];
        {error, Reason} ->
            [{Module, Reason}]
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
