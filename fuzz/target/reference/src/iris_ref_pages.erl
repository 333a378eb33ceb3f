%%% Keeps pages for whoever may ask for them, which nobody does. A helper of the planted defect
%%% `binary_leak'.
-module(iris_ref_pages).

-behaviour(gen_server).

-export([start_link/0, keep/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

-spec keep(binary()) -> ok.
keep(Page) ->
    gen_server:cast(?MODULE, {keep, Page}).

-spec init([]) -> {ok, [binary()]}.
init([]) ->
    {ok, []}.

-spec handle_call(term(), gen_server:from(), [binary()]) -> {noreply, [binary()]}.
handle_call(_, _, Pages) -> {noreply, Pages}.

-spec handle_cast({keep, binary()}, [binary()]) -> {noreply, [binary()]}.
handle_cast({keep, Page}, Pages) -> {noreply, [Page | Pages]}.
