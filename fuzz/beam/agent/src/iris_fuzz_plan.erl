%%% Makes ready what takes the place of the target's modules: instrumented code, if there can be.
%%%
%%% A module that it cannot be made of (no debug_info and no source, no compiler in the node, code
%%% that the compiler does not take back) is *bare*: its own code will do, if the emulator counts
%%% what it does (see iris_fuzz_native). What is odd about one module is no matter of the others.
-module(iris_fuzz_plan).

-export([make/3, size/1]).
-export_type([plan/0, bare/0, failure/0]).

-type failure() :: {module(), Reason :: binary()}.

%% A module on its way: what it was, and what it becomes.
-record(plan, {
    module :: module(),
    file :: file:filename(),
    original :: binary(),
    was_loaded :: boolean(),
    forms = [] :: [erl_parse:abstract_form()],
    options = [] :: [term()],
    whence = beam :: beam | source,
    count = 0 :: non_neg_integer(),
    first = 0 :: non_neg_integer(),
    points = [] :: [iris_fuzz_forms:point()],
    gates = [] :: [iris_fuzz_forms:gate()],
    code = <<>> :: binary(),
    %% The file that the code is kept in.
    name = none :: iris_fuzz_cache:name(),
    %% Why there are no forms, or none that compile.
    why = none :: binary() | none
}).

%% What is loaded, and what is to come back in the end.
-type plan() :: #{
    module := module(),
    file := file:filename(),
    original := binary(),
    was_loaded := boolean(),
    code := binary(),
    points := [iris_fuzz_forms:point()],
    gates := [iris_fuzz_forms:gate()]
}.
-type bare() :: #{
    module := module(),
    file := file:filename(),
    original := binary(),
    was_loaded := boolean(),
    why := binary()
}.

%% What the patterns select (see iris_fuzz_select), in the order of the modules' names. The points
%% are numbered from 0, one plan after the other.
-spec make([binary()], [binary()], iris_fuzz_agent:settings()) -> {[plan()], [bare()], [failure()]}.
make(Include, Exclude, Settings) ->
    {Modules, Unfit} = iris_fuzz_select:modules(Include, Exclude),
    Planned = [try_plan(Module, File) || {Module, File} <- Modules],
    {Plans, Unplanned} = lists:partition(fun(One) -> is_record(One, plan) end, Planned),
    Input = input(Plans, Settings),
    {Compiled, Bare, Failures} =
        case recalled(Plans, Input, Settings) of
            {ok, Recalled} -> {Recalled, [], []};
            none -> made(Plans, Input, Settings)
        end,
    {
        [told(Plan) || Plan <- Compiled],
        [told_bare(Plan) || Plan <- Bare],
        Unfit ++ Unplanned ++ Failures
    }.

