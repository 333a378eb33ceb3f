%%% Messages and their ids.
%%%
%%% A message has a sequence number that grows on each node and over its restarts; stored
%%% messages are sorted by it, so a sender's order is kept. The number is the clock's
%%% milliseconds shifted by 8 bits, or one more than the last if that is higher: so what one node
%%% makes is not older, in a store that is full, than what another made long before. Ten low
%%% bits tell the nodes of a cluster apart. It stays below 2^59, a small integer. The msg_id is
%%% the number in hexadecimal.
-module(iris_ref_message).

-export([init/0, new/1, id/1]).
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

%% A message with the next number. The body is copied: it is a part of a received segment,
%% and would keep all of that alive for as long as it is stored.
-spec new(iodata()) -> message().
new(Body) ->
    {Counter, Node} = persistent_term:get(?MODULE),
    {(next(Counter) bsl 10) bor Node, binary:copy(iolist_to_binary(Body))}.

next(Counter) ->
    Last = atomics:get(Counter, 1),
    Next = max(Last + 1, erlang:system_time(millisecond) bsl 8),
    case atomics:compare_exchange(Counter, 1, Last, Next) of
        ok -> Next;
        _ -> next(Counter)
    end.

-spec id(seq()) -> binary().
id(Seq) ->
    integer_to_binary(Seq, 16).
