%%% The books of what was sent and of what was received, one server for each. Helpers of the
%%% planted defect `call_cycle'.
%%%
%%% Each asks the other for its half of an account before it answers. Both wait for ever.
-module(iris_ref_ledger).

-behaviour(gen_server).

-export([start_link/1, settle/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-type book() :: iris_ref_ledger_sent | iris_ref_ledger_received.

-spec start_link(book()) -> gen_server:start_ret().
start_link(Book) ->
    gen_server:start_link({local, Book}, ?MODULE, Book, []).

%% Settle the account of a user with itself.
-spec settle(binary()) -> ok.
settle(User) ->
    gen_server:call(iris_ref_ledger_sent, {settle, User}, infinity).

-spec init(book()) -> {ok, book()}.
init(Book) ->
    {ok, Book}.

-spec handle_call({settle, binary()}, gen_server:from(), book()) -> {reply, ok, book()}.
handle_call({settle, User}, _, Book) ->
    {reply, gen_server:call(other(Book), {settle, User}, infinity), Book}.

-spec handle_cast(term(), book()) -> {noreply, book()}.
handle_cast(_, Book) -> {noreply, Book}.

other(iris_ref_ledger_sent) -> iris_ref_ledger_received;
other(iris_ref_ledger_received) -> iris_ref_ledger_sent.
