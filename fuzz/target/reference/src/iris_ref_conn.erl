%%% One connection: the bytes of one client, over TCP or TLS, plain or as a WebSocket.
%%%
%%% Theory of operation. States: `handover' (the acceptor still owns the socket), `handshake'
%%% (WebSocket only), `connected', `logged_in', and `draining'. The socket is {active, once}:
%%% the next bytes are asked for when the last ones are dealt with and the replies are with
%%% the kernel, so a client that sends without reading stops itself. One {tcp, _, Data} is one
%%% segment (or record of TLS), which ends a LOGIN and an ACK; what is left of it is the buffer, never more than
%%% one incomplete frame, and not for longer than incomplete_ms. A binary message of a WebSocket
%%% is a segment too, and cannot be continued by the next.
%%%
%%% A frame that cannot be cut off ends the connection, since nothing behind it can be trusted;
%%% a frame that can be is answered with an error at worst. To end a connection is to send
%%% the reason, to close the sending half, and to read on for a moment (`draining'): closing a
%%% socket with unread bytes would reset it and take the reason from the client.
%%%
%%% A client that closes its sending half has all it sent processed, gets the replies, and is
%%% closed then. Over TLS there is no such half (see iris_ref_socket).
%%%
%%% A client that cannot be sent to is gone. What this connection has accepted by then, from it or
%%% for it, is seen to all the same: it ends with the state of that moment, not with an earlier one,
%%% and terminate/3 stores and unlists what is in it.
-module(iris_ref_conn).

-behaviour(gen_statem).

-include("iris_ref.hrl").

-export([start_link/2]).
-export([init/1, callback_mode/0, terminate/3]).
-export([handover/3, handshake/3, connected/3, logged_in/3, draining/3]).

-record(conn, {
    transport :: tcp | ws,
    socket :: iris_ref_socket:socket(),
    buffer = <<>> :: binary(),
    ws = iris_ref_ws:new() :: iris_ref_ws:state(),
    session = iris_ref_session:new() :: iris_ref_session:session(),
    %% Frames for the client that are not sent yet, the newest first, and their size.
    out = [] :: [iodata()],
    out_size = 0 :: non_neg_integer(),
    %% Whether a frame was dealt with since the time for an incomplete one was set.
    progress = false :: boolean(),
    scanning = false :: boolean()
}).

%% The acceptor hands the socket over at once, or it has died.
-define(HANDOVER_MS, 5000).
%% How long a client may take to read why it is cut off.
-define(DRAIN_MS, 2000).
%% Replies are sent when there are so many of them, also in the middle of a segment: a segment
%% of small requests can ask for a thousand times its size.
-define(MAX_OUT, 65536).

-spec start_link(tcp | ws, iris_ref_socket:socket()) -> gen_statem:start_ret().
start_link(Transport, Socket) ->
    gen_statem:start_link(?MODULE, {Transport, Socket}, []).

-spec callback_mode() -> gen_statem:callback_mode_result().
callback_mode() ->
    state_functions.

-spec init({tcp | ws, iris_ref_socket:socket()}) -> gen_statem:init_result(handover).
init({Transport, Socket}) ->
    %% So that terminate/3 is called, and stores the client's mail, when the server stops.
    _ = process_flag(trap_exit, true),
    Conn = #conn{transport = Transport, socket = Socket},
    {ok, handover, Conn, [{state_timeout, ?HANDOVER_MS, expired}]}.

-spec handover(gen_statem:event_type(), term(), #conn{}) ->
    gen_statem:event_handler_result(atom()).
handover(info, {socket_is_yours, Socket}, #conn{socket = Socket} = Conn) ->
    case iris_ref_socket:secure(Socket) of
        {ok, Secured} -> begin_with(Conn#conn{socket = Secured});
        {error, _} -> {stop, normal, Conn}
    end;
handover(info, {socket_is_gone, Socket}, #conn{socket = Socket} = Conn) ->
    {stop, normal, Conn};
handover(Type, Event, Conn) ->
    other(Type, Event, Conn).

begin_with(#conn{transport = ws} = Conn) ->
    {ok, Patience} = application:get_env(iris_ref, incomplete_ms),
    listen_again(handshake, Conn, [{state_timeout, Patience, expired}]);
begin_with(#conn{transport = tcp} = Conn) ->
    listen_again(connected, Conn, []).

-spec handshake(gen_statem:event_type(), term(), #conn{}) ->
    gen_statem:event_handler_result(atom()).
handshake(info, {Tag, Socket, Data}, #conn{socket = {Tag, Socket}, buffer = Buffer} = Conn) ->
    Bytes = <<Buffer/binary, Data/binary>>,
    case iris_ref_ws:handshake(Bytes) of
        more ->
            listen_again(handshake, Conn#conn{buffer = Bytes}, []);
        {ok, Response, Rest} ->
            ok = iris_ref_ws_hub:join(),
            sent(received(Rest, queue(Response, Conn#conn{buffer = <<>>})), Conn);
        {refused, Response} ->
            sent({close, queue(Response, Conn)}, Conn)
    end;
handshake(Type, Event, Conn) ->
    other(Type, Event, Conn).

-spec connected(gen_statem:event_type(), term(), #conn{}) ->
    gen_statem:event_handler_result(atom()).
connected(Type, Event, Conn) ->
    open(Type, Event, Conn).

-spec logged_in(gen_statem:event_type(), term(), #conn{}) ->
    gen_statem:event_handler_result(atom()).
logged_in({timeout, ack_scan}, scan, #conn{session = Session} = Conn) ->
    Scanned = Conn#conn{session = iris_ref_session:scan(Session), scanning = false},
    flushed(flush(Scanned), Conn);
logged_in(Type, Event, Conn) ->
    open(Type, Event, Conn).

%% What both states of an open connection have in common.
open(info, {Tag, Socket, Data}, #conn{socket = {Tag, Socket}} = Conn) ->
    sent(received(Data, Conn), Conn);
open(info, {iris_ref, User, Event}, #conn{session = Session} = Conn) ->
    {Frames, NewSession} = iris_ref_session:incoming(User, Event, Session),
    flushed(flush(queue_frames(Frames, Conn#conn{session = NewSession})), Conn);
open({timeout, incomplete}, expired, Conn) ->
    Frame = iris_ref_proto:error(<<"incomplete frame">>),
    sent(last([Frame], Conn), Conn);
open(Type, Event, Conn) ->
    other(Type, Event, Conn).

-spec draining(gen_statem:event_type(), term(), #conn{}) ->
    gen_statem:event_handler_result(atom()).
draining(info, {Tag, Socket, _}, #conn{socket = {Tag, Socket}} = Conn) ->
    listen_again(draining, Conn, []);
draining(Type, Event, Conn) ->
    other(Type, Event, Conn).

%% What ends a connection in any state; all else is not for it.
other(info, {Closed, Socket}, #conn{socket = {_, Socket}, buffer = Rest} = Conn) when
    Closed =:= tcp_closed; Closed =:= ssl_closed
->
    ok = iris_ref_slip:goodbye(Closed, Rest),
    {stop, normal, Conn};
other(info, {Error, Socket, _}, #conn{socket = {_, Socket}} = Conn) when
    Error =:= tcp_error; Error =:= ssl_error
->
    {stop, normal, Conn};
other(state_timeout, expired, Conn) ->
    {stop, normal, Conn};
other(info, {iris_ref, User, Event}, #conn{session = Session} = Conn) ->
    %% Sent before this connection was unlisted.
    {_, NewSession} = iris_ref_session:incoming(User, Event, Session),
    {_, Committed} = iris_ref_session:commit(NewSession),
    {keep_state, Conn#conn{session = Committed}};
other(info, {'EXIT', Pid, Reason}, Conn) when is_pid(Pid), Reason =/= normal ->
    %% Only planted defects link a connection to another process than its supervisor.
    {stop, {shutdown, linked}, Conn};
other(_, _, _) ->
    keep_state_and_data.

-spec terminate(term(), atom(), #conn{}) -> ok.
terminate(_, _, #conn{socket = Socket, session = Session} = Conn) ->
    LoggedOut = iris_ref_session:logout(Session),
    _ = is_partial(Conn) andalso iris_ref_session:cut_off(Session),
    ok = last_mail(LoggedOut),
    iris_ref_socket:close(Socket).

%% See to what came in before this connection was unlisted.
last_mail(Session) ->
    receive
        {iris_ref, User, Event} ->
            {_, NewSession} = iris_ref_session:incoming(User, Event, Session),
            last_mail(NewSession)
    after 0 ->
        {_, _} = iris_ref_session:commit(Session),
        ok
    end.

%% Bytes in. The result is what sent/2 takes: go on, close after the replies, or gone.

received(Bytes, #conn{transport = tcp, buffer = Buffer} = Conn) ->
    frames(iris_ref_lapse:joined(Buffer, Bytes), Conn#conn{buffer = <<>>});
received(Bytes, #conn{transport = ws, ws = Ws} = Conn) ->
    {Events, NewWs} = iris_ref_ws:decode(Bytes, Ws),
    events(Events, Conn#conn{ws = NewWs}).

frames(Bytes, Conn) ->
    case iris_ref_proto:decode(Bytes) of
        {ok, Frame, Rest} -> handled(iris_ref_mishap:handle(Frame, Conn#conn.session), Rest, Conn);
        more -> {ok, Conn#conn{buffer = Bytes}};
        {error, Reason} ->
            ok = iris_ref_mishap:bad_frame(Reason),
            last([iris_ref_proto:error(Reason)], Conn)
    end.

handled({Verdict, Frames, Session}, Rest, Conn) ->
    Next = Conn#conn{session = Session, progress = true},
    case Verdict of
        close -> last(Frames, Next);
        ok -> next(Rest, queue_frames(Frames, Next))
    end.

next(Rest, #conn{out_size = Size} = Conn) when Size > ?MAX_OUT ->
    case flush(Conn) of
        {ok, Flushed} -> frames(Rest, Flushed);
        {gone, _} = Gone -> Gone
    end;
next(Rest, Conn) ->
    frames(Rest, Conn).

events([], Conn) ->
    {ok, Conn};
events([{message, Message} | Events], Conn) ->
    case frames(Message, Conn) of
        {ok, #conn{buffer = <<>>} = Next} ->
            events(Events, Next);
        {ok, Next} ->
            Frame = iris_ref_proto:error(<<"the message ends within a frame">>),
            events(Events, queue_frames([Frame], Next#conn{buffer = <<>>}));
        Other ->
            Other
    end;
events([{reply, Bytes} | Events], Conn) ->
    events(Events, queue(Bytes, Conn));
events([{close, Bytes}], Conn) ->
    {close, queue(Bytes, Conn)}.

%% Bytes out.

queue_frames(Frames, #conn{transport = tcp} = Conn) ->
    lists:foldl(fun queue/2, Conn, Frames);
queue_frames(Frames, #conn{transport = ws} = Conn) ->
    lists:foldl(fun(Frame, Acc) -> queue(iris_ref_ws:encode(Frame), Acc) end, Conn, Frames).

queue(Bytes, #conn{out = Out, out_size = Size} = Conn) ->
    Conn#conn{out = [Bytes | Out], out_size = Size + iolist_size(Bytes)}.

%% Close after these frames; a WebSocket is told so in its own way (1008: policy violation).
last(Frames, #conn{transport = tcp} = Conn) ->
    {close, queue_frames(Frames, Conn)};
last(Frames, #conn{transport = ws} = Conn) ->
    {close, queue(iris_ref_ws:close(1008), queue_frames(Frames, Conn))}.

%% First to the disc, then to the client.
flush(#conn{session = Session} = Conn) ->
    {Frames, Committed} = iris_ref_session:commit(Session),
    Complete = queue_frames(Frames, Conn#conn{session = Committed}),
    case Complete#conn.out of
        [] ->
            {ok, Complete};
        Out ->
            case iris_ref_socket:send(Complete#conn.socket, lists:reverse(Out)) of
                ok -> {ok, Complete#conn{out = [], out_size = 0}};
                {error, _} -> {gone, Complete}
            end
    end.

%% After a segment: send the replies, and go on or close.
sent({gone, Conn}, _) ->
    {stop, normal, Conn};
sent({ok, Conn}, Before) ->
    case flush(Conn) of
        {ok, Flushed} ->
            {Actions, Next} = timers(Before, Flushed),
            listen_again(state(Next), Next, Actions);
        {gone, Committed} ->
            {stop, normal, Committed}
    end;
sent({close, Conn}, _) ->
    case flush(Conn) of
        {ok, #conn{socket = Socket, session = Session} = Flushed} ->
            _ = iris_ref_socket:shutdown(Socket),
            LoggedOut = Flushed#conn{session = iris_ref_session:logout(Session)},
            Actions = [{{timeout, incomplete}, cancel}, {state_timeout, ?DRAIN_MS, expired}],
            listen_again(draining, LoggedOut, Actions);
        {gone, Committed} ->
            {stop, normal, Committed}
    end.

%% After an event that is not a segment: the socket is still being listened to.
flushed({ok, Conn}, Before) ->
    {Actions, Next} = timers(Before, Conn),
    {keep_state, Next, Actions};
flushed({gone, Conn}, _) ->
    {stop, normal, Conn}.

state(#conn{session = Session}) ->
    case iris_ref_session:is_logged_in(Session) of
        true -> logged_in;
        false -> connected
    end.

listen_again(State, #conn{socket = Socket} = Conn, Actions) ->
    case iris_ref_socket:listen_again(Socket) of
        ok -> {next_state, State, Conn, Actions};
        {error, _} -> {stop, normal, Conn}
    end.

%% The time for an incomplete frame runs from its first byte, however its others drip in; the
%% scan for late ACKs runs while there are any to come.
timers(Before, #conn{progress = Progress} = Conn) ->
    Incomplete = incomplete(is_partial(Before) andalso not Progress, is_partial(Conn)),
    Awaiting = iris_ref_session:is_awaiting(Conn#conn.session),
    case Awaiting andalso not Conn#conn.scanning of
        true ->
            {ok, Interval} = application:get_env(iris_ref, ack_scan_ms),
            Scan = {{timeout, ack_scan}, Interval, scan},
            {[Scan | Incomplete], Conn#conn{progress = false, scanning = true}};
        false ->
            {Incomplete, Conn#conn{progress = false}}
    end.

incomplete(Same, Same) ->
    [];
incomplete(_, true) ->
    {ok, Patience} = application:get_env(iris_ref, incomplete_ms),
    [{{timeout, incomplete}, Patience, expired}];
incomplete(_, false) ->
    [{{timeout, incomplete}, cancel}].

is_partial(#conn{buffer = Buffer, ws = Ws}) ->
    Buffer =/= <<>> orelse iris_ref_ws:is_partial(Ws).
