%%% The rate limiter: a token bucket of 500 for each user, refilled with 100 a second.
%%%
%%% Theory of operation. A bucket is kept as one number, the time at which it will be full
%%% again (the generic cell rate algorithm): a message moves that time 10 ms on, and it may
%%% lie at most 500 * 10 ms ahead. One ets:update_counter/4 does it, so that all connections
%%% of a user share the bucket without a lock and without this process, which only owns the
%%% sweep: a row whose time has come is a full bucket, the same as no row, and is removed.
%%%
%%% The bucket of a user is the core's, so that it is one, whatever edges the user is on. An edge
%%% whose core is away counts by itself until it is back.
%%%
%%% A batch is charged for each of its messages: as many as there are tokens for are let
%%% through, in order. LOGIN costs nothing but is refused to a user without a token, so
%%% that connecting again is no way round the limit. Source: RFC-001.
-module(iris_ref_limiter).

-behaviour(gen_server).

-export([create_table/0, start_link/0, take/2, take_all/2, has_token/1, logged_in/1, looked_up/1]).
%% What is done where the bucket is.
-export([charge/2, holds_token/1, forget/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, report/1]).

-define(TABLE, ?MODULE).
-define(NANOSECONDS_PER_TOKEN, 10_000_000).
-define(BURST, 500).
%% A row is of no use 5 s after its last message at the latest.
-define(SWEEP_MS, 1000).

%% Make the table; its owner is the caller, a supervisor, so that it outlives this process.
-spec create_table() -> ok.
create_table() ->
    ?TABLE = ets:new(?TABLE, [named_table, public, {write_concurrency, true}]),
    ok.

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Take tokens for a number of messages: how many may pass, and after how many milliseconds
%% the next token comes if not all may.
-spec take(binary(), pos_integer()) -> {Granted :: non_neg_integer(), RetryMs :: non_neg_integer()}.
take(User, Count) ->
    at_core(charge, [key(User), Count]).

%% PLANTED: bucket_per_edge - each edge has buckets of its own: who is on two edges has two.
at_core(Function, Arguments) ->
    Own = iris_ref_plant:on(bucket_per_edge),
    case Own orelse iris_ref_core:call(?MODULE, Function, Arguments) of
        {ok, Answer} -> Answer;
        _ -> apply(?MODULE, Function, Arguments)
    end.

-type key() :: binary() | {binary(), pid()}.

-spec charge(key(), pos_integer()) -> {non_neg_integer(), non_neg_integer()}.
charge(Key, Count) ->
    Now = erlang:monotonic_time(nanosecond),
    Cost = Count * token_time(),
    %% The first step brings a time that has passed up to now, and takes 1 ns otherwise.
    Steps = [{2, -1, Now, Now}, {2, Cost + 1}],
    [_, FullAt] = ets:update_counter(?TABLE, Key, Steps, {Key, Now}),
    case FullAt - Now - burst() * (token_time() + 1) of
        Excess when Excess =< 0 -> {Count, 0};
        Excess -> give_back(Key, Count, Excess, Now)
    end.

%% PLANTED: rate_per_connection - the bucket is the connection's: who comes on two has two.
%% PLANTED: bucket_shared - the bucket goes by the last four bytes of a name, as a table of fixed
%% width would have it: users whose names end alike share one.
key(User) ->
    case iris_ref_plant:on(rate_per_connection) of
        true -> {User, self()};
        false -> short(User, byte_size(User) - 4)
    end.

short(User, More) when More > 0 ->
    case iris_ref_plant:on(bucket_shared) of
        true -> binary:part(User, More, 4);
        false -> User
    end;
short(User, _) ->
    User.

%% PLANTED: refill_slow - a token comes after 100 ms, not 10: a tenth of the rate.
%% PLANTED: refill_fast - a token comes after 1 ms: ten times the rate.
token_time() ->
    case {iris_ref_plant:on(refill_slow), iris_ref_plant:on(refill_fast)} of
        {true, _} -> 10 * ?NANOSECONDS_PER_TOKEN;
        {_, true} -> ?NANOSECONDS_PER_TOKEN div 10;
        _ -> ?NANOSECONDS_PER_TOKEN
    end.

%% PLANTED: login_refills - the bucket starts with the login: who logs in again has a full one.
-spec logged_in(binary()) -> ok.
logged_in(User) ->
    _ = iris_ref_plant:on(login_refills) andalso at_core(forget, [key(User)]),
    ok.

