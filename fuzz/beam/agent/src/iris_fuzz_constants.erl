%%% The constants that decide whether a branch is taken, as far as a client can say them. Pure.
%%%
%%% Told are numbers, and bytes. A binary pattern is told as the bytes that it asks for, as far as
%%% these follow one another: <<3, "GP", Length:16, Rest/binary>> as <<3, "GP">>, and once more with
%%% something in the place of what has a fixed size beside them: <<3, "GP", 0, 0>>. Atoms are what the
%%% code calls things and not what a client says, but in a module that makes atoms of text: there, one
%%% that is a whole pattern is a word.
%%%
%%% A branch has constants of its own: those of its pattern, its guard, and the expression that is
%%% looked at to choose between it and others. It has a context as well: what the body around it keeps
%%% in variables, a table of words, say; or, if it is a clause of a function, what that is called with,
%%% such as command(binary:split(Line, <<" ">>)).
-module(iris_fuzz_constants).

-export([of_clause/3, of_test/1, of_body/1, of_calls/1, makes_atoms/1]).
-export_type([constant/0]).

-type constant() :: integer() | binary().
-type form() :: erl_parse:abstract_form() | erl_parse:abstract_expr() | [form()].

%% What is longer is no word that a client says, and would only make cases large.
-define(MAX_BYTES, 64).
%% Numbers of more bits do not fit into any field.
-define(MAX_BITS, 64).
%% The functions of `erlang' that make atoms of what a client may have said.
-define(ATOMS, [
    binary_to_atom, binary_to_existing_atom, list_to_atom, list_to_existing_atom
]).
%% Atoms that answers are made of, wherever there are some.
-define(ANSWERS, ['_', error, false, infinity, none, ok, true, undefined]).
%% Forms that hold clauses: what is in these has a branch of its own.
-define(BRANCHING, ['case', 'if', 'receive', 'try', 'fun', named_fun, 'maybe']).

%% Of the patterns and the guards of a clause, atoms too if they are asked for.
-spec of_clause([form()], form(), boolean()) -> [constant()].
of_clause(Patterns, Guards, Atoms) ->
    Words = [Atom || Atoms, {atom, _, Atom} <- Patterns],
    lists:usort(lists:foldl(fun atom/2, found([Patterns, Guards], []), Words)).

%% Of an expression that is looked at to choose between clauses.
-spec of_test(form()) -> [constant()].
of_test(Test) ->
    lists:usort(found(Test, [])).

%% Of what a body keeps in variables.
-spec of_body(form()) -> [constant()].
of_body(Body) ->
    lists:usort(lists:foldl(fun kept/2, [], Body)).

kept({match, _, _, Value}, Found) ->
    case lists:member(element(1, Value), ?BRANCHING) of
        true -> Found;
        false -> found(Value, Found)
    end;
kept(_, Found) ->
    Found.

%% Of what a module hands to each of its own functions.
-spec of_calls(form()) -> #{{atom(), arity()} => [constant()]}.
of_calls(Forms) ->
    maps:map(fun(_, Constants) -> lists:usort(Constants) end, calls(Forms, #{})).

calls({call, _, {atom, _, Name}, Arguments}, Calls) ->
    Called = {Name, length(Arguments)},
    Found = found(Arguments, maps:get(Called, Calls, [])),
    calls(Arguments, Calls#{Called => Found});
calls(Form, Calls) ->
    lists:foldl(fun calls/2, Calls, parts(Form)).

%% Whether a module makes atoms of text.
-spec makes_atoms(form()) -> boolean().
makes_atoms({call, _, {atom, _, Name}, Arguments}) ->
    lists:member(Name, ?ATOMS) orelse makes_atoms(Arguments);
makes_atoms({call, _, {remote, _, {atom, _, erlang}, {atom, _, Name}}, Arguments}) ->
    lists:member(Name, ?ATOMS) orelse makes_atoms(Arguments);
makes_atoms(Form) ->
    lists:any(fun makes_atoms/1, parts(Form)).

found({integer, _, Number}, Found) ->
    number(Number, Found);
found({char, _, Character}, Found) ->
    number(Character, Found);
found({op, _, '-', {integer, _, Number}}, Found) ->
    number(-Number, Found);
found({string, _, Characters}, Found) ->
    bytes(unicode:characters_to_binary(Characters), Found);
found({bin, _, Elements}, Found) ->
    runs(Elements, <<>>, bytes(filled(Elements), Found));
%% Neither an index nor the name and the size of a record is asked for.
found({call, _, {atom, _, element}, [_, Tuple]}, Found) ->
    found(Tuple, Found);
found({call, _, {atom, _, is_record}, [Term | _]}, Found) ->
    found(Term, Found);
found({op, _, '!', _, _}, Found) ->
    Found;
%% What is called is no constant, and neither is what a field of a record is named.
found({call, _, _, Arguments}, Found) ->
    found(Arguments, Found);
found({record_field, _, _, Value}, Found) ->
    found(Value, Found);
found(Form, Found) ->
    lists:foldl(fun found/2, Found, parts(Form)).

%% What a form consists of: a list, or a tag and an annotation, and then its parts.
parts(Forms) when is_list(Forms) ->
    Forms;
parts(Form) when is_tuple(Form), tuple_size(Form) > 2 ->
    [_Tag, _Anno | Parts] = tuple_to_list(Form),
    Parts;
parts(_) ->
    [].

number(Number, Found) when Number < 1 bsl ?MAX_BITS, Number >= -(1 bsl (?MAX_BITS - 1)) ->
    [Number | Found];
number(_, Found) ->
    Found.

%% A list of characters that are none is no text.
bytes(Bytes, Found) when is_binary(Bytes), Bytes =/= <<>>, byte_size(Bytes) =< ?MAX_BYTES ->
    [Bytes | Found];
bytes(_, Found) ->
    Found.

atom(Atom, Found) ->
    case lists:member(Atom, ?ANSWERS) of
        true -> Found;
        false -> bytes(atom_to_binary(Atom), Found)
    end.

%% The elements of a binary that are constant and whole bytes, joined where nothing is between.
runs([], Run, Found) ->
    bytes(Run, Found);
runs([Element | Elements], Run, Found) ->
    case constant(Element) of
        none -> runs(Elements, <<>>, bytes(Run, Found));
        Bytes -> runs(Elements, <<Run/binary, Bytes/binary>>, Found)
    end.

%% A binary that is matched by a pattern from its start to where sizes are not fixed any more; nothing
%% where it has no constant, or none that is whole bytes.
filled(Elements) ->
    Parts = lists:takewhile(fun(Part) -> Part =/= none end, [part(One) || One <- Elements]),
    case lists:keymember(constant, 1, Parts) andalso lists:keymember(filling, 1, Parts) of
        true -> iolist_to_binary([Bytes || {_, Bytes} <- Parts]);
        false -> <<>>
    end.

part(Element) ->
    case constant(Element) of
        none -> filling(Element);
        Bytes -> {constant, Bytes}
    end.

%% Text is filled with letters, and numbers are zero.
filling({bin_element, _, {var, _, _}, {integer, _, Size}, [Type | _]}) when
    Type =:= binary orelse Type =:= bytes, Size =< ?MAX_BYTES
->
    {filling, binary:copy(<<"a">>, Size)};
filling({bin_element, _, {var, _, _}, Size, default}) ->
    zero(width(Size));
filling({bin_element, _, {var, _, _}, Size, [Type | _]}) when
    Type =:= integer; Type =:= signed; Type =:= unsigned; Type =:= big; Type =:= little
->
    zero(width(Size));
filling(_) ->
    none.

zero(Width) when Width > 0, Width rem 8 =:= 0, Width =< 8 * ?MAX_BYTES -> {filling, <<0:Width>>};
zero(_) -> none.

constant({bin_element, _, {string, _, Characters}, default, default}) ->
    list_to_binary([Character band 16#FF || Character <- Characters]);
constant({bin_element, _, {string, _, Characters}, default, [utf8]}) ->
    unicode:characters_to_binary(Characters);
constant({bin_element, _, {integer, _, Number}, Size, Types}) ->
    packed(Number, width(Size), Types);
constant({bin_element, _, {char, _, Number}, Size, Types}) ->
    packed(Number, width(Size), Types);
constant(_) ->
    none.

width(default) -> 8;
width({integer, _, Width}) -> Width;
width(_) -> 0.

%% Nobody asks for more than so many bytes, but the compiler lets them.
packed(_, Width, _) when Width =< 0; Width rem 8 =/= 0; Width > 8 * ?MAX_BYTES ->
    none;
packed(Number, Width, default) ->
    <<Number:Width>>;
packed(Number, Width, Types) when is_list(Types) ->
    case Types -- [integer, signed, unsigned, big, little] of
        [] -> ordered(Number, Width, lists:member(little, Types));
        _ -> none
    end.

ordered(Number, Width, true) -> <<Number:Width/little>>;
ordered(Number, Width, false) -> <<Number:Width>>.
