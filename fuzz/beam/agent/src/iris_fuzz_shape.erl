%%% The shape of a term as text: what one defect has in common each time it strikes.
%%%
%%% Atoms and the structure of tuples stay; whatever varies with the input (binaries, strings,
%%% numbers, pids, references, funs, values in maps) is a placeholder.
-module(iris_fuzz_shape).

-export([text/1, split/1, is_stack/1, frames/1]).

%% Deeper and wider than this, reasons differ by their data and not by their cause.
-define(DEPTH, 5).
-define(WIDTH, 8).

%% A reason longer than this says no more.
-define(MAX_TEXT, 512).

%% Frames below these are those of the behaviour that called.
-define(MAX_FRAMES, 8).

-spec text(term()) -> binary().
text(Term) ->
    Text = unicode:characters_to_binary(shape(Term, ?DEPTH)),
    iris_fuzz_report:cut(Text, ?MAX_TEXT).

shape(_, 0) ->
    "...";
shape(Atom, _) when is_atom(Atom) -> io_lib:format("~tp", [Atom]);
shape(Number, _) when is_number(Number) -> "<number>";
shape(Binary, _) when is_bitstring(Binary) -> "<binary>";
shape(Pid, _) when is_pid(Pid) -> "<pid>";
shape(Port, _) when is_port(Port) -> "<port>";
shape(Reference, _) when is_reference(Reference) -> "<reference>";
shape(Fun, _) when is_function(Fun) -> "<fun>";
shape(Map, _) when is_map(Map) -> map(Map);
shape([], _) ->
    "[]";
shape([_ | _] = List, Depth) ->
    list(List, Depth);
shape(Tuple, Depth) when is_tuple(Tuple) ->
    {Shown, Rest} = wide(tuple_to_list(Tuple)),
    [${, lists:join($,, [shape(Element, Depth - 1) || Element <- Shown]), Rest, $}].

%% The length of a list is data; what its first element looks like is not.
list([First | Rest] = List, Depth) ->
    case is_stack(List) of
        true -> "<stack>";
        false when is_integer(First) -> "<list>";
        false when Rest =:= [] -> [$[, shape(First, Depth - 1), $]];
        false -> [$[, shape(First, Depth - 1), "|...]"]
    end.

map(#{'__struct__' := Struct}) when is_atom(Struct) ->
    io_lib:format("#<~ts>", [Struct]);
map(Map) ->
    Keys = [io_lib:format("~tp", [Key]) || Key <- lists:sort(maps:keys(Map)), is_atom(Key)],
    {Shown, Rest} = wide(Keys),
    ["#{", lists:join($,, Shown), Rest, $}].

wide(Elements) when length(Elements) =< ?WIDTH -> {Elements, ""};
wide(Elements) -> {lists:sublist(Elements, ?WIDTH), ",..."}.

%% Exit reasons of behaviours carry the stack beside the reason proper. Whoever exits may say
%% anything there, so what is no frame is left out.
-spec split(term()) -> {term(), [tuple()]}.
split({Reason, Stack} = Term) ->
    case is_stack(Stack) of
        true -> {Reason, only_frames(Stack)};
        false -> {Term, []}
    end;
split(Term) ->
    {Term, []}.

-spec is_stack(term()) -> boolean().
is_stack([Frame | _]) -> is_frame(Frame);
is_stack(_) -> false.

is_frame({Module, Function, Arity, Location}) when is_integer(Arity), Arity >= 0 ->
    is_atom(Module) andalso is_atom(Function) andalso is_list(Location);
is_frame({Module, Function, Arguments, Location}) when length(Arguments) >= 0 ->
    is_atom(Module) andalso is_atom(Function) andalso is_list(Location);
is_frame(_) ->
    false.

only_frames([Frame | Stack]) ->
    case is_frame(Frame) of
        true -> [Frame | only_frames(Stack)];
        false -> only_frames(Stack)
    end;
only_frames(_) ->
    [].

-spec frames(term()) -> [{binary(), binary(), non_neg_integer()}].
frames(Stack) ->
    [frame(Frame) || Frame <- lists:sublist(only_frames(Stack), ?MAX_FRAMES)].

frame({Module, Function, Arguments, Location}) when is_list(Arguments) ->
    frame({Module, Function, length(Arguments), Location});
frame({Module, Function, Arity, _}) ->
    {atom_to_binary(Module), atom_to_binary(Function), Arity}.
