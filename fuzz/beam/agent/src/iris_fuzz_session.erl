%%% One control connection: a request, its reply, and so on, in order.
%%%
%%% Requests and replies are external terms in packets with a four-byte length. A reply is
%%% {ok, Value} or {error, Text}; that of a read is a binary of a fixed layout, since it is
%%% made and taken apart once for each case. The first request must be {hello, Version, Token}.
%%%
%%% Until then it is a stranger's, who must not harm the node: a packet may be small only, is not
%%% unpacked if it is compressed, and what it stands for has to fit in a small heap. That it is a
%%% stranger's is told to the listener, which ends the oldest of them when it needs room.
-module(iris_fuzz_session).
-behaviour(gen_server).

-export([start_link/2, stranger/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, format_status/1]).

-record(session, {
    %% The token is among them, and a report of a crash has the state and the arguments of calls:
    %% of a fun it has the name only.
    settings :: fun(() -> iris_fuzz_agent:settings()),
    socket :: gen_tcp:socket(),
    %% Unknown until the hello has been accepted.
    echo :: iris_fuzz_quiet:echoes() | undefined,
    %% Total memory, and when it was looked up.
    memory = {0, 0} :: {non_neg_integer(), integer()},
    sweep = 0 :: non_neg_integer()
}).

%% A client says hello in its first packet; one that does not is not ours.
-define(HELLO_MS, 5000).

%% In words, until the hello. What the largest packet stands for takes an eighth of it.
-define(STRANGERS_HEAP, 1048576).
%% Has the number of a session in the order of their start, until the hello.
-define(STRANGER, iris_fuzz_stranger).

%% Of who has said hello: inputs for a decoder are the largest of all, and the client sends no more.
-define(MAX_REQUEST, 8388608).

