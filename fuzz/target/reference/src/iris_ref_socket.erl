%%% The socket of a client or of a listener: TCP, or TLS on top of it, alike to who uses it.
%%%
%%% Theory of operation. A socket is a pair of what its messages begin with (`tcp' or `ssl') and
%%% the socket of gen_tcp or ssl; so {Tag, Socket, Data} brings bytes on {Tag, Socket}. A TLS
%%% socket is of no use before secure/1 has made its handshake, which is for its owner to ask for:
%%% an acceptor must not wait for a client. One record of TLS is one message, as a segment of TCP
%%% is, if nothing else is under way.
%%%
%%% TLS has no half-close that Erlang keeps to: ssl ends a connection when the peer says that it
%%% is done (close_notify), and what was not sent by then is lost. So only a TCP socket stays open
%%% for writing when its peer is done (exit_on_close); under ssl that option does harm: a reset that
%%% meets a write closes the socket without a word to ssl, and the connection stays for ever
%%% (seen with ssl 10.8, in four of twenty handshakes that a client reset).
-module(iris_ref_socket).

-export([listen/3, port/1, accept/1, hand_over/2, secure/1]).
-export([send/2, listen_again/1, shutdown/1, close/1]).
-export_type([socket/0]).

-type socket() :: {tcp, gen_tcp:socket()} | {ssl, ssl:sslsocket()}.

%% A client that says nothing, or too little, is let go of after so long.
-define(HANDSHAKE_MS, 5000).

%% Listen for clients: over TLS with these options, over TCP without any.
-spec listen(inet:port_number(), [gen_tcp:listen_option()], none | [ssl:tls_server_option()]) ->
    {ok, socket()} | {error, term()}.
listen(Port, Options, none) ->
    tagged(tcp, gen_tcp:listen(Port, [{exit_on_close, false} | Options]));
listen(Port, Options, Tls) ->
    tagged(ssl, ssl:listen(Port, Options ++ Tls)).

-spec port(socket()) -> {ok, inet:port_number()} | {error, term()}.
port({tcp, Socket}) ->
    inet:port(Socket);
port({ssl, Socket}) ->
    case ssl:sockname(Socket) of
        {ok, {_, Port}} -> {ok, Port};
        {error, _} = Error -> Error
    end.

-spec accept(socket()) -> {ok, socket()} | {error, term()}.
accept({tcp, Socket}) -> tagged(tcp, gen_tcp:accept(Socket));
accept({ssl, Socket}) -> tagged(ssl, ssl:transport_accept(Socket)).

%% Make a process the owner of a socket.
-spec hand_over(socket(), pid()) -> ok | {error, term()}.
hand_over({tcp, Socket}, Pid) -> gen_tcp:controlling_process(Socket, Pid);
hand_over({ssl, Socket}, Pid) -> ssl:controlling_process(Socket, Pid).

%% Make the handshake of TLS, if there is one to be made.
-spec secure(socket()) -> {ok, socket()} | {error, term()}.
secure({tcp, _} = Socket) -> {ok, Socket};
secure({ssl, Socket}) -> tagged(ssl, ssl:handshake(Socket, ?HANDSHAKE_MS)).

-spec send(socket(), iodata()) -> ok | {error, term()}.
send({tcp, Socket}, Bytes) -> gen_tcp:send(Socket, Bytes);
send({ssl, Socket}, Bytes) -> ssl:send(Socket, Bytes).

%% Ask for the next bytes.
-spec listen_again(socket()) -> ok | {error, term()}.
listen_again({tcp, Socket}) -> inet:setopts(Socket, [{active, once}]);
listen_again({ssl, Socket}) -> ssl:setopts(Socket, [{active, once}]).

%% Say that nothing more will be sent.
-spec shutdown(socket()) -> ok | {error, term()}.
shutdown({tcp, Socket}) -> gen_tcp:shutdown(Socket, write);
shutdown({ssl, Socket}) -> ssl:shutdown(Socket, write).

-spec close(socket()) -> ok.
close({tcp, Socket}) ->
    gen_tcp:close(Socket);
close({ssl, Socket}) ->
    %% Which may have ended by itself.
    _ = ssl:close(Socket),
    ok.

tagged(Tag, {ok, Socket}) -> {ok, {Tag, Socket}};
tagged(_, {error, _} = Error) -> Error.
