%%% WebSocket, the server's side of RFC 6455, sans-IO.
%%%
%%% Theory of operation. `handshake/1' judges the HTTP request, `decode/2' turns bytes into
%%% events: a binary message (its fragments joined), bytes to send back (a pong), or bytes to
%%% send before the connection ends (a close frame with the reason's code). Both are total. A
%%% client must mask its frames and may send binary messages only; a message is no larger
%%% than the buffer of a raw connection, fragmented or not.
-module(iris_ref_ws).

-include("iris_ref.hrl").

-export([new/0, handshake/1, decode/2, encode/1, close/1, is_partial/1]).
-export_type([state/0, event/0]).

-record(ws, {
    buffer = <<>> :: binary(),
    fragments = none :: none | binary()
}).

-opaque state() :: #ws{}.
-type event() :: {message, binary()} | {reply, iodata()} | {close, iodata()}.

%% A request of a browser has about 500 bytes.
-define(MAX_REQUEST, 8192).
-define(MAX_CONTROL, 125).
-define(GUID, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").

-define(CONTINUATION, 0).
-define(TEXT, 1).
-define(BINARY, 2).
-define(CLOSE, 8).
-define(PING, 9).
-define(PONG, 10).

-define(PROTOCOL_ERROR, 1002).
-define(UNACCEPTABLE, 1003).
-define(TOO_LARGE, 1009).

-spec new() -> state().
new() -> #ws{}.

%% Whether a frame or a message has begun and not ended.
-spec is_partial(state()) -> boolean().
is_partial(#ws{buffer = Buffer, fragments = Fragments}) ->
    Buffer =/= <<>> orelse Fragments =/= none.

%% The answer to an upgrade request, and the bytes behind the request.
-spec handshake(binary()) -> more | {ok, iodata(), Rest :: binary()} | {refused, iodata()}.
handshake(Bytes) ->
    case erlang:decode_packet(http_bin, Bytes, []) of
        {ok, {http_request, 'GET', _, {1, 1}}, Rest} -> headers(Rest, #{}, byte_size(Bytes));
        {more, _} when byte_size(Bytes) =< ?MAX_REQUEST -> more;
        _ -> bad_request()
    end.

headers(Bytes, Headers, Size) ->
    case erlang:decode_packet(httph_bin, Bytes, []) of
        {ok, {http_header, _, _, Name, Value}, Rest} ->
            headers(Rest, Headers#{lower(Name) => Value}, Size);
        {ok, http_eoh, Rest} when Size - byte_size(Rest) =< ?MAX_REQUEST ->
            upgrade(Headers, Rest);
        {more, _} when Size =< ?MAX_REQUEST ->
            more;
        _ ->
            bad_request()
    end.

upgrade(#{<<"sec-websocket-version">> := Version}, _) when Version =/= <<"13">> ->
    {refused, response("426 Upgrade Required", ["Sec-WebSocket-Version: 13\r\n"])};
upgrade(
    #{
        <<"host">> := _,
        <<"upgrade">> := Upgrade,
        <<"connection">> := Connection,
        <<"sec-websocket-key">> := Key,
        <<"sec-websocket-version">> := _
    },
    Rest
) when byte_size(Key) =:= 24 ->
    case has_token(<<"websocket">>, Upgrade) andalso has_token(<<"upgrade">>, Connection) of
        true -> {ok, switching(Key), Rest};
        false -> bad_request()
    end;
upgrade(_, _) ->
    bad_request().

has_token(Token, Value) ->
    lists:member(Token, binary:split(lower(Value), [<<",">>, <<" ">>, <<"\t">>], [global])).

%% Lower case of ASCII; the bytes need not be UTF-8.
lower(Text) -> <<<<(lower_char(C))>> || <<C>> <= Text>>.

lower_char(C) when C >= $A, C =< $Z -> C + 32;
lower_char(C) -> C.

switching(Key) ->
    Accept = base64:encode(crypto:hash(sha, [Key, ?GUID])),
    [
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        Accept,
        "\r\n\r\n"
    ].

bad_request() -> {refused, response("400 Bad Request", [])}.

response(Status, Headers) ->
    ["HTTP/1.1 ", Status, "\r\nConnection: close\r\nContent-Length: 0\r\n", Headers, "\r\n"].

%% A binary message of the server: one unmasked frame.
-spec encode(iodata()) -> iodata().
encode(Message) -> frame(?BINARY, Message).

%% A close frame with a code.
-spec close(1000..4999) -> iodata().
close(Code) -> frame(?CLOSE, <<Code:16>>).

frame(Opcode, Payload) ->
    [<<1:1, 0:3, Opcode:4>>, frame_length(iolist_size(Payload)), Payload].

frame_length(N) when N =< ?MAX_CONTROL -> <<0:1, N:7>>;
frame_length(N) ->
    case iris_ref_slip:width(N) of
        16 -> <<0:1, 126:7, N:16>>;
        64 -> <<0:1, 127:7, N:64>>
    end.

%% The events in the bytes of a client. Nothing is read behind an event that closes.
-spec decode(binary(), state()) -> {[event()], state()}.
decode(Bytes, #ws{buffer = Buffer} = Ws) ->
    decode(<<Buffer/binary, Bytes/binary>>, Ws#ws{buffer = <<>>}, []).

decode(Bytes, Ws, Events) ->
    case cut(Bytes) of
        {frame, Fin, Opcode, Payload, Rest} ->
            {Event, Ws1} = take(Opcode, Fin, Payload, Ws),
            next(Event, Rest, Ws1, Events);
        more ->
            {lists:reverse(Events), Ws#ws{buffer = Bytes}};
        {error, Code} ->
            next({close, close(Code)}, <<>>, Ws, Events)
    end.

next(none, Rest, Ws, Events) -> decode(Rest, Ws, Events);
next({close, _} = Event, _, Ws, Events) -> {lists:reverse([Event | Events]), Ws};
next(Event, Rest, Ws, Events) -> decode(Rest, Ws, [Event | Events]).

%% One frame off the front, unmasked.
cut(<<_:1, Rsv:3, _:4, _/binary>>) when Rsv =/= 0 ->
    {error, ?PROTOCOL_ERROR};
cut(<<_:4, Opcode:4, _/binary>>) when Opcode > ?BINARY, Opcode < ?CLOSE; Opcode > ?PONG ->
    {error, ?PROTOCOL_ERROR};
cut(<<_:8, 0:1, _:7, _/binary>> = Bytes) ->
    case iris_ref_slip:unmasked(Bytes) of
        {masked, Masked} -> cut(Masked);
        refused -> {error, ?PROTOCOL_ERROR}
    end;
cut(<<Fin:1, _:3, Opcode:4, 1:1, Length:7, _/binary>>) when
    Opcode >= ?CLOSE, (Fin =:= 0 orelse Length > ?MAX_CONTROL)
->
    %% PLANTED: ws_listener - a control frame that is a fragment, or longer than 125 bytes, is
    %% handed to the process that all WebSocket connections are linked to. It has no clause for
    %% such a frame, and they end with it; clients of raw TCP do not notice.
    _ = iris_ref_plant:on(ws_listener) andalso iris_ref_ws_hub:control(Fin, Length),
    {error, ?PROTOCOL_ERROR};
cut(<<Fin:1, _:3, Opcode:4, 1:1, 126:7, Length:16, Rest/binary>>) when Length > ?MAX_CONTROL ->
    payload(Fin, Opcode, Length, Rest);
cut(<<_:9, 126:7, _:16, _/binary>>) ->
    {error, ?PROTOCOL_ERROR};
cut(<<Fin:1, _:3, Opcode:4, 1:1, 127:7, Length:64, Rest/binary>>) when Length > 65535 ->
    ok = iris_ref_slip:room(Length),
    payload(Fin, Opcode, Length, Rest);
cut(<<_:9, 127:7, _:64, _/binary>>) ->
    {error, ?PROTOCOL_ERROR};
cut(<<Fin:1, _:3, Opcode:4, 1:1, Length:7, Rest/binary>>) when Length =< ?MAX_CONTROL ->
    payload(Fin, Opcode, Length, Rest);
cut(_) ->
    more.

payload(_, _, Length, _) when Length > ?MAX_BUFFER ->
    {error, ?TOO_LARGE};
payload(Fin, Opcode, Length, Bytes) ->
    case Bytes of
        <<Key:4/binary, Masked:Length/binary, Rest/binary>> ->
            {frame, Fin, Opcode, unmask(Key, Masked), Rest};
        _ ->
            more
    end.

unmask(Key, Masked) ->
    Size = byte_size(Masked),
    Stream = binary:copy(Key, Size div 4 + 1),
    crypto:exor(Masked, binary:part(Stream, 0, Size)).

take(Opcode, _, Payload, #ws{fragments = Fragments} = Ws) when Opcode >= ?CLOSE ->
    ok = iris_ref_slip:between(Opcode, Fragments),
    {control(Opcode, Payload), Ws};
take(?TEXT, _, _, Ws) ->
    {{close, close(?UNACCEPTABLE)}, Ws};
take(?BINARY, 1, Payload, #ws{fragments = none} = Ws) ->
    {{message, Payload}, Ws};
take(?BINARY, 0, Payload, #ws{fragments = none} = Ws) ->
    {none, Ws#ws{fragments = Payload}};
take(?CONTINUATION, Fin, Payload, #ws{fragments = Before} = Ws) when is_binary(Before) ->
    case <<Before/binary, Payload/binary>> of
        Message when byte_size(Message) > ?MAX_BUFFER -> {{close, close(?TOO_LARGE)}, Ws};
        Message when Fin =:= 1 -> {{message, Message}, Ws#ws{fragments = none}};
        Message -> {none, Ws#ws{fragments = Message}}
    end;
take(_, _, _, Ws) ->
    {{close, close(?PROTOCOL_ERROR)}, Ws}.

control(?PING, Payload) -> {reply, frame(?PONG, iris_ref_slip:pong(Payload))};
control(?PONG, _) -> none;
control(?CLOSE, Payload) -> {close, iris_ref_slip:farewell(Payload, closing(Payload))}.

%% The answer to a close frame: the same code, if it is one that may be sent.
closing(<<>>) ->
    frame(?CLOSE, <<>>);
closing(<<Code:16, Reason/binary>>) when
    Code >= 1000, Code =< 1003; Code >= 1007, Code =< 1014; Code >= 3000, Code =< 4999
->
    case unicode:characters_to_list(Reason) of
        Text when is_list(Text) -> close(Code);
        _ -> close(?PROTOCOL_ERROR)
    end;
closing(_) ->
    close(?PROTOCOL_ERROR).
