%%% The supervisor of all connections. A connection that ends, in whatever way, is not
%%% restarted: its client has gone with it.
-module(iris_ref_conn_sup).

-behaviour(supervisor).

-export([start_link/0, start_connection/2]).
-export([init/1]).

%% Storing the mail of a client takes milliseconds, and many share one sync of the disc. It comes after
%% a send that the connection may be stuck in: killed in that, it would take all that its client has
%% not acknowledged along.
-define(STORE_MS, 2000).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec start_connection(tcp | ws, iris_ref_socket:socket()) -> supervisor:startchild_ret().
start_connection(Transport, Socket) ->
    supervisor:start_child(?MODULE, [Transport, Socket]).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Connection = #{
        id => iris_ref_conn,
        start => {iris_ref_conn, start_link, []},
        restart => temporary,
        shutdown => iris_ref_listener:send_ms() + ?STORE_MS
    },
    {ok, {#{strategy => simple_one_for_one}, [Connection]}}.
