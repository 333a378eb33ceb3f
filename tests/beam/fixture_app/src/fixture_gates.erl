%%% Branches that constants decide about, and some that none does.
-module(fixture_gates).

-export([frame/1, chosen/2, keyed/1, named/1]).

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

%% Neither a number of more bits than any field has, nor an atom, nor a tuple's size.
named({one, two, 1.5}) -> atoms;
named(16#1FFFFFFFFFFFFFFFF) -> huge.
