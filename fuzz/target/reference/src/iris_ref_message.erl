%%% Messages and their ids.
%%%
%%% A message has a sequence number that grows on each node and over its restarts; stored
%%% messages are sorted by it, so a sender's order is kept. The number is the clock's
%%% milliseconds at the start of the node, shifted by 8 bits, and then counted up: a restart
%%% could repeat a number only after more than 256,000 messages a second. Ten low bits tell
%%% the nodes of a cluster apart. It stays below 2^59, a small integer. The msg_id is the
%%% number in hexadecimal.
-module(iris_ref_message).

-export([init/0, new/1, id/1]).
-export_type([seq/0, message/0]).

-type seq() :: pos_integer().
-type message() :: {seq(), Body :: binary()}.

%% Start to count, unless this node has.
-spec init() -> ok.
init() ->
    case persistent_term:get(?MODULE, none) of
        none ->
            Counter = atomics:new(1, []),
            ok = atomics:put(Counter, 1, erlang:system_time(millisecond) bsl 8),
            persistent_term:put(?MODULE, {Counter, erlang:phash2(node(), 1024)});
        _ ->
            ok
    end.

%% A message with the next number. The body is copied: it is a part of a received segment,
%% and would keep all of that alive for as long as it is stored.
-spec new(iodata()) -> message().
new(Body) ->
    {Counter, Node} = persistent_term:get(?MODULE),
    {(atomics:add_get(Counter, 1, 1) bsl 10) bor Node, binary:copy(iolist_to_binary(Body))}.

-spec id(seq()) -> binary().
id(Seq) ->
    integer_to_binary(Seq, 16).
