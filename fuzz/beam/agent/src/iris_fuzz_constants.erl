%%% The constants that decide whether a clause is taken: those of its patterns and its guards. Pure.
%%%
%%% What a client can put on the wire is told: numbers, and bytes. A binary pattern is told as the bytes
%%% that it asks for, as far as these follow one another: <<3, "GP", Length:16, Rest/binary>> as
%%% <<3, "GP">>. Atoms are left out: they are what the code calls things, and not what a client says.
-module(iris_fuzz_constants).

-export([of_clause/2, of_test/1]).
-export_type([constant/0]).

-type constant() :: integer() | binary().
-type part() :: erl_parse:abstract_expr() | [part()].

%% What is longer is no word that a client says, and would only make cases large.
-define(MAX_BYTES, 64).
%% Numbers of more bits do not fit into any field.
-define(MAX_BITS, 64).

%% Of the patterns and the guards of a clause.
-spec of_clause([part()], [[part()]]) -> [constant()].
of_clause(Patterns, Guards) ->
    lists:usort(found([Patterns, Guards], [])).

%% Of an expression that is looked at to choose between clauses: a comparison, if it is one.
-spec of_test(part()) -> [constant()].
of_test({op, _, _, _} = Test) -> lists:usort(found(Test, []));
of_test({op, _, _, _, _} = Test) -> lists:usort(found(Test, []));
of_test(_) -> [].

found({integer, _, Number}, Found) ->
    number(Number, Found);
found({char, _, Character}, Found) ->
    number(Character, Found);
found({op, _, '-', {integer, _, Number}}, Found) ->
    number(-Number, Found);
found({string, _, Characters}, Found) ->
    bytes(unicode:characters_to_binary(Characters), Found);
found({bin, _, Elements}, Found) ->
    runs(Elements, <<>>, Found);
%% What a record or a call is named is no constant, and a function that a guard calls is none.
found({call, _, _, Arguments}, Found) ->
    found(Arguments, Found);
found({record_field, _, _, Value}, Found) ->
    found(Value, Found);
found(Parts, Found) when is_list(Parts) ->
    lists:foldl(fun found/2, Found, Parts);
found(Form, Found) when is_tuple(Form), tuple_size(Form) > 2 ->
    [_Tag, _Anno | Parts] = tuple_to_list(Form),
    found(Parts, Found);
found(_, Found) ->
    Found.

number(Number, Found) when Number < 1 bsl ?MAX_BITS, Number >= -(1 bsl (?MAX_BITS - 1)) ->
    [Number | Found];
number(_, Found) ->
    Found.

bytes(Bytes, Found) when is_binary(Bytes), Bytes =/= <<>>, byte_size(Bytes) =< ?MAX_BYTES ->
    [Bytes | Found];
bytes(_, Found) ->
    Found.

%% The elements of a binary pattern that are constant and whole bytes, joined where nothing is between.
runs([], Run, Found) ->
    bytes(Run, Found);
runs([Element | Elements], Run, Found) ->
    case constant(Element) of
        none -> runs(Elements, <<>>, bytes(Run, Found));
        Bytes -> runs(Elements, <<Run/binary, Bytes/binary>>, Found)
    end.

constant({bin_element, _, {string, _, Characters}, default, default}) ->
    list_to_binary([Character band 16#FF || Character <- Characters]);
constant({bin_element, _, {integer, _, Number}, Size, Types}) ->
    packed(Number, width(Size), Types);
constant({bin_element, _, {char, _, Number}, Size, Types}) ->
    packed(Number, width(Size), Types);
constant(_) ->
    none.

width(default) -> 8;
width({integer, _, Width}) -> Width;
width(_) -> 0.

packed(Number, Width, default) when Width > 0, Width rem 8 =:= 0 ->
    <<Number:Width>>;
packed(Number, Width, Types) when is_list(Types), Width > 0, Width rem 8 =:= 0 ->
    case Types -- [integer, signed, unsigned, big, little] of
        [] -> ordered(Number, Width, lists:member(little, Types));
        _ -> none
    end;
packed(_, _, _) ->
    none.

ordered(Number, Width, true) -> <<Number:Width/little>>;
ordered(Number, Width, false) -> <<Number:Width>>.
