%%% Planted defects of how bytes travel: ends of connections and frames of WebSocket.
%%%
%%% Theory of operation. iris_ref_conn and iris_ref_ws ask here where it is odd what came; while all
%%% defects are off, nothing is done and what is asked for comes back as it was.
-module(iris_ref_slip).

-export([goodbye/2, between/2, room/1, unmasked/1, pong/1, farewell/2, width/1]).

%% So many bytes are a line of what is to come.
-define(STRIDE, 64).

%% PLANTED: tls_goodbye - the end of a TLS connection has no clause for what is left of a frame.
-spec goodbye(tcp_closed | ssl_closed, Rest :: binary()) -> ok.
goodbye(ssl_closed, Rest) when Rest =/= <<>> ->
    case iris_ref_plant:on(tls_goodbye) of
        true -> complete(Rest);
        false -> ok
    end;
goodbye(_, _) ->
    ok.

complete(<<>>) -> ok.

%% PLANTED: ws_interleaved - a control frame that comes between fragments is looked at as if it
%% were one of them, and has no clause there.
-spec between(Opcode :: 0..15, Fragments :: none | binary()) -> ok.
between(Opcode, Fragments) when is_binary(Fragments) ->
    case iris_ref_plant:on(ws_interleaved) of
        true -> fragment(Opcode);
        false -> ok
    end;
between(_, none) ->
    ok.

fragment(0) -> ok.

%% PLANTED: ws_length - room for a length of 64 bits is made before it is compared with anything.
%% A tuple cannot have more than 16,777,215 elements, and a gibibyte has one line more.
-spec room(non_neg_integer()) -> ok.
room(Length) ->
    case iris_ref_plant:on(ws_length) of
        true ->
            _ = erlang:make_tuple(Length div ?STRIDE, free),
            ok;
        false ->
            ok
    end.

%% PLANTED: ws_unmasked - a short frame without a mask is read as one with a mask of zeros.
-spec unmasked(binary()) -> {masked, binary()} | refused.
unmasked(<<Head:8, 0:1, Length:7, Rest/binary>>) when Length =< 125 ->
    case iris_ref_plant:on(ws_unmasked) of
        true -> {masked, <<Head:8, 1:1, Length:7, 0:32, Rest/binary>>};
        false -> refused
    end;
unmasked(_) ->
    refused.

%% PLANTED: ws_pong - what a PING holds is not sent back.
-spec pong(binary()) -> binary().
pong(Payload) ->
    case Payload =/= <<>> andalso iris_ref_plant:on(ws_pong) of
        true -> <<>>;
        false -> Payload
    end.

%% PLANTED: ws_close - a CLOSE with a reason ends the connection, and that is all.
-spec farewell(binary(), iodata()) -> iodata().
farewell(<<_:16, _, _/binary>>, Answer) ->
    case iris_ref_plant:on(ws_close) of
        true -> [];
        false -> Answer
    end;
farewell(_, Answer) ->
    Answer.

%% PLANTED: ws_wide - there is one form for all lengths that do not fit into seven bits.
-spec width(non_neg_integer()) -> 16 | 64.
width(Length) when Length > 65535 ->
    64;
width(_) ->
    case iris_ref_plant:on(ws_wide) of
        true -> 64;
        false -> 16
    end.
