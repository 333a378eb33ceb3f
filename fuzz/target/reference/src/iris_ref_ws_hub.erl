%%% What all WebSocket connections share. A helper of the planted defect `ws_listener'.
%%%
%%% Connections are linked to it, and end with it. It counts control frames, and has no clause
%%% for one that a WebSocket must not send (RFC 6455, section 5.5).
-module(iris_ref_ws_hub).

-behaviour(gen_server).

-export([start_link/0, join/0, control/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(MAX_CONTROL, 125).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Link the calling connection to the hub, where there is one.
-spec join() -> ok.
join() ->
    case whereis(?MODULE) of
        undefined ->
            ok;
        Hub ->
            true = link(Hub),
            ok
    end.

%% A control frame with that FIN bit and that length.
-spec control(0 | 1, non_neg_integer()) -> ok.
control(Fin, Length) ->
    gen_server:cast(?MODULE, {control, Fin, Length}).

-spec init([]) -> {ok, non_neg_integer()}.
init([]) ->
    %% A connection that ends takes nobody with it: only the other way round.
    _ = process_flag(trap_exit, true),
    {ok, 0}.

-spec handle_call(term(), gen_server:from(), non_neg_integer()) -> {noreply, non_neg_integer()}.
handle_call(_, _, Count) -> {noreply, Count}.

-spec handle_cast({control, 0 | 1, non_neg_integer()}, non_neg_integer()) ->
    {noreply, non_neg_integer()}.
handle_cast({control, 1, Length}, Count) when Length =< ?MAX_CONTROL -> {noreply, Count + 1}.

-spec handle_info(term(), non_neg_integer()) -> {noreply, non_neg_integer()}.
handle_info(_, Count) -> {noreply, Count}.
