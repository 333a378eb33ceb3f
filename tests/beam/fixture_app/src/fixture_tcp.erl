%%% A TCP server whose connections count what they get, through a chain of processes. It tells
%%% whether a barrier waits for bytes that are still in the kernel, in each mode of reading.
-module(fixture_tcp).

-export([listen/1, taken/0]).

%% Returns the port. Mode is once, true, or passive.
listen(Mode) ->
    persistent_term:put(?MODULE, atomics:new(1, [])),
    {ok, Listen} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {active, false}]),
    {ok, Port} = inet:port(Listen),
    Acceptor = spawn(fun() -> accept(Listen, Mode) end),
    ok = gen_tcp:controlling_process(Listen, Acceptor),
    Port.

%% Bytes that have gone all the way since the last call.
taken() ->
    atomics:exchange(persistent_term:get(?MODULE), 1, 0).

accept(Listen, Mode) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    Connection = spawn(fun() ->
        receive
            go -> serve(Socket, Mode)
        end
    end),
    ok = gen_tcp:controlling_process(Socket, Connection),
    Connection ! go,
    accept(Listen, Mode).

serve(Socket, passive) ->
    case gen_tcp:recv(Socket, 0) of
        {ok, Data} ->
            pass_on(4, byte_size(Data)),
            serve(Socket, passive);
        {error, _} ->
            ok
    end;
serve(Socket, Mode) ->
    case inet:setopts(Socket, [{active, Mode}]) of
        ok -> receive_one(Socket, Mode);
        {error, _} -> ok
    end.

receive_one(Socket, Mode) ->
    receive
        {tcp, Socket, Data} ->
            pass_on(4, byte_size(Data)),
            serve(Socket, Mode);
        {tcp_closed, Socket} ->
            ok
    end.

pass_on(0, Size) ->
    atomics:add(persistent_term:get(?MODULE), 1, Size);
pass_on(Length, Size) ->
    spawn(fun() -> pass_on(Length - 1, Size) end).
