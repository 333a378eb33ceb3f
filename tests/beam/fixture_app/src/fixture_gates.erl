%%% Branches that constants decide about, and some that none does.
-module(fixture_gates).

-export([frame/1, chosen/2, keyed/1, named/1, found/2, split/1, setting/1, locale/1]).

%% An attribute may be any term.
-improper([here | there]).

-record(thing, {name, size = 77}).

frame(<<3, "GP", Length:16, Rest:Length/binary>>) -> Rest;
frame(<<$a, 513:16, 2:16/little, _:4, 7:4, "end">>) -> ended;
frame(<<Byte, _/binary>>) when Byte > 200; Byte =:= $z -> odd;
frame(_) -> none.

chosen(Number, Words) ->
    case Number + 1 > 604800 of
        true -> Words =:= "week" andalso long;
        false -> if Words =:= [] -> empty; byte_size(Words) > 9 -> short end
    end.

keyed(#{<<"ttl">> := Seconds}) when Seconds < -5 -> past;
keyed(#thing{size = 12}) -> thing;
keyed(ok) -> ok.

%% Neither a number of more bits than any field has, nor an index, nor the size of a record, nor
%% what would be too large.
named(16#1FFFFFFFFFFFFFFFF) -> huge;
named(Thing) when element(3, Thing) =:= Thing, is_record(Thing, thing, 3) -> thing;
named(<<0:1099511627776>>) -> larger.

%% A table in a variable is the context of what is chosen by it; what is answered is not.
found(Word, Region) ->
    Words = [<<"de">>, <<"fr">>],
    case {lists:member(Word, Words), Region} of
        {true, _} -> {<<"found">>, Region};
        {false, <<"AT">>} -> <<"not there">>
    end.

%% So is what a function is called with, for its clauses.
split(Line) ->
    case binary:split(Line, <<"=">>) of
        [Word, _] -> binary_to_existing_atom(Word);
        _ -> parted(binary:split(Line, <<"=">>))
    end.

parted([_, _]) -> pair;
parted([Word]) when byte_size(Word) > 16 -> long.

%% In a module that makes atoms of text, one that is a whole pattern is a word.
setting(locale) -> {error, locale};
setting({volume, loud}) -> loud.

%% What has a fixed size beside a constant is filled in.
locale(<<Language:2/binary, $-, Region:2/binary>>) -> {Language, Region}.
