%%% Tells when a node has nothing left to do: the barrier of the harness.
%%%
%%% Theory of operation. The harness sends bytes on some sockets, then asks here. Three things
%%% may still be on their way: processes that are runnable or running (on any scheduler,
%%% the dirty ones included), sockets with bytes that no process has been told of yet, and
%%% the gap between them, when a process has just asked for the next bytes and waits.
%%%
%%% The first is counted by the emulator as active tasks; the caller is one of them. For the
%%% other two a datagram is sent to ourselves: the kernel reports ready sockets in the order
%%% in which they became ready, so when it comes round, everything that was there before has
%%% been handed to its process. If no process but the caller was switched in meanwhile, and
%%% none is active now, there was nothing. Otherwise we look again.
%%%
%%% The emulator watches sockets in two sets: busy ones in mode 'active true' are moved to a set
%%% that the schedulers poll, all others stay with a thread that polls. Each set has an order
%%% of its own, so there are two sockets: one in mode 'active once', which stays, and one in
%%% mode 'active true', which is made busy at the start so that it moves.
%%%
%%% The datagrams are sent from a third socket, of the module socket: gen_udp:send/2 waits for its
%%% port from OTP 26 on, and is then switched in once more, now and then.
%%%
%%% All this is so for sockets that are ports. A target may have chosen sockets of the module socket
%%% for gen_tcp and gen_udp (inet_backend), which are processes; the agent's own are ports all the same:
%%% one that is a process would be switched in with each datagram, and the node never be quiet.
%%%
%%% Then the log, for those who ask for it. proc_lib and the behaviours log in the process that
%%% crashes, which is active until the handlers have run. But the emulator hands its own messages
%%% (a plain process that failed, a heap over its limit) to an operating system's thread that passes
%%% them on to the process logger_proxy, milliseconds later if it gets no processor. That thread keeps
%%% their order, so a process is made to fail, and when its message arrives, all are there. A
%%% filter takes the message out before any handler sees it (see iris_fuzz_events). Where the
%%% target's own filters take it out first, no crash is logged either; that is found out
%%% once, and not waited for again for a long while.
%%%
%%% A node that others send to is at rest only for as long as they leave it alone. So traffic/0
%%% counts what its distribution connections have received, and have handed to the kernel: whoever
%%% watches several nodes asks until the counts stay (see fuzz/beam/fleet.py). What still waits in
%%% a connection's own queue is not counted yet, so that it is seen when it leaves.
-module(iris_fuzz_quiet).

-export([open/0, close/1, wait/2, wait_for_log/2, traffic/0]).
-export([fail/2]).
-export_type([echoes/0]).

%% A socket, and the address at which a datagram reaches it.
-type ear() :: {gen_udp:socket(), socket:sockaddr_in()}.

%% What sends, the socket of each poll set, how often in a row the log was waited for in vain, and
%% how many looks do without it.
-record(echoes, {
    mouth :: socket:socket(),
    once :: ear(),
    true :: ear(),
    missed = 0 :: non_neg_integer(),
    deaf = 0 :: non_neg_integer()
}).

-type echoes() :: #echoes{}.

%% Looks that are made back to back, a millisecond of them; a node busy for longer is looked at once
%% a millisecond. What it is busy with then is mostly a file operation, in a thread of its own, which
%% needs the processor more than we do: with a hundred times as many looks, the system time of a node
%% on a busy machine is twice as high.
%% Between two looks we wait for a datagram instead of spinning: a scheduler that never sleeps
%% keeps the threads that do the node's file operations off their processor for milliseconds.
-define(EAGER, 20).

%% Looks before the time is over: on a machine that stood still one may have taken all of it, and
%% what spoiled that one may be done with by now.
-define(LEAST, 5).

-define(LOOPBACK, {127, 0, 0, 1}).

%% A datagram on the loopback takes microseconds; later than this it was lost.
-define(ECHO_MS, 100).

%% The thread that passes messages on needs milliseconds, and the handlers of the target, which
%% may write them to a disk, some more.
-define(DELIVERY_MS, 1000).

%% So often in a row, it does not come at all: a machine that stands still may keep one back.
-define(MISSED, 2).

%% A log may come back (a storm is over, a filter is gone): tried again after so many looks, so
%% that a second of waiting is spread over as many cases as a second has.
-define(DEAF, 2000).

%% The emulator moves a socket after ten datagrams in a row.
-define(BUSY, 32).

