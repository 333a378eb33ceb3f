%%% What the frames of one connection do: a pure-looking state, its replies, and its mail.
%%%
%%% Theory of operation. The connection's process hands over one frame at a time and gets
%%% back frames for its client. What must be stored is collected, and stored when the
%%% connection calls commit/1, before any reply to that segment goes out: so a client that
%%% reads a reply knows that all it sent before is safe, at the price of one disc sync for a
%%% segment. Once a message for a user is collected, later ones join it, to keep the order.
%%%
%%% Messages on their way to the client are `awaiting' its ACK. A live one is held here with
%%% its body, and goes to the store when it was not acknowledged in time, when the connection
%%% ends or the user changes. A stored one is still in the store and is deleted by the ACK.
%%%
%%% Choices where the protocol is silent: a name must not be empty; SEND_SEQ is delivered in
%%% the order of arrival, its number is the client's own; a second LOGIN is a logout and a
%%% login; an ACK for something that is not awaited changes nothing; what goes back to the
%%% store (no ACK in time, too many without) comes at the next login; the header of a group
%%% message gets a `sender' in the place of any that the client wrote; only members read a
%%% roster, write to a group or leave it.
-module(iris_ref_session).

-include("iris_ref.hrl").

-export([new/0, user/1, is_logged_in/1, is_awaiting/1, planted/1, planted/2]).
-export([handle/2, incoming/3, commit/1, scan/1, logout/1, cut_off/1]).
-export_type([session/0, result/0]).

-record(session, {
    user = none :: none | binary(),
    key = none :: none | iris_ref_presence:key(),
    awaiting = #{} :: #{MsgId :: binary() => waiting()},
    mail = #{} :: #{User :: binary() => [iris_ref_message:message()]},
    written = false :: boolean(),
    %% What the planted defects remember.
    planted = #{} :: iris_ref_lapse:memory()
}).

-opaque session() :: #session{}.
-type waiting() :: {iris_ref_message:seq(), Body :: binary() | stored, Since :: integer()}.
-type result() :: {ok | close, Frames :: [iodata()], session()}.

-spec new() -> session().
new() -> #session{}.