%% Adding up the allocators costs 50 microseconds: done at most this often.
-define(MEMORY_MS, 100).
%% In the place of a coverage point when none was hit.
-define(NO_POINT, 16#FFFFFFFF).

-spec start_link(iris_fuzz_agent:settings(), gen_tcp:socket()) -> {ok, pid()}.
start_link(Settings, Socket) ->
    gen_server:start_link(?MODULE, {Settings, Socket}, []).

%% Tell whether nobody has said hello yet; the older of two sessions has the smaller number.
-spec stranger(pid()) -> {true, integer()} | false.
stranger(Session) ->
    case process_info(Session, dictionary) of
        {dictionary, Dictionary} ->
            case proplists:get_value(?STRANGER, Dictionary) of
                undefined -> false;
                Number -> {true, Number}
            end;
        undefined ->
            false
    end.

init({Settings, Socket}) ->
    undefined = put(?STRANGER, erlang:unique_integer([monotonic])),
    Heap = #{size => ?STRANGERS_HEAP, kill => true, error_logger => false},
    _ = process_flag(max_heap_size, Heap),
    erlang:send_after(?HELLO_MS, self(), hello_is_late),
    {ok, #session{settings = fun() -> Settings end, socket = Socket}}.

handle_call(_, _, Session) ->
    {reply, {error, unexpected}, Session}.

handle_cast(_, Session) ->
    {noreply, Session}.

handle_info({tcp, Socket, Packet}, #session{socket = Socket} = Session) ->
    case decode(Packet) of
        {ok, Request} when Session#session.echo =:= undefined -> greet(Request, Session);
        {ok, detach} -> leave(Session);
        {ok, Request} -> answer(Request, Session);
        error -> refuse(<<"the request is not a term that the agent knows">>, Session)
    end;
handle_info(socket_is_yours, #session{socket = Socket} = Session) ->
    listen_again(Socket, Session);
handle_info({tcp_closed, Socket}, #session{socket = Socket} = Session) ->
    {stop, normal, Session};
handle_info({tcp_error, Socket, _}, #session{socket = Socket} = Session) ->
    {stop, normal, Session};
handle_info(hello_is_late, #session{echo = undefined} = Session) ->
    {stop, normal, Session};
handle_info(_, Session) ->
    {noreply, Session}.

%% For the report of a crash: the packet of a hello has the token in it.
format_status(#{message := {tcp, Socket, _}, state := #session{echo = undefined}} = Status) ->
    Status#{message := {tcp, Socket, hello}};
format_status(Status) ->
    Status.

%% Nobody of ours compresses: a small packet would stand for gigabytes.
decode(<<131, 80, _/binary>>) ->
    error;
decode(Packet) ->
    try binary_to_term(Packet, [safe]) of
        Request -> {ok, Request}
    catch
        error:badarg -> error
    end.

greet({hello, Version, Token}, #session{settings = Settings} = Session) when is_binary(Token) ->
    #{token := Secret} = Settings(),
    case {same_secret(Token, Secret), iris_fuzz_agent:version()} of
        {false, _} ->
            refuse(<<"the token is wrong">>, Session);
        {true, Version} ->
            ok = welcome(Session#session.socket),
            {ok, Echo} = iris_fuzz_quiet:open(),
            reply({ok, iris_fuzz_vitals:node_facts()}, Session#session{echo = Echo});
        {true, Own} ->
            Text = io_lib:format("the agent speaks version ~w, the client ~0p", [Own, Version]),
            refuse(iolist_to_binary(Text), Session)
    end;
greet(_, Session) ->
    refuse(<<"the first request must be a hello">>, Session).

%% From here on it is the harness's, and has the limits of any process.
welcome(Socket) ->
    _ = erase(?STRANGER),
    _ = process_flag(max_heap_size, erlang:system_info(max_heap_size)),
    _ = inet:setopts(Socket, [{packet_size, ?MAX_REQUEST}]),
    ok.

%% Takes as long for a near miss as for any other token of the same length. An agent that
%% was given no token accepts none.
same_secret(_, <<>>) ->
    false;
same_secret(Given, Secret) when byte_size(Given) =:= byte_size(Secret) ->
    Pairs = lists:zip(binary_to_list(Given), binary_to_list(Secret)),
    0 =:= lists:foldl(fun({A, B}, Sum) -> Sum bor (A bxor B) end, 0, Pairs);
same_secret(_, _) ->
    false.

answer(read, Session) ->
    read(1, Session);
answer({settle, Limit}, Session) when is_integer(Limit), Limit >= 0 ->
    {Quiet, Echo} = iris_fuzz_quiet:wait_for_log(Session#session.echo, Limit),
    read(number(Quiet), Session#session{echo = Echo});
answer({quiet, Limit}, Session) when is_integer(Limit), Limit >= 0 ->
    Quiet = iris_fuzz_quiet:wait(Session#session.echo, Limit),
    reply({ok, {number(Quiet), iris_fuzz_quiet:traffic()}}, Session);
answer({instrument, Include, Exclude}, Session) when is_list(Include), is_list(Exclude) ->
    reply(iris_fuzz_cover:instrument(Include, Exclude), Session);
answer({vitals, Limit}, Session) when is_integer(Limit) ->
    reply(iris_fuzz_apps:bounded(fun iris_fuzz_vitals:full/0, Limit), Session);
answer({resources, Limit}, Session) when is_integer(Limit) ->
    reply(iris_fuzz_apps:bounded(fun iris_fuzz_vitals:resources/0, Limit), Session);
answer({suspects, Limit}, Session) when is_integer(Limit) ->
    reply(iris_fuzz_apps:bounded(fun iris_fuzz_vitals:suspects/0, Limit), Session);
answer({find_decoder, Module, Function}, Session) when is_binary(Module), is_binary(Function) ->
    reply(iris_fuzz_decode:find(Module, Function), Session);
answer({decode, Module, Function, Inputs, Limit}, Session) when
    is_binary(Module), is_binary(Function), is_binary(Inputs), is_integer(Limit), Limit > 0
->
    reply(iris_fuzz_decode:batch(Module, Function, Inputs, Limit), Session);
answer({applications, Limit}, Session) when is_integer(Limit) ->
    reply(iris_fuzz_apps:bounded(fun iris_fuzz_apps:running/0, Limit), Session);
answer({stop_app, Name, Limit}, Session) when is_binary(Name), is_integer(Limit) ->
    reply(iris_fuzz_apps:stop(Name, Limit), Session);
answer({start_app, Name, Limit}, Session) when is_binary(Name), is_integer(Limit) ->
    reply(iris_fuzz_apps:start(Name, Limit), Session);
answer({restart_app, Name, <<"orderly">>, Limit}, Session) when
    is_binary(Name), is_integer(Limit)
->
    reply(iris_fuzz_apps:restart(Name, Limit, orderly), Session);
answer({restart_app, Name, <<"hard">>, Limit}, Session) when is_binary(Name), is_integer(Limit) ->
    reply(iris_fuzz_apps:restart(Name, Limit, hard), Session);
answer(_, Session) ->
    reply({error, <<"the agent does not know this request">>}, Session).

number(true) -> 1;
number(false) -> 0.

%% The layout that the client takes apart: what does not change its place comes first.
read(Quiet, Session) ->
    #session{sweep = Sweep} = Session,
    %% Before all that it is to vouch for is looked at.
    Traffic = iris_fuzz_quiet:traffic(),
    {Memory, _} = Looked = memory(Session#session.memory),
    {Events, Dropped} = iris_fuzz_events:take(),
    {Coverage, Hottest} = iris_fuzz_cover:read(Sweep),
    Reply = <<
        Quiet:8,
        (erlang:system_info(process_count)):32,
        (erlang:system_info(port_count)):32,
        (erlang:system_info(atom_count)):32,
        (erlang:system_info(ets_count)):32,
        Memory:64,
        (reductions()):64,
        Traffic:64,
        Dropped:32,
        (point(Hottest)):32,
        (byte_size(Coverage)):32,
        Coverage/binary,
        (encode_events(Events))/binary
    >>,
    reply(Reply, Session#session{memory = Looked, sweep = Sweep + 1}).

point(none) -> ?NO_POINT;
point(Number) -> Number.

%% Those of this process are left out: it looks until the node is quiet, and so works the harder
%% the longer a case waits for a disk or a timer.
reductions() ->
    {reductions, Own} = process_info(self(), reductions),
    element(1, erlang:statistics(reductions)) - Own.

encode_events([]) -> <<>>;
encode_events(Events) -> term_to_binary(Events).

memory({_, At} = Known) ->
    case erlang:monotonic_time(millisecond) of
        Now when Now - At < ?MEMORY_MS, At =/= 0 -> Known;
        Now -> {erlang:memory(total), Now}
    end.

reply(Reply, #session{socket = Socket} = Session) ->
    case gen_tcp:send(Socket, term_to_binary(Reply)) of
        ok -> listen_again(Socket, Session);
        {error, _} -> {stop, normal, Session}
    end.

listen_again(Socket, Session) ->
    case inet:setopts(Socket, [{active, once}]) of
        ok -> {noreply, Session};
        {error, _} -> {stop, normal, Session}
    end.

refuse(Text, #session{socket = Socket} = Session) ->
    _ = gen_tcp:send(Socket, term_to_binary({error, Text})),
    {stop, normal, Session}.

%% From here on the socket is the leaver's, and this process is in its way only.
leave(#session{socket = Socket, settings = Settings} = Session) ->
    _ = iris_fuzz_agent:detach(Socket, Settings()),
    {stop, normal, Session}.
