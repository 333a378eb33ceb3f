%%% What is kept for users who are away: their messages, and when they were last seen.
%%%
%%% Theory of operation. Messages are rows of Mnesia's ordered table iris_ref_message under
%%% `{User, Seq}', so the messages of one user lie together and in order. A message stays
%%% here until it is acknowledged, also while it is on its way to its user: a node that is
%%% killed in between loses nothing, and its user gets it again at the next login. Storing
%%% the same message twice is storing it once.
%%%
%%% This process is the only writer. Readers go to the table. The ceilings below hold what
%%% traffic can leave behind; beyond them the oldest goes first. `age' is an index over all
%%% messages by their age, `counts' the number for each user.
-module(iris_ref_offline).

-behaviour(gen_server).

-include("iris_ref.hrl").

-export([start_link/0, store/1, delete/2, fetch/1, fetch/2, seen/1, seen/2, last_seen/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-record(state, {
    age :: ets:table(),
    counts :: ets:table(),
    bytes = 0 :: non_neg_integer(),
    seen :: ets:table()
}).

%% As many as one connection may have unacknowledged: one login can deliver them all.
-define(MAX_PER_USER, ?MAX_AWAITING).
%% Enough for twenty full mailboxes. A start loads and indexes that many in 0.1 s.
-define(MAX_MESSAGES, 20_000).
%% Mnesia holds all of it in memory.
-define(MAX_BYTES, 64 * 1024 * 1024).
%% Users whose last visit is remembered. Each has the slot that its name hashes to, and a
%% newer one in the same slot takes its place: the size is fixed by construction.
-define(SEEN_SLOTS, 1024).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Keep messages for users. They are safe from a kill after iris_ref_store:commit/0.
-spec store([{User :: binary(), [iris_ref_message:message()]}]) -> ok.
store(Mail) ->
    gen_server:call(?MODULE, {store, Mail}, infinity).

%% Forget messages of a user, for they were acknowledged.
-spec delete(binary(), [iris_ref_message:seq()]) -> ok.
delete(User, Seqs) ->
    gen_server:call(?MODULE, {delete, User, Seqs}, infinity).

%% All messages of a user, oldest first.
-spec fetch(binary()) -> [iris_ref_message:message()].
fetch(User) ->
    fetch_after({User, 0}).

fetch_after({User, _} = Key) ->
    case mnesia:dirty_next(iris_ref_message, Key) of
        {User, Seq} = Next -> fetch(User, [Seq]) ++ fetch_after(Next);
        _ -> []
    end.

%% Those of some messages of a user that are still stored.
-spec fetch(binary(), [iris_ref_message:seq()]) -> [iris_ref_message:message()].
fetch(User, Seqs) ->
    Keys = [{User, Seq} || Seq <- Seqs],
    [
        {Seq, Body}
     || Key <- Keys, {_, {_, Seq}, Body} <- mnesia:dirty_read(iris_ref_message, Key)
    ].

%% Remember that a user was last seen now, by the clock of the core.
-spec seen(binary()) -> ok.
seen(User) ->
    seen(User, iris_ref_clock:now(second)).

%% Remember when a user was last seen, in seconds; `still' is only said by a planted defect.
-spec seen(binary(), non_neg_integer() | still) -> ok.
seen(User, Time) ->
    gen_server:cast(?MODULE, {seen, User, Time}).

%% When a user was last seen, in seconds; 0 if that is not known (any more).
-spec last_seen(binary()) -> non_neg_integer() | still.
last_seen(User) ->
    gen_server:call(?MODULE, {last_seen, User}, infinity).

-spec init([]) -> {ok, #state{}}.
init([]) ->
    Age = ets:new(iris_ref_offline_age, [ordered_set]),
    Counts = ets:new(iris_ref_offline_counts, []),
    Seen = ets:new(iris_ref_offline_seen, []),
    Nobody = <<0:128>>,
    true = ets:insert(Seen, [{Slot, Nobody, 0} || Slot <- lists:seq(1, ?SEEN_SLOTS)]),
    State = #state{age = Age, counts = Counts, seen = Seen},
    ok = iris_ref_amnesia:store_opens(),
    {ok, index(mnesia:dirty_first(iris_ref_message), State)}.

index('$end_of_table', State) ->
    State;
index({User, Seq} = Key, State) ->
    [{_, Body}] = fetch(User, [Seq]),
    index(mnesia:dirty_next(iris_ref_message, Key), count_in(Key, byte_size(Body), State)).

-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call({store, Mail}, _, State) ->
    Messages = [{{User, Seq}, Body} || {User, Batch} <- Mail, {Seq, Body} <- Batch],
    {reply, ok, lists:foldl(fun put_message/2, State, Messages)};
handle_call({delete, User, Seqs}, _, State) ->
    {reply, ok, lists:foldl(fun(Seq, S) -> drop({User, Seq}, S) end, State, Seqs)};
handle_call({last_seen, User}, _, State) when byte_size(User) =< ?MAX_NAME ->
    [{_, Known, Time}] = ets:lookup(State#state.seen, slot(User)),
    Seen =
        case erlang:md5(User) of
            Known -> Time;
            _ -> 0
        end,
    {reply, Seen, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast({seen, User, Time}, State) ->
    true = ets:insert(State#state.seen, {slot(User), erlang:md5(User), Time}),
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info(_, State) ->
    {noreply, State}.

%% Names are kept as their digests, so that the table is as large on its first day as ever after.
slot(User) -> 1 + erlang:phash2(User, ?SEEN_SLOTS).

put_message({{User, Seq} = Key, Body}, State) ->
    case ets:member(State#state.age, {Seq, User}) of
        true ->
            State;
        false ->
            ok = mnesia:dirty_write({iris_ref_message, Key, Body}),
            ok = iris_ref_amnesia:stored(Key, Body),
            make_room(User, count_in(Key, byte_size(Body), State))
    end.

make_room(User, State) ->
    case ets:lookup_element(State#state.counts, User, 2) of
        Count when Count > ?MAX_PER_USER ->
            drop(mnesia:dirty_next(iris_ref_message, {User, 0}), State);
        _ ->
            make_room(State)
    end.

make_room(#state{age = Age, bytes = Bytes} = State) ->
    case ets:info(Age, size) > ?MAX_MESSAGES orelse Bytes > ?MAX_BYTES of
        true ->
            {Seq, User} = ets:first(Age),
            make_room(drop({User, Seq}, State));
        false ->
            State
    end.

drop({User, Seq} = Key, State) ->
    case ets:take(State#state.age, {Seq, User}) of
        [{_, Size}] ->
            ok = mnesia:dirty_delete(iris_ref_message, Key),
            count_out(User, Size, State);
        [] ->
            State
    end.

count_in({User, Seq}, Size, #state{age = Age, counts = Counts, bytes = Bytes} = State) ->
    true = ets:insert(Age, {{Seq, User}, Size}),
    _ = ets:update_counter(Counts, User, 1, {User, 0}),
    State#state{bytes = Bytes + Size}.

count_out(User, Size, #state{counts = Counts, bytes = Bytes} = State) ->
    case ets:update_counter(Counts, User, -1) of
        0 -> true = ets:delete(Counts, User);
        _ -> true
    end,
    State#state{bytes = Bytes - Size}.
