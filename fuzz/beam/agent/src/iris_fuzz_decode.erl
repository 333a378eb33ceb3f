%%% Calls a decoder of the target directly: many inputs, one after the other, in one fresh process.
%%%
%%% Theory of operation. Of what the decoder returns only the shape goes out (see iris_fuzz_shape),
%%% with the sizes of binaries and the values of integers in it, in the order in which they stand.
%%% A batch has few shapes, and few sets of coverage: both are told once, in a table, and each
%%% input by its numbers there. A shape is found by a *canonical* term, which is the term without
%%% its data: making one costs a microsecond, making its text thirty.
%%%
%%% What is only looked at is not loaded: that would run the target's code (on_load) and leave modules
%%% behind which the node did not have. Only the decoder that is called is.
%%%
%%% Coverage is read after each input. What other processes of the node do meanwhile is in it too.
%%%
%%% The process has a limited heap, and is killed when it does not get on. Before each call it says
%%% in an atomic which input is next; so it is known which one did it, and those before that one
%%% are called again, in another process. An answer ends with such an input, or when time is up:
%%% the client asks for the rest.
-module(iris_fuzz_decode).

-export([find/2, batch/4]).

-type name() :: binary().
-type how() :: binary().
%% How it ended (returned, raised, killed, looped), its shape, how many sizes and values there are
%% of one that returned, and the stack of one that raised.
-type outcome() :: {how(), Shape :: binary(), non_neg_integer(), Frames :: [tuple()]}.

