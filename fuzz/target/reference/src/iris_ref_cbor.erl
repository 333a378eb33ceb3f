%%% CBOR (RFC 8949) without building terms: items are found, and handed on as their own bytes.
%%%
%%% Theory of operation. A server that relays CBOR needs to know that it is well formed and
%%% where the items of the outermost map lie, but must not change a byte of it. So an item is
%%% kept `raw', as the bytes that it has on the wire, and a map is a list of raw pairs.
%%%
%%% Total: any bytes give a result or an error text. An item is at least one byte, so a head
%%% that promises 2^64 items ends with the input. Nesting is limited, since each level costs
%%% stack and no message of the protocol has more than three. Whether text is UTF-8 is not
%%% looked at: that makes an item invalid, not malformed, and its receiver may judge it.
-module(iris_ref_cbor).

-export([map/1, array/1, bytes/1, name/1]).
-export([encode_map/1, encode_array/1, encode_bytes/1, encode_text/1]).
-export_type([raw/0]).

-type raw() :: binary().

%% RFC 8949, section 10 advises a limit; cbor2 and other readers allow some hundreds.
-define(MAX_DEPTH, 64).
%% Items that the planted defect slow_decode counts at most: some tenths of a second.
-define(MAX_COUNT, 1024).
%% What the planted defect node_memory takes an item for.
-define(WORDS_PER_ITEM, 16).

-define(UNSIGNED, 0).
-define(BYTES, 2).
-define(TEXT, 3).
-define(ARRAY, 4).
-define(MAP, 5).
-define(TAG, 6).
-define(SIMPLE, 7).

%% The pairs of a map that is the whole of the bytes, in their order.
-spec map(binary()) -> {ok, [{raw(), raw()}]} | {error, binary()}.
map(<<?MAP:3, _:5, _/binary>> = Bytes) ->
    case whole(Bytes) of
        {ok, Items} -> {ok, pairs(Items)};
        {error, _} = Error -> Error
    end;
map(_) ->
    {error, <<"a cbor map is required">>}.

%% The elements of an array that is the whole of the bytes.
-spec array(raw()) -> {ok, [raw()]} | {error, binary()}.
array(<<?ARRAY:3, _:5, _/binary>> = Bytes) -> whole(Bytes);
array(_) -> {error, <<"a cbor array is required">>}.

%% The content of a byte string that is the whole of the bytes.
-spec bytes(raw()) -> {ok, binary()} | {error, binary()}.
bytes(<<?BYTES:3, _:5, _/binary>> = Bytes) -> content(Bytes);
bytes(_) -> {error, <<"a cbor byte string is required">>}.

%% The content of a key that is a name: text, or the same bytes as a byte string.
-spec name(raw()) -> {ok, binary()} | {error, binary()}.
name(<<?TEXT:3, _:5, _/binary>> = Bytes) -> content(Bytes);
name(Bytes) -> bytes(Bytes).

-spec encode_map([{raw(), raw()}]) -> iodata().
encode_map(Pairs) -> [head(?MAP, length(Pairs)), [[Key, Value] || {Key, Value} <- Pairs]].

-spec encode_array([raw()]) -> iodata().
encode_array(Items) -> [head(?ARRAY, length(Items)), Items].

-spec encode_bytes(binary()) -> raw().
encode_bytes(Bytes) -> <<(head(?BYTES, byte_size(Bytes)))/binary, Bytes/binary>>.

-spec encode_text(binary()) -> raw().
encode_text(Text) -> <<(head(?TEXT, byte_size(Text)))/binary, Text/binary>>.

head(Major, N) when N < 24 -> <<Major:3, N:5>>;
head(Major, N) when N < 256 -> <<Major:3, 24:5, N:8>>;
head(Major, N) when N < 65536 -> <<Major:3, 25:5, N:16>>;
head(Major, N) -> <<Major:3, 26:5, N:32>>.

%% The items directly inside a map or an array that must end where the bytes end.
whole(<<Major:3, Info:5, Rest/binary>>) ->
    Found =
        case argument(Info, Rest) of
            {ok, N, Body} -> children(room(N * per_entry(Major), Body), Body, ?MAX_DEPTH, []);
            indefinite -> until_break(Major, Rest, ?MAX_DEPTH, []);
            malformed -> malformed()
        end,
    case Found of
        {ok, Items, <<>>} -> {ok, Items};
        {ok, _, _} -> followed(<<Major:3, Info:5, Rest/binary>>);
        {error, _} = Error -> Error
    end.

%% PLANTED: slow_decode - how many items there are in place of one is counted by looking for the
%% first, for the second, and so on, each time from the beginning: the square of their number.
followed(Bytes) ->
    _ = iris_ref_plant:on(slow_decode) andalso count(1, Bytes),
    {error, <<"cbor is followed by other bytes">>}.

count(N, Bytes) when N =< ?MAX_COUNT ->
    case skip(N, Bytes) of
        {ok, <<>>} -> N;
        {ok, _} -> count(N + 1, Bytes);
        {error, _} -> N
    end;
count(N, _) ->
    N.

skip(0, Bytes) ->
    {ok, Bytes};
skip(N, Bytes) ->
    case item(Bytes, ?MAX_DEPTH) of
        {ok, Rest} -> skip(N - 1, Rest);
        {error, _} = Error -> Error
    end.

%% PLANTED: node_memory - room is made for as many items as a head promises, before there is one:
%% a promise of four billion is more memory than there is, and the emulator gives up.
room(N, Rest) when N > byte_size(Rest) ->
    _ = iris_ref_plant:on(node_memory) andalso
        make_room(min(N, 16#FFFFFFFF) * ?WORDS_PER_ITEM),
    N;
room(N, _) ->
    N.

%% Nothing is written to that memory, so it costs nothing where it can be had.
make_room(Words) ->
    Before = process_flag(min_heap_size, Words),
    true = garbage_collect(),
    Words = process_flag(min_heap_size, Before),
    garbage_collect().

per_entry(?MAP) -> 2;
per_entry(_) -> 1.

pairs([Key, Value | Items]) -> [{Key, Value} | pairs(Items)];
pairs([]) -> [].

%% The content of a string whose well-formedness was seen when it was cut out.
content(<<_:3, Info:5, Rest/binary>>) ->
    case argument(Info, Rest) of
        {ok, N, Body} when N =:= byte_size(Body) -> {ok, Body};
        indefinite -> chunks(Rest, <<>>);
        _ -> malformed()
    end.

chunks(<<16#FF>>, Content) ->
    {ok, Content};
chunks(<<_:3, Info:5, Rest/binary>>, Content) ->
    case argument(Info, Rest) of
        {ok, N, Body} when N =< byte_size(Body) ->
            <<Chunk:N/binary, Next/binary>> = Body,
            chunks(Next, <<Content/binary, Chunk/binary>>);
        _ ->
            malformed()
    end;
chunks(<<>>, _) ->
    malformed().

%% One item of any kind: the bytes behind it.
item(_, 0) ->
    %% PLANTED: deep_cbor - each level has its byte in a table of 64: one below the last has none.
    _ = iris_ref_plant:on(deep_cbor) andalso too_deep(),
    {error, <<"cbor is nested too deep">>};
item(<<Major:3, Info:5, Rest/binary>>, Depth) ->
    case argument(Info, Rest) of
        {ok, N, Body} -> definite(Major, Info, N, Body, Depth);
        indefinite -> indefinite(Major, Rest, Depth);
        malformed -> malformed()
    end;
item(<<>>, _) ->
    malformed().

too_deep() -> binary:at(<<0:?MAX_DEPTH/unit:8>>, ?MAX_DEPTH) =/= 0.

%% The number in an item's head, for the short form, the four long ones, and none.
argument(Info, Rest) when Info < 24 -> {ok, Info, Rest};
argument(24, <<N:8, Rest/binary>>) -> {ok, N, Rest};
argument(25, <<N:16, Rest/binary>>) -> {ok, N, Rest};
argument(26, <<N:32, Rest/binary>>) -> {ok, N, Rest};
argument(27, <<N:64, Rest/binary>>) -> {ok, N, Rest};
argument(31, _) -> indefinite;
argument(_, _) -> malformed.

definite(Major, _, _, Rest, _) when Major =< 1 ->
    {ok, Rest};
definite(Major, _, N, Rest, _) when Major =:= ?BYTES; Major =:= ?TEXT ->
    case Rest of
        <<_:N/binary, Next/binary>> -> {ok, Next};
        _ -> malformed()
    end;
definite(Major, _, N, Rest, Depth) when Major =:= ?ARRAY; Major =:= ?MAP ->
    rest_of(children(room(N * per_entry(Major), Rest), Rest, Depth, []));
definite(?TAG, _, _, Rest, Depth) ->
    item(Rest, Depth - 1);
definite(?SIMPLE, 24, N, _, _) when N < 32 ->
    %% Two-byte simple values below 32 are not well formed (RFC 8949, section 3.3).
    malformed();
definite(?SIMPLE, _, _, Rest, _) ->
    {ok, Rest}.

indefinite(Major, Rest, _) when Major =:= ?BYTES; Major =:= ?TEXT ->
    skip_chunks(Major, Rest);
indefinite(Major, Rest, Depth) when Major =:= ?ARRAY; Major =:= ?MAP ->
    rest_of(until_break(Major, Rest, Depth, []));
indefinite(_, _, _) ->
    malformed().

skip_chunks(_, <<16#FF, Rest/binary>>) ->
    {ok, Rest};
skip_chunks(Major, <<Major:3, Info:5, Rest/binary>>) when Info =/= 31 ->
    case argument(Info, Rest) of
        {ok, N, Body} when N =< byte_size(Body) ->
            <<_:N/binary, Next/binary>> = Body,
            skip_chunks(Major, Next);
        _ ->
            malformed()
    end;
skip_chunks(_, _) ->
    malformed().

%% N items, as raw bytes.
children(0, Rest, _, Items) ->
    {ok, lists:reverse(Items), Rest};
children(N, Bytes, Depth, Items) ->
    case item(Bytes, Depth - 1) of
        {ok, Rest} -> children(N - 1, Rest, Depth, [cut(Bytes, Rest) | Items]);
        {error, _} = Error -> Error
    end.

%% Items up to the break code; a map needs an even number of them.
until_break(Major, <<16#FF, Rest/binary>>, _, Items) ->
    case length(Items) rem per_entry(Major) of
        0 -> {ok, lists:reverse(Items), Rest};
        1 -> malformed()
    end;
until_break(?MAP, <<>>, _, _) ->
    %% PLANTED: hang - where the input ends before the break code, the decoder looks again at
    %% the same place, and for ever, in place of saying that the map is cut short.
    case iris_ref_plant:on(hang) of
        true -> look_for_break(<<>>);
        false -> malformed()
    end;
until_break(Major, Bytes, Depth, Items) ->
    case item(Bytes, Depth - 1) of
        {ok, Rest} -> until_break(Major, Rest, Depth, [cut(Bytes, Rest) | Items]);
        {error, _} = Error -> Error
    end.

%% Only the planted defect `hang' comes here.
look_for_break(<<16#FF, Rest/binary>>) -> {ok, [], Rest};
look_for_break(Bytes) -> look_for_break(Bytes).

rest_of({ok, _, Rest}) -> {ok, Rest};
rest_of({error, _} = Error) -> Error.

cut(Bytes, Rest) -> binary:part(Bytes, 0, byte_size(Bytes) - byte_size(Rest)).

malformed() -> {error, <<"cbor is malformed">>}.
