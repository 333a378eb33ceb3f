%%% A listening socket and its acceptors. One of these listens for raw TCP, one for WebSockets,
%%% and both over TLS where that is switched on.
%%%
%%% Theory of operation. This process opens the socket and owns it; acceptors, linked to it,
%%% wait for clients, start a connection's process for each and give it the socket. Connections
%%% do not depend on this process. The port that was bound is kept in the application's
%%% environment, so that a restart binds the same one also if it was the system's choice; the
%%% socket is closed before this process ends, so that it is free by then.
-module(iris_ref_listener).

-behaviour(gen_server).

-export([start_link/1, port_key/1, open/2, send_ms/0, turned_away/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2, accept/2]).

%% Accepting is a few microseconds of work; several acceptors keep it up while one waits for
%% the supervisor of connections.
-define(ACCEPTORS, 4).
%% Clients that wait to be accepted: as many as the kernel lets wait by default. Who finds no room
%% tries again after one second, three and seven, and thousands may come back at once.
-define(BACKLOG, 4096).
%% A client that has read nothing for so long while replies wait for it is cut off.
-define(SEND_MS, 5000).
%% The largest segment that a client can send is one that fills a connection's buffer; a
%% smaller one here would cut it up, and a segment's end has meaning.
-define(READ_BYTES, 65536).
%% When the system has no file descriptor left there is nothing to wait for but time.
-define(RETRY_MS, 100).

-spec start_link(tcp | ws) -> gen_server:start_ret().
start_link(Transport) ->
    gen_server:start_link({local, name(Transport)}, ?MODULE, Transport, []).

name(tcp) -> iris_ref_tcp_listener;
name(ws) -> iris_ref_ws_listener.

%% The key of the application's environment that has the port.
-spec port_key(tcp | ws) -> port | ws_port.
port_key(tcp) -> port;
port_key(ws) -> ws_port.

%% For how long a connection may be stuck in a send.
-spec send_ms() -> pos_integer().
send_ms() -> ?SEND_MS.

%% PLANTED: listener_closed - when a LOGIN is refused, the listener is told to close the socket of
%% that client, and closes its own. Who is connected stays so; nobody else gets in any more.
-spec turned_away() -> ok.
turned_away() ->
    case iris_ref_plant:on(listener_closed) of
        true -> gen_server:cast(name(tcp), turned_away);
        false -> ok
    end.

%% Open the listening socket of a transport, over TLS if there are options for that.
-spec open(tcp | ws, none | [ssl:tls_server_option()]) ->
    {ok, iris_ref_socket:socket()} | {error, {listen, term(), term(), term()}}.
open(Transport, Tls) ->
    {ok, Port} = application:get_env(iris_ref, port_key(Transport)),
    {ok, Ip} = application:get_env(iris_ref, ip),
    Options = [
        binary,
        {ip, Ip},
        {packet, raw},
        {active, false},
        {reuseaddr, true},
        {nodelay, true},
        {backlog, ?BACKLOG},
        {buffer, ?READ_BYTES},
        {send_timeout, ?SEND_MS},
        {send_timeout_close, true}
    ],
    case iris_ref_socket:listen(Port, Options, Tls) of
        {ok, Socket} -> {ok, Socket};
        {error, Reason} -> {error, {listen, Ip, Port, Reason}}
    end.

-spec init(tcp | ws) -> {ok, iris_ref_socket:socket()} | {stop, term()}.
init(Transport) ->
    _ = process_flag(trap_exit, true),
    case open(Transport, iris_ref_tls:options()) of
        {ok, Socket} ->
            {ok, Port} = iris_ref_socket:port(Socket),
            ok = application:set_env(iris_ref, port_key(Transport), Port),
            Start = fun(_) -> proc_lib:spawn_link(?MODULE, accept, [Transport, Socket]) end,
            ok = lists:foreach(Start, lists:seq(1, ?ACCEPTORS)),
            {ok, Socket};
        {error, Reason} ->
            {stop, Reason}
    end.

-spec handle_call(term(), gen_server:from(), iris_ref_socket:socket()) -> {noreply, iris_ref_socket:socket()}.
handle_call(_, _, Socket) -> {noreply, Socket}.

%% The state is `closed' after the planted defect listener_closed, and never otherwise.
-spec handle_cast(term(), iris_ref_socket:socket() | closed) -> {noreply, iris_ref_socket:socket() | closed}.
handle_cast(turned_away, Socket) when Socket =/= closed ->
    ok = iris_ref_socket:close(Socket),
    {noreply, closed};
handle_cast(_, Socket) ->
    {noreply, Socket}.

-spec handle_info(term(), iris_ref_socket:socket() | closed) ->
    {noreply, iris_ref_socket:socket() | closed} | {stop, term(), iris_ref_socket:socket()}.
handle_info({'EXIT', _, Reason}, Socket) when Socket =/= closed -> {stop, Reason, Socket};
handle_info(_, Socket) -> {noreply, Socket}.

-spec terminate(term(), iris_ref_socket:socket() | closed) -> ok.
terminate(_, closed) ->
    ok;
terminate(_, Socket) ->
    iris_ref_socket:close(Socket).

%% The loop of an acceptor.
-spec accept(tcp | ws, iris_ref_socket:socket()) -> no_return().
accept(Transport, Listening) ->
    case iris_ref_socket:accept(Listening) of
        {ok, Socket} ->
            ok = hand_over(Transport, Socket),
            ok = iris_ref_crowd:accepted(),
            accept(Transport, Listening);
        {error, closed} ->
            exit(normal);
        {error, Reason} when Reason =:= emfile; Reason =:= enfile; Reason =:= system_limit ->
            receive
            after ?RETRY_MS -> accept(Transport, Listening)
            end;
        {error, _} ->
            %% This client has gone before it was accepted.
            accept(Transport, Listening)
    end.

hand_over(Transport, Socket) ->
    {ok, Pid} = iris_ref_conn_sup:start_connection(Transport, Socket),
    case iris_ref_socket:hand_over(Socket, Pid) of
        ok ->
            Pid ! {socket_is_yours, Socket},
            ok;
        {error, _} ->
            %% The client has gone; so that the connection's process need not find out by time.
            Pid ! {socket_is_gone, Socket},
            ok
    end.