%% 64 MiB in words: a decoder that makes a list of each byte of the largest input needs a tenth.
-define(MAX_HEAP_WORDS, 8388608).
%% As iris_fuzz_shape looks at terms: what it leaves out is no part of the canonical term either.
-define(DEPTH, 5).
-define(WIDTH, 8).
%% In the place of a value that is no integer of 32 bits.
-define(NO_VALUE, 16#FFFFFFFF).
%% More than these help nobody to choose.
-define(MOST_CANDIDATES, 16).

%% What there is by that name: whether the module is there, the arities of its exported functions
%% of that name, and which functions of the target look like decoders.
-spec find(name(), name()) -> {ok, {0 | 1, [arity()], [name()]}}.
find(Module, Function) ->
    {Known, Exports} = exports_of(Module),
    Arities = [Arity || {Name, Arity} <- Exports, atom_to_binary(Name) =:= Function],
    {ok, {Known, lists:sort(Arities), candidates()}}.

exports_of(Text) ->
    try exports(binary_to_existing_atom(Text)) of
        {ok, Exports} -> {1, Exports};
        none -> {0, []}
    catch
        error:badarg -> {0, []}
    end.

candidates() ->
    {Fit, Unfit} = iris_fuzz_select:modules([], []),
    Found = [
        iolist_to_binary(io_lib:format("~ts:~ts/1", [Module, Name]))
     || {Module, _} <- Fit ++ Unfit,
        {ok, Exports} <- [exports(Module)],
        {Name, 1} <- Exports,
        is_decoder(Name)
    ],
    lists:sublist(lists:sort(Found), ?MOST_CANDIDATES).

exports(Module) ->
    case erlang:module_loaded(Module) of
        true -> {ok, Module:module_info(exports)};
        false -> exports_in(code:get_mode(), code:which(Module))
    end.

%% A node in embedded mode would not load it when it is called.
exports_in(interactive, File) when is_list(File) ->
    case beam_lib:chunks(File, [exports]) of
        {ok, {_, [{exports, Exports}]}} -> {ok, Exports};
        {error, beam_lib, _} -> none
    end;
exports_in(_, _) ->
    none.

is_decoder(Name) ->
    Text = atom_to_list(Name),
    lists:prefix("decode", Text) orelse lists:prefix("parse", Text).

%% Call a decoder with the inputs in Blob, each behind its size in 32 bits, for about Limit
%% milliseconds; one input that takes as long is one that loops.
-spec batch(name(), name(), binary(), pos_integer()) -> {ok, binary()} | {error, binary()}.
batch(Module, Function, Blob, Limit) ->
    try {binary_to_existing_atom(Module), binary_to_existing_atom(Function)} of
        {M, F} ->
            _ = code:ensure_loaded(M),
            called(fun M:F/1, Blob, Limit, erlang:function_exported(M, F, 1))
    catch
        error:badarg -> called(none, Blob, Limit, false)
    end.

called(_, _, _, false) ->
    {error, <<"the node has no decoder of that name">>};
called(Decoder, Blob, Limit, true) ->
    {ok, answered(run(Decoder, Blob, all, Limit), Decoder, Blob, Limit)}.

%% What is known of the inputs before one that is lost went with the process: they are run again, and
%% on a busy machine one of them may then be lost as well.
answered({done, Result}, _, _, _) ->
    reply(Result, []);
answered({lost, 0, Outcome}, _, _, _) ->
    reply({0, {[], []}, {<<>>, <<>>}}, [Outcome]);
answered({lost, Count, Outcome}, Decoder, Blob, Limit) ->
    case run(Decoder, Blob, Count, Limit) of
        {done, {Count, _, _} = Result} -> reply(Result, [Outcome]);
        Other -> answered(Other, Decoder, Blob, Limit)
    end.

run(Decoder, Blob, Most, Limit) ->
    Progress = atomics:new(1, []),
    Heap = #{size => ?MAX_HEAP_WORDS, kill => true, error_logger => false},
    Work = fun() -> exit({done, work(Decoder, Blob, Most, Limit, Progress)}) end,
    {Worker, Monitor} = spawn_opt(Work, [monitor, {max_heap_size, Heap}]),
    await(Worker, Monitor, Progress, Limit, -1).

await(Worker, Monitor, Progress, Limit, Before) ->
    receive
        {'DOWN', Monitor, process, Worker, Reason} -> ended(Reason, Progress)
    after Limit ->
        case atomics:get(Progress, 1) of
            Before ->
                exit(Worker, kill),
                receive
                    {'DOWN', Monitor, process, Worker, {done, _} = Done} -> Done;
                    {'DOWN', Monitor, process, Worker, _} -> lost(Before, <<"looped">>, <<>>)
                end;
            Now ->
                await(Worker, Monitor, Progress, Limit, Now)
        end
    end.

ended({done, _} = Done, _) ->
    Done;
ended(Reason, Progress) ->
    lost(atomics:get(Progress, 1), <<"killed">>, iris_fuzz_shape:text(Reason)).

lost(Number, How, Shape) ->
    {lost, Number, {How, Shape, 0, []}}.

%%% In the process of the batch

-record(seen, {
    count = 0 :: non_neg_integer(),
    shapes = #{} :: #{term() => {non_neg_integer(), outcome()}},
    coverages = #{} :: #{binary() => non_neg_integer()},
    rows = <<>> :: binary(),
    values = <<>> :: binary()
}).

work(Decoder, Blob, Most, Limit, Progress) ->
    _ = iris_fuzz_cover:read(0),
    End = erlang:monotonic_time(millisecond) + Limit,
    #seen{count = Count} = Seen = each(Blob, Decoder, {Most, End, Progress}, #seen{}),
    {Count, tables(Seen), {Seen#seen.rows, Seen#seen.values}}.

each(<<>>, _, _, Seen) ->
    Seen;
each(_, _, {Count, _, _}, #seen{count = Count} = Seen) ->
    Seen;
each(<<Size:32, Input:Size/binary, Rest/binary>>, Decoder, {_, End, Progress} = Bounds, Seen) ->
    ok = atomics:put(Progress, 1, Seen#seen.count),
    Outcome = outcome(Decoder, Input),
    {Coverage, _} = iris_fuzz_cover:read(Seen#seen.count),
    Noted = note(Outcome, Coverage, Seen),
    case erlang:monotonic_time(millisecond) < End of
        true -> each(Rest, Decoder, Bounds, Noted);
        false -> Noted
    end.

%% The values go from the newest to the oldest.
outcome(Decoder, Input) ->
    try Decoder(Input) of
        Term ->
            {Canonical, Values} = canonical(Term, ?DEPTH, []),
            {{returned, Canonical}, Values}
    catch
        Class:Reason:Stack ->
            {Canonical, _} = canonical(Reason, ?DEPTH, []),
            {{raised, Class, Canonical, own_frames(Stack)}, []}
    end.

own_frames(Stack) ->
    [
        Frame
     || {Module, _, _} = Frame <- iris_fuzz_shape:frames(Stack),
        Module =/= <<"iris_fuzz_decode">>
    ].

note({Key, Values}, Coverage, Seen) ->
    #seen{count = Count, shapes = Shapes, coverages = Coverages} = Seen,
    {Shape, MoreShapes} =
        case Shapes of
            #{Key := {Known, _}} -> {Known, Shapes};
            _ -> {map_size(Shapes), Shapes#{Key => {map_size(Shapes), told(Key, Values)}}}
        end,
    {Set, MoreCoverages} =
        case Coverages of
            #{Coverage := Same} -> {Same, Coverages};
            _ -> {map_size(Coverages), Coverages#{Coverage => map_size(Coverages)}}
        end,
    Seen#seen{
        count = Count + 1,
        shapes = MoreShapes,
        coverages = MoreCoverages,
        rows = <<(Seen#seen.rows)/binary, Shape:16, Set:16>>,
        values = append(lists:reverse(Values), Seen#seen.values)
    }.

append([], All) -> All;
append([Value | Values], All) -> append(Values, <<All/binary, Value:32>>).

told({returned, Canonical}, Values) ->
    {<<"returned">>, iris_fuzz_shape:text(Canonical), length(Values), []};
told({raised, Class, Canonical, Frames}, _) ->
    Text = iris_fuzz_shape:text(Canonical),
    {<<"raised">>, <<(atom_to_binary(Class))/binary, $:, Text/binary>>, 0, Frames}.

tables(#seen{shapes = Shapes, coverages = Coverages}) ->
    Told = [Outcome || {_, Outcome} <- lists:sort(maps:values(Shapes))],
    Sets = [{Number, Coverage} || {Coverage, Number} <- maps:to_list(Coverages)],
    {Told, [Coverage || {_, Coverage} <- lists:sort(Sets)]}.

%% The term without its data, which has the same shape, and its sizes and values before Values.
canonical(_, 0, Values) ->
    {deep, Values};
canonical(Atom, _, Values) when is_atom(Atom) ->
    {Atom, Values};
canonical(Number, _, Values) when is_integer(Number), Number >= 0, Number < ?NO_VALUE ->
    {0, [Number | Values]};
canonical(Number, _, Values) when is_integer(Number) ->
    {0, [?NO_VALUE | Values]};
canonical(Number, _, Values) when is_float(Number) ->
    {0.0, [?NO_VALUE | Values]};
canonical(Bits, _, Values) when is_bitstring(Bits) ->
    {<<>>, [byte_size(Bits) | Values]};
canonical(Tuple, Depth, Values) when tuple_size(Tuple) > ?WIDTH ->
    {Elements, More} = each_of(lists:sublist(tuple_to_list(Tuple), ?WIDTH), Depth - 1, Values),
    {list_to_tuple(Elements ++ [more]), More};
canonical(Tuple, Depth, Values) when is_tuple(Tuple) ->
    {Elements, More} = each_of(tuple_to_list(Tuple), Depth - 1, Values),
    {list_to_tuple(Elements), More};
canonical([First | Rest] = List, Depth, Values) ->
    case iris_fuzz_shape:is_stack(List) of
        true -> {[{stack, stack, 0, []}], Values};
        false when is_integer(First) -> {[0], Values};
        false -> headed(canonical(First, Depth - 1, Values), Rest)
    end;
canonical(Map, _, Values) when is_map(Map) ->
    {maps:from_list([{Key, of_key(Key, Value)} || {Key, Value} <- maps:to_list(Map), is_atom(Key)]),
        Values};
canonical(Other, _, Values) ->
    {Other, Values}.

headed({First, Values}, []) -> {[First], Values};
headed({First, Values}, _) -> {[First, more], Values}.

of_key('__struct__', Struct) when is_atom(Struct) -> Struct;
of_key(_, _) -> 0.

each_of([], _, Values) ->
    {[], Values};
each_of([Element | Elements], Depth, Values) ->
    {First, More} = canonical(Element, Depth, Values),
    {Rest, All} = each_of(Elements, Depth, More),
    {[First | Rest], All}.

%%% The answer

%% Laid out for a client that takes it apart thirty thousand times a second: the number of inputs,
%% the two tables, the rows, and the values of all inputs in order. What is Last had no answer.
reply({Count, {Shapes, Coverages}, {Rows, Values}}, Last) ->
    {AllShapes, AllCoverages, Row} =
        case Last of
            [] -> {Shapes, Coverages, <<>>};
            [Outcome] ->
                {Shapes ++ [Outcome], Coverages ++ [<<>>],
                    <<(length(Shapes)):16, (length(Coverages)):16>>}
        end,
    Tables = term_to_binary({AllShapes, AllCoverages}),
    <<
        (Count + length(Last)):32,
        (byte_size(Tables)):32,
        Tables/binary,
        Rows/binary,
        Row/binary,
        Values/binary
    >>.
