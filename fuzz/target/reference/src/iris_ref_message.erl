%%% Messages and their ids.
%%%
%%% A message has a sequence number, and stored messages are sorted by it: so a sender's order is
%%% kept, and in a store that is full the oldest goes first. The numbers are the core's, which hands
%%% them out to all edges. Edges that counted by their own clocks would put what is sent at one whose
%%% clock is behind before what was sent, seconds ago, at another.
%%%
%%% A number is the milliseconds of the core's clock shifted by 8 bits, or one more than the last if
%%% that is higher: so it grows over restarts, too. An edge whose core is away counts on from the
%%% last number that it got, which the core's clock has long passed when it is back; ten low bits
%%% tell the nodes of a cluster apart. It stays below 2^59, a small integer. The msg_id is the number
%%% in hexadecimal.
-module(iris_ref_message).

-export([init/0, new/1, batch/1, take/1, id/1]).
-export_type([seq/0, message/0]).

-type seq() :: pos_integer().
-type message() :: {seq(), Body :: binary()}.

%% Have a number to count up from, unless this node has one.
-spec init() -> ok.
init() ->
    case persistent_term:get(?MODULE, none) of
        none ->
            Counter = atomics:new(1, []),
            persistent_term:put(?MODULE, {Counter, erlang:phash2(node(), 1024)});
        _ ->
            ok
    end.

%% A message with the next number.
-spec new(iodata()) -> message().
new(Body) ->
    [Message] = batch([Body]),
    Message.

%% Messages with the next numbers, in this order. The bodies are copied: each is a part of a
%% received segment, and would keep all of that alive for as long as it is stored.
-spec batch([iodata()]) -> [message()].
batch([]) ->
    [];
batch(Bodies) ->
    {Counter, Node} = persistent_term:get(?MODULE),
    Count = length(Bodies),
    First = first(Counter, Count),
    [
        {(Number bsl 10) bor Node, binary:copy(iolist_to_binary(Body))}
     || {Number, Body} <- lists:zip(lists:seq(First, First + Count - 1), Bodies)
    ].

first(Counter, Count) ->
    case iris_ref_core:call(?MODULE, take, [Count]) of
        {ok, First} ->
            _ = count_on(Counter, 0, First + Count),
            First;
        unavailable ->
            count_on(Counter, Count, 0)
    end.

%% The first of so many numbers that this node, the core, has not given to anybody.
-spec take(pos_integer()) -> pos_integer().
take(Count) ->
    {Counter, _} = persistent_term:get(?MODULE),
    count_on(Counter, Count, iris_ref_clock:now(millisecond) bsl 8).

%% Count on by so many, from a number that is not below Least; the first of them.
count_on(Counter, Count, Least) ->
    Last = atomics:get(Counter, 1),
    First = max(Last + 1, Least),
    case atomics:compare_exchange(Counter, 1, Last, First + Count - 1) of
        ok -> First;
        _ -> count_on(Counter, Count, Least)
    end.

-spec id(seq()) -> binary().
id(Seq) ->
    integer_to_binary(Seq, 16).
