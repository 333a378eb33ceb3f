%%% Instruments the target's modules while they run, reads what was hit, puts them back.
%%%
%%% Theory of operation. One array of atomics serves all modules; its reference is a persistent
%%% term, the cheapest thing that code in any module can reach. The instrumented code counts in
%%% it (see iris_fuzz_forms). An atomic that went from zero to one also sets the mark of its
%%% block, and a read looks at the marks only. Modules that cannot be instrumented are counted by
%%% the emulator, where it does that (see iris_fuzz_native); their points have the last numbers.
%%%
%%% A module that cannot be replaced without harm is given up (see iris_fuzz_swap). A process that
%%% never leaves a loop inside its module stays in the version it was started in: restart the
%%% application to see all of it.
%%%
%%% What is instrumented is kept in a table that belongs to the supervisor: a fault in here must
%%% not lose the way back. What it has left half done is put back before another try.
%%%
%%% Code that could not be put back runs on and counts, in whatever array it finds. So an array is
%%% never followed by a smaller one, and the last agent that has left such code, or has found an
%%% array when it came, leaves the array too.
-module(iris_fuzz_cover).
-behaviour(gen_server).

-export([start_link/1, new_table/1, note_loaded/1, instrument/2, read/1, restore/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-type name() :: binary().
-type point() :: {
    Module :: name(), Function :: name(), arity(), Line :: non_neg_integer(), Kind :: name()
}.
%% A module with the reason for which it is not covered, or not otherwise than natively.
-type reason() :: {Module :: name(), Reason :: binary()}.
%% As in iris_fuzz_forms, but with tuples: small numbers in a list would travel as a string.
-type gate() ::
    {Point :: non_neg_integer(), Around :: non_neg_integer() | none, Own :: tuple(), tuple()}.
-type result() ::
    {[point()], Failures :: [reason()], Native :: [reason()], [gate()]}.

%% Processes of connections that have just been closed end in no time; one that stays in
%% instrumented code for longer will not leave it soon.
-define(PUT_BACK_MS, 1000).

%% Which modules are counted natively: nothing is cheaper to read.
-define(NATIVE, iris_fuzz_native).

-spec start_link(iris_fuzz_agent:settings()) -> {ok, pid()}.
start_link(Settings) ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, Settings, []).

-spec new_table({heir, pid(), none} | {heir, none}) -> ok.
new_table(Heir) ->
    ?MODULE = ets:new(?MODULE, [set, public, named_table, Heir]),
    Inherited = persistent_term:get(?MODULE, none) =/= none,
    Rows = [{foreign, []}, {originals, []}, {size, none}, {inherited, Inherited}],
    true = ets:insert(?MODULE, Rows),
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
    {ok, result()} | {error, binary()}.
instrument(Include, Exclude) ->
    gen_server:call(?MODULE, {instrument, {Include, Exclude}}, infinity).

%% Put every module back. Kept are those that are still in use in a way that only killing
%% processes would end; they go on counting into an array that nobody reads. What somebody else
%% has loaded in the place of one is left, and the module is in neither list. Without a supervisor
%% there is nobody else to do it.
-spec restore(Supervisor :: pid() | undefined) ->
    {Restored :: [name()], Kept :: [reason()], Foreign :: [module()]}.
restore(undefined) -> restored();
restore(_) -> gen_server:call(?MODULE, restore, infinity).

init(Settings) ->
    {ok, Settings}.

handle_call({instrument, Selection}, _, Settings) ->
    Reply =
        case ets:lookup(?MODULE, instrumented) of
            [] -> instrument_afresh(Selection, Settings);
            [{instrumented, Selection, Result}] -> {ok, Result};
            [_] -> {error, <<"the node is instrumented already, with another selection">>}
        end,
    {reply, Reply, Settings};
handle_call(restore, _, Settings) ->
    {reply, restored(), Settings}.

handle_cast(_, Settings) ->
    {noreply, Settings}.

fetch(Key) ->
    ets:lookup_element(?MODULE, Key, 2).

restored() ->
    {Restored, Kept} = put_back(),
    _ = [persistent_term:erase(?MODULE) || Kept =:= [], not fetch(inherited)],
    _ = persistent_term:erase(?NATIVE),
    {Restored, Kept, fetch(foreign)}.

put_back() ->
    Until = erlang:monotonic_time(millisecond) + ?PUT_BACK_MS,
    Outcomes = [{Put, iris_fuzz_swap:out(Put, Until)} || Put <- fetch(originals)],
    true = ets:insert(?MODULE, {originals, [Put || {Put, {error, _}} <- Outcomes]}),
    Restored = [atom_to_binary(Module) || {#{module := Module}, ok} <- Outcomes],
    {lists:sort(Restored), told([{Module, Why} || {#{module := Module}, {error, Why}} <- Outcomes])}.

%%% Instrumenting

%% There is something to put back after a fault only.
instrument_afresh(Selection, Settings) ->
    case put_back() of
        {_, []} ->
            instrument_now(Selection, Settings);
        {_, [{Module, Why} | _]} ->
            {error, <<"a fault of the agent has left ", Module/binary, " instrumented: ", Why/binary>>}
    end.

instrument_now({Include, Exclude} = Selection, Settings) ->
    %% A process of its own, for compiling leaves a large heap behind.
    {Worker, Monitor} = spawn_monitor(fun() ->
        exit({made, plan(Include, Exclude, Settings)})
    end),
    receive
        {'DOWN', Monitor, process, Worker, {made, Planned}} ->
            Result = load_all(Planned),
            true = ets:insert(?MODULE, {instrumented, Selection, Result}),
            {ok, Result};
        {'DOWN', Monitor, process, Worker, Reason} ->
            {error, iris_fuzz_shape:text(Reason)}
    end.

plan(Include, Exclude, Settings) ->
    Before = code:all_loaded(),
    Planned = iris_fuzz_plan:make(Include, Exclude, Settings),
    note_loaded(Before),
    Planned.

load_all({Plans, Bare, Unplanned}) ->
    Size = iris_fuzz_plan:size(Plans),
    Slots = max(iris_fuzz_forms:slots(Size), slots_there()),
    persistent_term:put(?MODULE, atomics:new(Slots, [])),
    Unloaded = lists:append([load(Plan) || Plan <- Plans]),
    {Native, Uncounted} = load_native(Bare, Size, [], []),
    persistent_term:put(?NATIVE, [Counted || {Counted, _, _} <- Native]),
    true = ets:insert(?MODULE, {size, Size}),
    Points =
        [{Module, Points} || #{module := Module, points := Points} <- Plans] ++
            [{Module, Points} || {{Module, _, _, _}, Points, _} <- Native],
    {
        [
            {atom_to_binary(Module), atom_to_binary(F), A, Line, atom_to_binary(Kind)}
         || {Module, Own} <- Points, {F, A, Line, Kind} <- Own
        ],
        told(Unplanned ++ Unloaded ++ Uncounted),
        told([{Module, Why} || {{Module, _, _, _}, _, Why} <- Native]),
        [
            {Point, Around, list_to_tuple(Own), list_to_tuple(Context)}
         || #{gates := Gates} <- Plans, {Point, Around, Own, Context} <- Gates
        ]
    }.

slots_there() ->
    case persistent_term:get(?MODULE, none) of
        none -> 0;
        Counters -> map_get(size, atomics:info(Counters))
    end.

told(Reasons) ->
    lists:sort([{atom_to_binary(Module), Reason} || {Module, Reason} <- Reasons]).

%% A module that is still in use in its old version at this moment keeps its numbers, which
%% then are never hit.
load(#{module := Module, file := File, code := Code, original := Original} = Plan) ->
    note_original(Plan, Code),
    case iris_fuzz_swap:in(Module, File, Code, Original) of
        ok ->
            [];
        {error, Reason} ->
            forget_original(Module),
            [{Module, Reason}]
    end.

%% What the emulator counts in a module is known when it counts.
load_native([], _, Native, Failures) ->
    {lists:reverse(Native), Failures};
load_native([#{module := Module, why := Why} = Bare | More], First, Native, Failures) ->
    #{file := File, original := Original} = Bare,
    note_original(Bare, Original),
    case iris_fuzz_native:in(Module, File, Original) of
        {ok, Level, Points} ->
            Count = length(Points),
            One = {{Module, Level, First, Count}, Points, Why},
            load_native(More, First + Count, [One | Native], Failures);
        {error, Reason} ->
            forget_original(Module),
            Failure = {Module, <<Why/binary, "; counted natively: ", Reason/binary>>},
            load_native(More, First, Native, [Failure | Failures])
    end.

%% Before it is loaded: what is in its place must have a way back at any moment. Whether it was
%% loaded may be otherwise than when it was planned.
note_original(#{module := Module, file := File, original := Original}, Code) ->
    Put = #{
        module => Module,
        file => File,
        sum => iris_fuzz_swap:sum(Code),
        original => Original,
        was_loaded => erlang:module_loaded(Module)
    },
    true = ets:insert(?MODULE, {originals, [Put | fetch(originals)]}).

forget_original(Module) ->
    Left = [Put || #{module := Other} = Put <- fetch(originals), Other =/= Module],
    true = ets:insert(?MODULE, {originals, Left}).

%%% Reading

%% The counters that are not zero, as in iris_fuzz_hits, and zero they are then.
%% Besides the marked blocks one more is read, another each time: a process killed between
%% counting and marking would otherwise silence a point for good.
-spec read(non_neg_integer()) -> {binary(), Hottest :: non_neg_integer() | none}.
read(Sweep) ->
    case fetch(size) of
        none ->
            {<<>>, none};
        Size ->
            Counters = persistent_term:get(?MODULE),
            Blocks = Size div iris_fuzz_forms:block_size() + 1,
            Hits = read_blocks(Counters, 0, Blocks, Sweep rem Blocks, iris_fuzz_hits:none()),
            {Read, {_, Hottest}} = iris_fuzz_native:read(persistent_term:get(?NATIVE, []), Hits),
            {Read, Hottest}
    end.

read_blocks(_, Blocks, Blocks, _, Hits) ->
    Hits;
read_blocks(Counters, Block, Blocks, Swept, Hits) ->
    First = Block * iris_fuzz_forms:block_size(),
    Mark = iris_fuzz_forms:mark(First),
    case atomics:get(Counters, Mark) of
        0 when Block =/= Swept ->
            read_blocks(Counters, Block + 1, Blocks, Swept, Hits);
        _ ->
            %% Before the counters: a hit from now on sets it again.
            atomics:put(Counters, Mark, 0),
            Slot = iris_fuzz_forms:slot(First),
            End = Slot + iris_fuzz_forms:block_size(),
            More = read_slots(Counters, Slot, End, First, Hits),
            read_blocks(Counters, Block + 1, Blocks, Swept, More)
    end.

read_slots(_, End, End, _, Hits) ->
    Hits;
read_slots(Counters, Slot, End, Index, Hits) ->
    case atomics:get(Counters, Slot) of
        0 ->
            read_slots(Counters, Slot + 1, End, Index + 1, Hits);
        _ ->
            Count = atomics:exchange(Counters, Slot, 0),
            read_slots(Counters, Slot + 1, End, Index + 1, iris_fuzz_hits:add(Index, Count, Hits))
    end.
