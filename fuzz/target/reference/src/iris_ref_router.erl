%%% From one user to another: to a connection if there is one, else to the store.
%%%
%%% Theory of operation. A connection gets `{iris_ref, User, Event}'. Between finding it and
%%% the arrival of the message it may end, and nobody would know. So the sender looks whether
%%% it is still listed after the message was sent; a connection that ends unlists itself first
%%% and stores what is in its mailbox then. Either the sender or the connection sees to the
%%% message; if both do, it is stored twice under one number, which is once.
%%%
%%% Likewise a user may log in between `is away' and `is stored', having looked into the
%%% store too early. So who has stored looks again, and tells a connection what is there.
%%%
%%% A connection on another node is reached by a call to this module there, so the look
%%% after the sending happens where the connection is.
-module(iris_ref_router).

-export([deliver/2, store/1, relay/2, hand_over/2]).
-export_type([event/0]).

-type event() ::
    {messages, [iris_ref_message:message()]}
    | {stored, [iris_ref_message:seq()]}
    | {relay, iodata()}.

%% Another node answers in well under a millisecond; one that is silent for so long is gone.
-define(CALL_MS, 5000).

%% Deliver messages to a connection of a user, if there is one.
-spec deliver(binary(), [iris_ref_message:message()]) -> delivered | offline.
deliver(User, Messages) ->
    send(User, {messages, Messages}).

%% Store messages for users; tell those who have come online in the meantime.
-spec store([{binary(), [iris_ref_message:message()]}]) -> ok | unavailable.
store(Mail) ->
    case iris_ref_core:call(iris_ref_offline, store, [Mail]) of
        {ok, ok} ->
            _ = [send(User, {stored, [Seq || {Seq, _} <- Messages]}) || {User, Messages} <- Mail],
            ok;
        unavailable ->
            unavailable
    end.

%% Send a frame that nobody misses if its receiver is away.
-spec relay(binary(), iodata()) -> ok.
relay(User, Frame) ->
    _ = send(User, {relay, Frame}),
    ok.

send(User, Event) ->
    case iris_ref_presence:locate(User) of
        {ok, Key} -> sent(hand_over(Key, Event), Key);
        offline -> offline
    end.

sent(true, _) ->
    delivered;
sent(false, Key) ->
    _ = iris_ref_core:call(iris_ref_presence, remove, [Key]),
    offline.

%% Send an event to one connection, on whatever node; whether it will see to it.
-spec hand_over(iris_ref_presence:key(), event()) -> boolean().
hand_over({User, _, Pid} = Key, Event) when node(Pid) =:= node() ->
    Pid ! {iris_ref, User, Event},
    iris_ref_presence:is_listed(Key);
hand_over({_, _, Pid} = Key, Event) ->
    try
        Sent = iris_ref_crossing:handed_over(Event),
        erpc:call(node(Pid), ?MODULE, hand_over, [Key, Sent], ?CALL_MS)
    catch
        error:{erpc, _} -> false
    end.