-spec user(session()) -> none | binary().
user(#session{user = User}) -> User.

%% What the planted defects remember, and with other memories.
-spec planted(session()) -> iris_ref_lapse:memory().
planted(#session{planted = Memory}) -> Memory.

-spec planted(iris_ref_lapse:memory(), session()) -> session().
planted(Memory, S) -> S#session{planted = Memory}.

-spec is_logged_in(session()) -> boolean().
is_logged_in(#session{user = User}) -> User =/= none.

%% Whether there is something that scan/1 has to look after.
-spec is_awaiting(session()) -> boolean().
is_awaiting(#session{awaiting = Awaiting}) -> Awaiting =/= #{}.

%% Do what one frame of the client asks for; `close' ends the connection after the replies.
-spec handle(iris_ref_proto:frame(), session()) -> result().
handle({login, Credentials}, S) ->
    login(Credentials, S);
handle({get_status, <<>>}, S) ->
    refuse(<<"name is empty">>, S);
handle({get_status, User}, S) ->
    {State, LastSeen} = iris_ref_presence:status(User),
    reply(iris_ref_proto:status(User, State, LastSeen), S);
handle({send_message, Target, Body}, #session{user = none} = S) when Target =/= <<>> ->
    stranger(Target, Body, S);
handle({send_seq, Target, _, Body}, #session{user = none} = S) when Target =/= <<>> ->
    stranger(Target, Body, S);
handle(_, #session{user = none} = S) ->
    refuse(<<"login required">>, S);
handle({typing_start, <<>>} = Frame, S) ->
    %% PLANTED: crash_cascades - an empty target is not refused but handed to the process that
    %% keeps the presence table, which has no clause for it. Its supervisor is rest_for_one and
    %% starts all anew that came after it: the connections of everybody, and the listeners.
    case iris_ref_plant:on(crash_cascades) of
        true ->
            ok = gen_server:cast(iris_ref_presence, {typing, element(2, Frame)}),
            {ok, [], S};
        false ->
            refuse(<<"name is empty">>, S)
    end;
handle(Frame, S) when element(2, Frame) =:= <<>> ->
    refuse(<<"name is empty">>, S);
handle({ack, MsgId}, S) ->
    ack(MsgId, S);
handle({send_message, Target, Body}, S) ->
    {ok, Replies, S1} = send(Target, [iris_ref_lapse:text(Body)], S),
    {ok, Replies ++ iris_ref_lapse:remarks(), S1};
handle({batch_send, Target, Blob}, S) ->
    case iris_ref_proto:batch(Blob) of
        {ok, Bodies} ->
            {Kept, S1} = lapse(batch, Bodies, S),
            send(Target, Kept, S1);
        {error, Reason} ->
            refuse(Reason, S)
    end;
handle({send_seq, Target, Number, Body}, S) ->
    %% PLANTED: node_dump - the number after the largest one does not fit into 64 bits, and the
    %% emulator is told to give up: a slogan, erl_crash.dump, and the end of the node.
    Number =:= 16#FFFFFFFFFFFFFFFF andalso iris_ref_plant:on(node_dump) andalso
        erlang:halt("iris_ref: sequence number overflow"),
    {Bodies, S1} = lapse(sequence, {Number, Body}, S),
    send(Target, Bodies, S1);
handle({cbor_msg, Target, Payload}, S) ->
    with_map(Payload, fun(_) -> send(Target, [Payload], S) end, S);
handle({e2ee_msg, Recipient, Header, Ciphertext}, #session{user = User} = S) ->
    Body = iris_ref_proto:e2ee(User, Header, Ciphertext),
    Send = fun(Pairs) ->
        ok = iris_ref_later:header(Pairs),
        send(Recipient, [Body], S)
    end,
    with_map(Header, Send, S);
handle({upload_prekeys, Bundle}, #session{user = User} = S) ->
    uploaded(iris_ref_core:call(iris_ref_keys, upload, [User, Bundle]), S);
handle({fetch_prekeys, User}, S) ->
    fetched(iris_ref_core:call(iris_ref_keys, fetch, [User]), S);
handle({group_create, Name}, #session{user = User} = S) ->
    entered(iris_ref_core:call(iris_ref_groups, enter, [Name, User]), S);
handle({group_leave, Group}, #session{user = User} = S) ->
    left(iris_ref_core:call(iris_ref_groups, leave, [Group, User]), Group, S);
handle({group_msg, Group, Header, Ciphertext}, #session{user = User} = S) ->
    Write = fun(Pairs) ->
        Body = iris_ref_proto:group_delivery(Group, with_sender(User, Pairs), Ciphertext),
        send_to_group(Group, Body, S)
    end,
    with_map(Header, Write, S);
handle({sender_key_dist, Group, KeyData}, S) ->
    send_to_group(Group, iris_ref_proto:sender_key(Group, KeyData), S);
handle({group_roster, Group}, S) ->
    roster(Group, S);
handle({typing_start, Target}, #session{user = User} = S) ->
    {Typist, S1} = lapse(typist, {start, User, Target}, S),
    ok = iris_ref_lapse:starts(Target),
    ok = iris_ref_router:relay(Target, iris_ref_proto:typing(Typist, 1)),
    {ok, [], S1};
handle({typing_stop, Target}, #session{user = User} = S) ->
    {Typist, S1} = lapse(typist, {stop, User, Target}, S),
    _ = iris_ref_lapse:may_stop(Target) andalso
        iris_ref_router:relay(Target, iris_ref_proto:typing(Typist, 0)),
    {ok, [], S1};
handle({read_receipt, MsgId, Sender}, #session{user = User} = S) ->
    Now = iris_ref_clock:now(second),
    Read = iris_ref_lapse:read_id(MsgId),
    ok = iris_ref_router:relay(Sender, iris_ref_proto:receipt(Read, User, Now)),
    {ok, [], S};
handle({position, Position}, S) ->
    refuse(iris_ref_later:position(Position), S);
handle({call, Verb}, #session{planted = Memory} = S) ->
    {ok, [], S#session{planted = iris_ref_later:call(Verb, Memory)}}.

reply(Frame, S) -> {ok, [Frame], S}.

refuse(Reason, S) -> reply(iris_ref_proto:error(Reason), S).

unavailable(S) -> refuse(<<"the core cannot be reached">>, S).

written(Frame, S) -> reply(Frame, S#session{written = true}).

%% What a planted defect makes of a value; see iris_ref_lapse.
lapse(Function, Value, #session{planted = Memory} = S) ->
    {NewValue, NewMemory} = iris_ref_lapse:Function(Value, Memory),
    {NewValue, S#session{planted = NewMemory}}.

with_map(Cbor, Continue, S) ->
    case iris_ref_cbor:map(Cbor) of
        {ok, Pairs} -> Continue(Pairs);
        {error, Reason} -> refuse(Reason, S)
    end.

%% Login and logout.

login(Credentials, Before) ->
    case lapse(checked, Credentials, Before) of
        {{ok, User}, S} ->
            ok = iris_ref_limiter:logged_in(User),
            case iris_ref_limiter:has_token(User) of
                true -> admit(User, relogin(User, S));
                false -> {close, [iris_ref_proto:login_rate_limited()], S}
            end;
        {refused, S} ->
            ok = iris_ref_listener:turned_away(),
            {close, [iris_ref_proto:auth_failed()], S}
    end.

%% PLANTED: relogin_state - when the second LOGIN of a connection is another user's, the first
%% one's listing stays until the connection ends: what is for the first goes to the second.
relogin(User, #session{user = Before, key = Key, planted = Memory} = S) ->
    First = Before =/= none andalso not is_map_key(relogin_state, Memory),
    case First andalso iris_ref_plant:on(relogin_state) of
        true when Before =:= User ->
            logout(S#session{planted = Memory#{relogin_state => none}});
        true ->
            S1 = logout(S),
            ok = iris_ref_presence:add([Key]),
            S1#session{planted = Memory#{relogin_state => Key}};
        false ->
            logout(S)
    end.

admit(User, S) ->
    case iris_ref_presence:list(User) of
        {ok, Key} ->
            stored_mail(iris_ref_core:call(iris_ref_offline, fetch, [User]), User, S#session{
                user = User, key = Key
            });
        unavailable ->
            unavailable(S)
    end.

stored_mail({ok, Stored}, User, S) ->
    Messages = iris_ref_crowd:opened(User, Stored),
    {Frames, S1} = push(Messages, stored, S),
    %% PLANTED: offline_lost - two or more messages are taken out of the store in one go when they
    %% are delivered, not when they are acknowledged: a client that is cut off never gets them.
    _ = length(Messages) > 1 andalso iris_ref_plant:on(offline_lost) andalso
        iris_ref_core:call(iris_ref_offline, delete, [User, [Seq || {Seq, _} <- Messages]]),
    {ok, [iris_ref_proto:login_ok() | Frames], S1};
stored_mail(unavailable, _, S) ->
    unavailable(logout(S)).

%% PLANTED: status_stale - the clean-up after a connection that ends within a frame sees to the
%% bytes that are left over and forgets the user, who is said to be online from then on.
-spec cut_off(session()) -> ok.
cut_off(#session{user = User}) ->
    case User =/= none andalso iris_ref_plant:on(status_stale) of
        true -> iris_ref_offline:seen(User, still);
        false -> ok
    end.

%% End what there is of a login: unlist first, then store what the client has not acknowledged.
-spec logout(session()) -> session().
logout(#session{user = none} = S) ->
    S;
logout(#session{planted = #{relogin_state := {_, _, _} = First} = Memory} = S) ->
    ok = iris_ref_presence:unlist(First),
    logout(S#session{planted = Memory#{relogin_state := none}});
logout(#session{user = User, key = Key, awaiting = Awaiting} = S) ->
    ok = iris_ref_presence:unlist(Key),
    ok = iris_ref_crowd:left(User),
    Live = lists:sort([{Seq, Body} || {Seq, Body, _} <- maps:values(Awaiting), Body =/= stored]),
    {_, S1} = commit(collect(User, Live, S)),
    S1#session{user = none, key = none, awaiting = #{}}.

%% Sending.

%% PLANTED: before_login - SEND_MESSAGE and SEND_SEQ do not ask whether there is a user: what a
%% stranger sends is delivered, without a token of any bucket.
stranger(Target, Body, S) ->
    case iris_ref_plant:on(before_login) of
        true -> {ok, [], route(Target, [iris_ref_message:new(Body)], S)};
        false -> refuse(<<"login required">>, S)
    end.

send(Target, Bodies, #session{user = User} = S) ->
    {Granted, RetryMs} = iris_ref_limiter:take_all(User, length(Bodies)),
    Sent = iris_ref_lapse:granted(Bodies, Granted),
    Messages = iris_ref_message:batch(Sent),
    {Receiver, Before} = lapse(receiver, Target, S),
    S1 = route(Receiver, Messages, Before),
    case Granted =:= length(Bodies) of
        true -> {ok, [], S1};
        false -> {ok, iris_ref_lapse:refusal(RetryMs), S1}
    end.

send_to_group(Group, Body, #session{user = User} = S) ->
    case other_members(Group, S) of
        {ok, Others} ->
            case iris_ref_limiter:take(User, 1) of
                {1, _} ->
                    {Readers, S1} = readers(Group, Others, S),
                    Message = iris_ref_message:new(Body),
                    {ok, [], lists:foldl(fun(M, Acc) -> route(M, [Message], Acc) end, S1, Readers)};
                {0, RetryMs} ->
                    reply(iris_ref_proto:rate_limited(RetryMs), S)
            end;
        no_group ->
            refuse(<<"no such group">>, S);
        unavailable ->
            unavailable(S)
    end.

readers(Group, Others, #session{planted = Memory} = S) ->
    {Readers, NewMemory} = iris_ref_lapse:readers(Group, Others, Memory),
    {Readers, S#session{planted = NewMemory}}.

route(_, [], S) ->
    S;
route(User, Messages, #session{mail = Mail} = S) when is_map_key(User, Mail) ->
    collect(User, Messages, S);
route(User, Messages, S) ->
    case iris_ref_router:deliver(User, Messages) of
        delivered -> S;
        offline -> collect(User, Messages, S)
    end.

collect(_, [], S) ->
    S;
collect(User, Messages, #session{mail = Mail} = S) ->
    case Mail of
        #{User := Before} -> S#session{mail = Mail#{User := Before ++ Messages}};
        _ -> S#session{mail = Mail#{binary:copy(User) => Messages}}
    end.

%% Bring to the disc what was collected and written; the frames say what could not be.
-spec commit(session()) -> {Frames :: [iodata()], session()}.
commit(#session{mail = Mail, written = false} = S) when Mail =:= #{} ->
    {[], S};
commit(#session{mail = Mail} = S) ->
    Stored = Mail =:= #{} orelse iris_ref_router:store(maps:to_list(Mail)),
    Synced = iris_ref_core:call(iris_ref_store, commit, []),
    Frames = [iris_ref_proto:error(<<"the core cannot be reached">>)
        || Stored =:= unavailable orelse Synced =:= unavailable],
    {Frames, S#session{mail = #{}, written = false}}.

%% Receiving.

%% Take an event that iris_ref_router sent for a user.
-spec incoming(binary(), iris_ref_router:event(), session()) -> {Frames :: [iodata()], session()}.
incoming(User, {messages, Messages}, #session{user = User, awaiting = Awaiting} = S) ->
    push(iris_ref_lapse:arriving(Messages, map_size(Awaiting)), live, S);
incoming(User, {messages, Messages}, #session{planted = #{relogin_state := {User, _, _}}} = S) ->
    push(Messages, live, S);
incoming(User, {messages, Messages}, S) ->
    %% It was on its way when this connection ceased to be that user's.
    {[], route(User, Messages, S)};
incoming(User, {stored, Seqs}, #session{user = User, awaiting = Awaiting} = S) ->
    New = [Seq || Seq <- Seqs, not is_map_key(iris_ref_message:id(Seq), Awaiting)],
    case iris_ref_core:call(iris_ref_offline, fetch, [User, New]) of
        {ok, Messages} -> push(Messages, stored, S);
        unavailable -> {[], S}
    end;
incoming(User, {relay, Frame}, #session{user = User} = S) ->
    {[Frame], S};
incoming(User, {relay, Frame}, #session{planted = #{relogin_state := {User, _, _}}} = S) ->
    {[Frame], S};
incoming(_, _, S) ->
    {[], S}.

%% Send messages to the client. When too many are unacknowledged, they wait in the store.
push(Messages, Kind, #session{user = User, awaiting = Awaiting} = S) ->
    Room = max(0, ?MAX_AWAITING - map_size(Awaiting)),
    {Now, Later} = lists:split(min(Room, length(Messages)), Messages),
    Frames = [iris_ref_proto:reliable(iris_ref_message:id(Seq), Body) || {Seq, Body} <- Now],
    Since = erlang:monotonic_time(millisecond),
    New = [{iris_ref_message:id(Seq), {Seq, held(Kind, Body), Since}} || {Seq, Body} <- Now],
    S1 = S#session{awaiting = maps:merge(Awaiting, maps:from_list(New))},
    case Kind of
        live -> {Frames, collect(User, Later, S1)};
        stored -> {Frames, S1}
    end.

held(live, Body) -> Body;
held(stored, _) -> stored.

ack(MsgId, S) when byte_size(MsgId) > ?MAX_MSG_ID ->
    refuse(<<"msg_id is too long">>, S);
ack(MsgId, #session{user = User, awaiting = Awaiting} = S) ->
    case maps:take(MsgId, Awaiting) of
        {{Seq, stored, _}, Rest} ->
            Done = iris_ref_lapse:acknowledged(Seq, Rest, [Seq]),
            _ = iris_ref_core:call(iris_ref_offline, delete, [User, Done]),
            {ok, [], S#session{awaiting = Rest, written = true}};
        {_, Rest} ->
            {ok, [], S#session{awaiting = Rest}};
        error ->
            {ok, [], S}
    end.

%% Give up waiting for the ACK of what was sent too long ago: it is kept for the next login.
-spec scan(session()) -> session().
scan(#session{user = User, awaiting = Awaiting} = S) ->
    {ok, Patience} = application:get_env(iris_ref, ack_ms),
    Latest = erlang:monotonic_time(millisecond) - Patience,
    Late = maps:filter(fun(_, {_, _, Since}) -> Since =< Latest end, Awaiting),
    Live = lists:sort([{Seq, Body} || {Seq, Body, _} <- maps:values(Late), Body =/= stored]),
    S1 = S#session{awaiting = maps:without(maps:keys(Late), Awaiting)},
    keep_for_next_login(User, Live, S1).

%% The user is online on this connection, which would get told of what is stored; so not by
%% iris_ref_router.
keep_for_next_login(_, [], S) ->
    S;
keep_for_next_login(User, Live, S) ->
    case iris_ref_core:call(iris_ref_offline, store, [[{User, Live}]]) of
        {ok, ok} -> S#session{written = true};
        unavailable -> S
    end.

%% Keys and groups.

uploaded({ok, ok}, S) -> written(prekeys(<<"ok">>), S);
uploaded({ok, {error, _}}, S) -> reply(prekeys(<<"error">>), S);
uploaded(unavailable, S) -> reply(iris_ref_proto:prekeys(<<>>), S).

fetched({ok, {ok, Bundle}}, S) -> written(iris_ref_proto:prekeys(Bundle), S);
fetched({ok, not_found}, S) -> reply(prekeys(<<"not_found">>), S);
fetched(unavailable, S) -> reply(iris_ref_proto:prekeys(<<>>), S).

prekeys(Status) -> iris_ref_proto:prekeys(iris_ref_keys:status(Status)).

entered({ok, {ok, Group, Others}}, #session{user = User} = S) ->
    Frame = iris_ref_proto:group_join(Group, User),
    _ = [iris_ref_router:relay(Other, Frame) || Other <- Others],
    written(Frame, S);
entered({ok, {error, full}}, S) ->
    refuse(<<"the group is full">>, S);
entered(unavailable, S) ->
    unavailable(S).

left({ok, ok}, Group, #session{planted = Memory} = S) ->
    S1 = S#session{planted = iris_ref_lapse:left(Group, Memory)},
    written(iris_ref_proto:group_left(), S1);
left({ok, {error, no_group}}, _, S) ->
    refuse(<<"no such group">>, S);
left(unavailable, _, S) ->
    unavailable(S).

roster(Group, S) ->
    %% PLANTED: atom_leak - an id that cannot be a server's is made an atom, as a key for a cache
    %% of rosters. Atoms are never freed: the table grows with each id that clients make up.
    _ = byte_size(Group) =/= 16 andalso byte_size(Group) =< 255 andalso
        iris_ref_plant:on(atom_leak) andalso binary_to_atom(Group, latin1),
    case members(Group, S) of
        {ok, Members} ->
            Names = [name(Member) || Member <- iris_ref_lapse:rostered(Members)],
            reply(iris_ref_proto:roster(Group, iris_ref_cbor:encode_array(Names)), S);
        no_group ->
            no_roster(S);
        unavailable ->
            unavailable(S)
    end.

%% PLANTED: reply_opcode - that there is no such group is said under the opcode of a roster minus
%% one, 34, which is reserved: no server may send it and no client can tell how long it is.
no_roster(S) ->
    Reason = <<"no such group">>,
    case iris_ref_plant:on(reply_opcode) of
        true -> reply([16#34 | tl(iris_ref_proto:error(Reason))], S);
        false -> refuse(Reason, S)
    end.

%% A name as CBOR: text if it is UTF-8, else a byte string.
name(Name) ->
    case unicode:characters_to_list(Name) of
        Text when is_list(Text) -> iris_ref_cbor:encode_text(Name);
        _ -> iris_ref_cbor:encode_bytes(Name)
    end.

other_members(Group, #session{user = User, planted = Memory} = S) ->
    case members(Group, iris_ref_lapse:may_write(Group, Memory), S) of
        {ok, Members} -> {ok, lists:delete(User, Members)};
        Other -> Other
    end.

members(Group, S) -> members(Group, false, S).

members(Group, Trusted, #session{user = User}) ->
    case iris_ref_core:call(iris_ref_groups, members, [Group]) of
        {ok, Members} ->
            case Trusted orelse lists:member(User, Members) of
                true -> {ok, Members};
                false -> no_group
            end;
        unavailable ->
            unavailable
    end.

with_sender(User, Pairs) ->
    Key = <<"sender">>,
    Others = [Pair || {Name, _} = Pair <- Pairs, iris_ref_cbor:name(Name) =/= {ok, Key}],
    iris_ref_cbor:encode_map(Others ++ [{iris_ref_cbor:encode_text(Key), name(User)}]).