-spec open() -> {ok, echoes()} | {error, term()}.
open() ->
    try
        {ok, Mouth} = socket:open(inet, dgram, udp),
        ok = socket:bind(Mouth, address(0)),
        {ok, #{port := Port}} = socket:sockname(Mouth),
        {Socket, _} = True = open_ear(Port),
        ok = inet:setopts(Socket, [{active, true}]),
        _ = [echo(Mouth, True) || _ <- lists:seq(1, ?BUSY)],
        {ok, #echoes{mouth = Mouth, once = open_ear(Port), true = True}}
    catch
        %% What has been opened goes with its process.
        error:{badmatch, {error, _} = Error} -> Error
    end.

-spec close(echoes()) -> ok.
close(#echoes{mouth = Mouth, once = {Once, _}, true = {True, _}}) ->
    ok = gen_udp:close(Once),
    ok = gen_udp:close(True),
    ok = socket:close(Mouth).

open_ear(From) ->
    {ok, Socket} = gen_udp:open(0, [{inet_backend, inet}, binary, {ip, ?LOOPBACK}, {active, false}]),
    {ok, Port} = inet:port(Socket),
    %% Connected: nobody else's datagrams get in.
    ok = gen_udp:connect(Socket, ?LOOPBACK, From),
    {Socket, address(Port)}.

address(Port) ->
    #{family => inet, addr => ?LOOPBACK, port => Port}.

%% Each datagram has its own number: one that was late must not be taken for the next.
echo(Mouth, {Socket, Address}) ->
    Id = erlang:unique_integer([positive]) band 16#FFFFFFFF,
    ok = socket:sendto(Mouth, <<Id:32>>, Address, [], 0),
    receive
        {udp, Socket, _, _, <<Id:32>>} -> true
    after ?ECHO_MS -> false
    end.

%% True as soon as the node is quiet, false if it was still busy after Limit milliseconds.
-spec wait(echoes(), non_neg_integer()) -> boolean().
wait(Echoes, Limit) ->
    Until = erlang:monotonic_time(millisecond) + Limit,
    Before = process_flag(priority, low),
    Quiet = look(Echoes, Until, 0),
    process_flag(priority, Before),
    Quiet.

%% The same, and what the node had to log until then has reached the handlers.
-spec wait_for_log(echoes(), non_neg_integer()) -> {boolean(), echoes()}.
wait_for_log(Echoes, Limit) ->
    Quiet = wait(Echoes, Limit),
    {Quiet, deliver_log(Quiet, Echoes)}.

%% What came in and went out over the distribution since the connections that there are, in bytes.
%% A node that stands alone has none, and pays for one look at an empty list.
-spec traffic() -> non_neg_integer().
traffic() ->
    lists:foldl(fun({_, Controller}, Sum) -> Sum + carried(Controller) end, 0, connections()).

connections() ->
    erlang:system_info(dist_ctrl).

carried(Port) when is_port(Port) ->
    case inet:getstat(Port, [recv_oct, send_oct, send_pend]) of
        {ok, Counts} -> lists:foldl(fun add/2, 0, Counts);
        %% It has ended.
        {error, _} -> 0
    end;
carried(Pid) ->
    %% Over TLS a process carries each message, and has to work for it.
    case process_info(Pid, reductions) of
        {reductions, Work} -> Work;
        undefined -> 0
    end.

add({send_pend, Bytes}, Sum) -> Sum - Bytes;
add({_, Bytes}, Sum) -> Sum + Bytes.

look(Echoes, Until, Looks) ->
    case is_idle() andalso nothing_was_under_way(Echoes) of
        true -> true;
        false -> look_again(Echoes, Until, Looks + 1)
    end.

look_again(Echoes, Until, Looks) ->
    case erlang:monotonic_time(millisecond) >= Until of
        true when Looks >= ?LEAST ->
            false;
        _ when Looks < ?EAGER ->
            _ = echo(Echoes#echoes.mouth, Echoes#echoes.true),
            look(Echoes, Until, Looks);
        _ ->
            receive
                never -> ok
            after 1 -> ok
            end,
            look(Echoes, Until, Looks)
    end.

is_idle() ->
    erlang:statistics(total_active_tasks_all) =< 1.

%% One after the other, so that we are switched in exactly twice, once for each datagram.
nothing_was_under_way(#echoes{mouth = Mouth, once = {Socket, _} = Once, true = True}) ->
    {Before, _} = erlang:statistics(context_switches),
    ok = inet:setopts(Socket, [{active, once}]),
    case echo(Mouth, True) andalso echo(Mouth, Once) of
        true ->
            {After, _} = erlang:statistics(context_switches),
            After - Before =< 2 andalso is_idle();
        false ->
            ok = drain(Socket),
            false
    end.

%% Take out what came too late. In mode 'active once' it would come in the place of the next
%% datagram, which stays behind in its turn: every look from then on would wait in vain.
drain(Socket) ->
    ok = inet:setopts(Socket, [{active, false}]),
    case gen_udp:recv(Socket, 0, 0) of
        {ok, _} -> drain(Socket);
        {error, timeout} -> ok
    end.

%% A node that does not log errors has no crash to wait for.
deliver_log(true, #echoes{deaf = 0, missed = Missed} = Echoes) ->
    case not iris_fuzz_events:logs_errors() orelse is_delivered(make_ref()) of
        true -> Echoes#echoes{missed = 0};
        false when Missed + 1 < ?MISSED -> Echoes#echoes{missed = Missed + 1};
        false -> Echoes#echoes{missed = 0, deaf = ?DEAF}
    end;
deliver_log(true, #echoes{deaf = Left} = Echoes) ->
    Echoes#echoes{deaf = Left - 1};
deliver_log(false, Echoes) ->
    Echoes.

is_delivered(Id) ->
    _ = spawn(?MODULE, fail, [self(), Id]),
    receive
        {iris_fuzz_delivered, Id} -> true
    after ?DELIVERY_MS -> false
    end.

-spec fail(pid(), reference()) -> no_return().
fail(Session, Id) ->
    error({iris_fuzz_deliver, Session, Id}).