-spec forget(key()) -> true.
forget(Key) ->
    ets:delete(?TABLE, Key).

%% PLANTED: shallow - a name that is looked up is told to the limiter, which takes it for UTF-8.
%% It crashes on one that is not, and with it go all connections and listeners, for its supervisor
%% is rest_for_one: what a random case in fifty does.
-spec looked_up(binary()) -> ok.
looked_up(Name) ->
    case iris_ref_plant:on(shallow) of
        true -> gen_server:cast(?MODULE, {looked_up, Name});
        false -> ok
    end.

%% PLANTED: bucket_off_by_one - the bucket is full with one token less: the 500th message of a
%% burst is refused.
burst() ->
    case iris_ref_plant:on(bucket_off_by_one) of
        true -> ?BURST - 1;
        false -> ?BURST
    end.

%% PLANTED: batch_unmetered - a batch is one message to the limiter, whatever is in it.
-spec take_all(binary(), pos_integer()) ->
    {Granted :: non_neg_integer(), RetryMs :: non_neg_integer()}.
take_all(User, Count) ->
    case iris_ref_plant:on(batch_unmetered) of
        true ->
            {One, RetryMs} = take(User, 1),
            {One * Count, RetryMs};
        false ->
            take(User, Count)
    end.

%% PLANTED: refused_counted - the tokens of what is refused are not given back: who goes on
%% sending is refused for as long as all of it would have taken.
give_back(Key, Count, Excess, Now) ->
    Refused = min(Count, ceiling(Excess, token_time())),
    _ = iris_ref_plant:on(refused_counted) orelse
        ets:update_counter(?TABLE, Key, {2, -Refused * token_time()}, {Key, Now}),
    Wait = Excess - (Refused - 1) * token_time(),
    {Count - Refused, told(max(1, ceiling(Wait, 1_000_000)))}.

%% PLANTED: retry_zero - the wait is told in whole seconds, where milliseconds are meant: 0.
told(Milliseconds) ->
    case iris_ref_plant:on(retry_zero) of
        true -> Milliseconds div 1000;
        false -> Milliseconds
    end.

ceiling(Number, Divisor) -> (Number + Divisor - 1) div Divisor.

%% Tell whether a user has a token, without taking it.
-spec has_token(binary()) -> boolean().
has_token(User) ->
    at_core(holds_token, [key(User)]).

-spec holds_token(key()) -> boolean().
holds_token(Key) ->
    Latest = erlang:monotonic_time(nanosecond) + (?BURST - 1) * token_time(),
    case ets:lookup(?TABLE, Key) of
        [{_, FullAt}] -> FullAt =< Latest;
        [] -> true
    end.

-spec init([]) -> {ok, []}.
init([]) ->
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {ok, []}.

-spec handle_call(term(), gen_server:from(), []) -> {noreply, []}.
handle_call(_, _, State) -> {noreply, State}.

-spec handle_cast({looked_up, binary()}, []) -> {noreply, []}.
%% Nothing is cast to this process but by the planted defect shallow.
handle_cast({looked_up, Name}, State) ->
    true = is_list(unicode:characters_to_list(Name)),
    {noreply, State}.

-spec handle_info(term(), []) -> {noreply, []}.
handle_info(sweep, State) ->
    Now = erlang:monotonic_time(nanosecond),
    ok = report_before(Now),
    _ = ets:select_delete(?TABLE, [{{'_', '$1'}, [{'<', '$1', Now}], [true]}]),
    _ = erlang:send_after(?SWEEP_MS, self(), sweep),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

%% PLANTED: limiter_far - the users whose buckets are full again are told to the log by a process
%% of its own, which takes each name for UTF-8. Nothing asks that of a name: the process crashes
%% up to a second after the message that left the row.
report_before(Now) ->
    case iris_ref_plant:on(limiter_far) of
        true ->
            Users = ets:select(?TABLE, [{{'$1', '$2'}, [{'<', '$2', Now}], ['$1']}]),
            _ = proc_lib:spawn(?MODULE, report, [Users]),
            ok;
        false ->
            ok
    end.

-spec report([binary()]) -> ok.
report(Users) ->
    _ = [[_ | _] = unicode:characters_to_list(User) || User <- Users],
    ok.