made(Plans, Input, Settings) ->
    Compiler = load_compiler(maps:get(compiler, Settings, none)),
    {Kept, Stuck} = try_out([with_forms(Compiler, Plan) || Plan <- Plans], Settings),
    {Bare, WithForms} = lists:partition(fun(#plan{why = Why}) -> Why =/= none end, Kept),
    {Compiled, Broken} = compile_all(WithForms, [], Settings),
    {Counted, Uncounted} = counted_natively(lists:keysort(#plan.module, Bare ++ Broken)),
    Lasting = length(Compiled) =:= length(Plans) andalso lists:all(fun is_from_beam/1, Compiled),
    ok = remember(Lasting, Compiled, Input, Settings),
    {Compiled, Counted, Stuck ++ Uncounted}.

%% How many points there are, whether their modules can be loaded or not.
-spec size([plan()]) -> non_neg_integer().
size(Plans) ->
    lists:sum([length(Points) || #{points := Points} <- Plans]).

told(#plan{code = Code, points = Points, gates = Gates} = Plan) ->
    (original(Plan))#{code => Code, points => Points, gates => Gates}.

told_bare(#plan{why = Why} = Plan) ->
    (original(Plan))#{why => Why}.

original(#plan{module = Module, file = File, original = Original, was_loaded = WasLoaded}) ->
    #{module => Module, file => File, original => Original, was_loaded => WasLoaded}.

counted_natively(Bare) ->
    case iris_fuzz_otp:native_coverage() of
        yes -> {Bare, []};
        {no, No} -> {[], [uncounted(Plan, No) || Plan <- Bare]}
    end.

uncounted(#plan{module = Module, why = Why}, No) ->
    {Module, <<Why/binary, "; ", No/binary>>}.

%%% What came of the same modules in another node

%% All follows from the beam files, from the compiler and from us. A module that is not loaded does not
%% tell its source.
input(Plans, Settings) ->
    Theirs = [{M, erlang:md5(Code), L} || #plan{module = M, original = Code, was_loaded = L} <- Plans],
    Ours = [iris_fuzz_forms, iris_fuzz_constants, iris_fuzz_source, ?MODULE],
    Sums = [One:module_info(md5) || One <- Ours],
    {Theirs, Sums, erlang:system_info(version), compiler(code:which(compile), Settings)}.

%% Where the node does not know it, it is the one beside its code, or the harness's: see load_compiler/1.
compiler(File, _) when is_list(File) -> beam_lib:md5(File);
compiler(_, Settings) -> {code:lib_dir(), maps:get(compiler, Settings, none)}.

%% Forms that were read from a source have its lines, which the checksum of the code does not tell.
is_from_beam(#plan{whence = Whence}) -> Whence =:= beam.

recalled(Plans, Input, Settings) ->
    case iris_fuzz_cache:recall(Settings, Input) of
        {ok, Facts} -> with_facts(lists:zip(Plans, Facts), Settings, []);
        none -> none
    end.

with_facts([{Plan, {Points, Gates, Name}} | Rest], Settings, Known) ->
    case iris_fuzz_cache:code(Settings, Name) of
        {ok, Code} ->
            With = Plan#plan{points = Points, gates = Gates, name = Name, code = Code},
            with_facts(Rest, Settings, [With | Known]);
        none ->
            none
    end;
with_facts([], _, Known) ->
    {ok, lists:reverse(Known)}.

%% Where a module is left out, the others may have other numbers the next time.
remember(true, Plans, Input, Settings) ->
    Facts = [
        {Points, Gates, Name}
     || #plan{points = Points, gates = Gates, name = Name} <- Plans
    ],
    iris_fuzz_cache:remember(Settings, Input, Facts);
remember(false, _, _, _) ->
    ok.

%%% Forms

%% Code is read that anybody may have written.
try_plan(Module, File) ->
    try iris_fuzz_source:original(Module, File) of
        {ok, Original} ->
            WasLoaded = erlang:module_loaded(Module),
            #plan{module = Module, file = File, original = Original, was_loaded = WasLoaded};
        {error, Reason} ->
            {Module, Reason}
    catch
        _:Fault -> {Module, iris_fuzz_shape:text(Fault)}
    end.

with_forms({error, Why}, Plan) ->
    Plan#plan{why = Why};
with_forms(ok, #plan{module = Module, file = File, original = Original} = Plan) ->
    try read_forms(Module, File, Original) of
        {ok, Forms, Options, Whence, Points} ->
            Plan#plan{forms = Forms, options = Options, whence = Whence, count = length(Points)};
        {error, Why} ->
            Plan#plan{why = Why}
    catch
        _:Fault -> Plan#plan{why = iris_fuzz_shape:text(Fault)}
    end.

read_forms(Module, File, Original) ->
    case iris_fuzz_source:forms(Module, File, Original) of
        {ok, Forms, Options, Whence} ->
            {_, Points, _} = iris_fuzz_forms:transform(Forms, 0),
            {ok, Forms, Options, Whence, Points};
        {error, _} = Error ->
            Error
    end.

%% What a guest cannot put back, it does not touch.
try_out(Plans, #{linger_ms := _}) ->
    Stacks = iris_fuzz_swap:stacks(),
    Tried = [try_out_one(Plan, Stacks) || Plan <- Plans],
    lists:partition(fun(One) -> is_record(One, plan) end, Tried);
try_out(Plans, #{}) ->
    {Plans, []}.

try_out_one(#plan{module = Module, file = File, original = Original} = Plan, Stacks) ->
    case iris_fuzz_swap:try_out(Module, File, Original, Stacks) of
        ok -> Plan;
        {error, Reason} -> {Module, Reason}
    end.

%%% Compiling

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
compile_all(Plans, Broken, Settings) ->
    Compiled = [await(Started) || Started <- start_all(number(Plans, 0), Settings)],
    case [Plan || #plan{why = Why} = Plan <- Compiled, Why =/= none] of
        [] ->
            {Compiled, Broken};
        More ->
            Names = [Plan#plan.module || Plan <- More],
            Left = [Plan || Plan <- Plans, not lists:member(Plan#plan.module, Names)],
            compile_all(Left, Broken ++ More, Settings)
    end.

number([], _) ->
    [];
number([#plan{count = Count} = Plan | Plans], First) ->
    [Plan#plan{first = First} | number(Plans, First + Count)].

%% All at once: the schedulers share the modules out among themselves.
start_all(Plans, Settings) ->
    [{Plan, spawn_monitor(fun() -> exit({made, compile(Plan, Settings)}) end)} || Plan <- Plans].

await({Plan, {Worker, Monitor}}) ->
    receive
        {'DOWN', Monitor, process, Worker, {made, Made}} -> Made;
        {'DOWN', Monitor, process, Worker, Reason} -> Plan#plan{why = iris_fuzz_shape:text(Reason)}
    end.

compile(#plan{module = Module, forms = Forms, first = First} = Plan, Settings) ->
    {Instrumented, Points, Gates} = iris_fuzz_forms:transform(Forms, First),
    Options = [binary, return_errors, {source, source(Module)} | Plan#plan.options],
    case iris_fuzz_cache:compile(Settings, Instrumented, Options) of
        {ok, Code, Name} -> Plan#plan{points = Points, gates = Gates, code = Code, name = Name};
        {error, Errors, _} -> Plan#plan{why = iris_fuzz_shape:text({does_not_compile, Errors})}
    end.

source(Module) ->
    case erlang:module_loaded(Module) of
        true -> proplists:get_value(source, Module:module_info(compile), atom_to_list(Module));
        false -> atom_to_list(Module)
    end.
