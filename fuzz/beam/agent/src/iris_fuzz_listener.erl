%%% Accepts control connections on a port of 127.0.0.1 that the kernel chooses.
%%%
%%% Anybody on the machine can connect, and nobody but the harness can say hello. So that strangers do
%%% not keep it out, a connection for which there is no room takes the place of the oldest of theirs.
-module(iris_fuzz_listener).

-export([start_link/1, port/0, init/2]).

%% Until the hello. A request is a small tuple; this is generous even for long lists of patterns.
-define(MAX_REQUEST, 65536).

%% A harness has one connection, and perhaps one for a person who watches.
-define(MAX_SESSIONS, 8).

%% Between two tries to accept while the node has no file descriptor left.
-define(DESCRIPTORS_MS, 100).

-spec start_link(iris_fuzz_agent:settings()) -> {ok, pid()} | {error, term()}.
start_link(Settings) ->
    proc_lib:start_link(?MODULE, init, [self(), Settings]).

%% Where it listens now: after a fault it is another port.
-spec port() -> inet:port_number().
port() ->
    {dictionary, Dictionary} = process_info(whereis(?MODULE), dictionary),
    proplists:get_value(port, Dictionary).

-spec init(pid(), iris_fuzz_agent:settings()) -> no_return().
init(Parent, Settings) ->
    Options = [
        %% Whatever the target has chosen for itself: see iris_fuzz_quiet.
        {inet_backend, inet},
        binary,
        {ip, {127, 0, 0, 1}},
        {packet, 4},
        {packet_size, ?MAX_REQUEST},
        {active, false},
        {nodelay, true},
        {backlog, ?MAX_SESSIONS}
    ],
    {ok, Listen} = gen_tcp:listen(0, Options),
    {ok, Port} = inet:port(Listen),
    undefined = put(port, Port),
    ok = iris_fuzz_file:write_ready(Settings, Port),
    register(?MODULE, self()),
    proc_lib:init_ack(Parent, {ok, self()}),
    accept(Listen).

accept(Listen) ->
    case gen_tcp:accept(Listen) of
        {ok, Socket} ->
            hand_over(Socket),
            accept(Listen);
        {error, econnaborted} ->
            accept(Listen);
        {error, Reason} when Reason =:= emfile; Reason =:= enfile ->
            %% The target has used up the descriptors; it may give some back.
            receive
                never -> ok
            after ?DESCRIPTORS_MS -> ok
            end,
            accept(Listen);
        {error, Reason} ->
            exit({accept, Reason})
    end.

hand_over(Socket) ->
    case has_room() orelse make_room() of
        true -> start_session(Socket);
        false -> gen_tcp:close(Socket)
    end.

has_room() ->
    proplists:get_value(active, supervisor:count_children(iris_fuzz_sessions)) < ?MAX_SESSIONS.

make_room() ->
    Strangers = [
        {Number, Session}
     || {_, Session, _, _} <- supervisor:which_children(iris_fuzz_sessions),
        {true, Number} <- [iris_fuzz_session:stranger(Session)]
    ],
    case lists:sort(Strangers) of
        [{_, Oldest} | _] ->
            %% Not killed, which would be reported. It may have ended by itself.
            _ = supervisor:terminate_child(iris_fuzz_sessions, Oldest),
            true;
        [] ->
            %% One may have ended by now.
            has_room()
    end.

start_session(Socket) ->
    {ok, Session} = supervisor:start_child(iris_fuzz_sessions, [Socket]),
    case gen_tcp:controlling_process(Socket, Session) of
        ok -> Session ! socket_is_yours;
        {error, _} -> exit(Session, kill)
    end.
