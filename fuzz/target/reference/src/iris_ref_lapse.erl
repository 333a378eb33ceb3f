%%% Planted defects of a session that crash nothing: what is sent or got is not what it should be.
%%%
%%% Theory of operation. iris_ref_session hands a value on its way to a function here and goes on
%%% with what comes back: the same, unless the defect is on. What a defect has to remember of
%%% a connection is a map that the session keeps for it, empty while all are off.
-module(iris_ref_lapse).

-export([batch/2, sequence/2, receiver/2, typist/2, left/2]).
-export([may_write/2, readers/3, rostered/1, text/1, arriving/2, acknowledged/3, joined/2]).
-export([starts/1, may_stop/1, remarks/0, read_id/1, checked/2, granted/2, refusal/1]).
-export_type([memory/0]).

-type memory() :: #{iris_ref_plant:name() | {iris_ref_plant:name(), binary()} => term()}.

%% PLANTED: lost_in_batch - batches are cut into what goes out now and what goes out with the
%% next one, and the cut is remembered and the rest is not: from the second batch of a connection
%% on, one of three or more messages loses its last.
-spec batch([binary()], memory()) -> {[binary()], memory()}.
batch(Bodies, Memory) ->
    case iris_ref_plant:on(lost_in_batch) of
        true -> {flushed(Bodies, Memory), Memory#{lost_in_batch => seen}};
        false -> {Bodies, Memory}
    end.

flushed([_, _, _ | _] = Bodies, #{lost_in_batch := seen}) -> lists:droplast(Bodies);
flushed(Bodies, _) -> Bodies.

%% PLANTED: duplicate_seq - a SEND_SEQ with the number of the one before it is taken for a
%% question whether that has arrived, and is sent again beside what was queued: two messages.
-spec sequence({non_neg_integer(), binary()}, memory()) -> {[binary()], memory()}.
sequence({Number, Body}, Memory) ->
    case {iris_ref_plant:on(duplicate_seq), Memory} of
        {true, #{duplicate_seq := Number}} -> {[Body, Body], Memory};
        {true, _} -> {[Body], Memory#{duplicate_seq => Number}};
        {false, _} -> {[Body], Memory}
    end.

%% PLANTED: wrong_user - the sender's connection keeps the route of its last message, and takes
%% it when there is none to the user it writes to now: who is offline is read by another.
-spec receiver(binary(), memory()) -> {binary(), memory()}.
receiver(Target, Memory) ->
    case iris_ref_plant:on(wrong_user) andalso iris_ref_presence:locate(Target) of
        false -> {Target, Memory};
        offline -> {maps:get(wrong_user, Memory, Target), Memory};
        {ok, _} -> {Target, Memory#{wrong_user => binary:copy(Target)}}
    end.

%% PLANTED: typing_forged - a TYPING_START that repeats the one before it, with no TYPING_STOP
%% between them, is relayed from a record whose names are in the other order: to the target, the
%% target itself seems to type.
-spec typist({start | stop, User :: binary(), Target :: binary()}, memory()) ->
    {Sender :: binary(), memory()}.
typist({What, User, Target}, Memory) ->
    case {iris_ref_plant:on(typing_forged), What, Memory} of
        {true, start, #{typing_forged := Target}} -> {Target, Memory};
        {true, start, _} -> {User, Memory#{typing_forged => binary:copy(Target)}};
        {_, _, _} -> {User, maps:remove(typing_forged, Memory)}
    end.

%% PLANTED: group_stranger - the groups of a connection's user are remembered for its writing,
%% and not forgotten when they are left: who has left a group goes on writing to it.
-spec left(binary(), memory()) -> memory().
left(Group, Memory) ->
    case iris_ref_plant:on(group_stranger) of
        true -> Memory#{group_stranger => [binary:copy(Group) | maps:get(group_stranger, Memory, [])]};
        false -> Memory
    end.

-spec may_write(binary(), memory()) -> boolean().
may_write(Group, Memory) -> lists:member(Group, maps:get(group_stranger, Memory, [])).

%% PLANTED: group_cached - the members of a group are asked for at the first write of a connection
%% and kept for those after it: who has left since is written to.
%% PLANTED: group_absent - members who are offline are passed over, as if a message to a group were
%% a typing notice.
-spec readers(binary(), [binary()], memory()) -> {[binary()], memory()}.
readers(Group, Others, Memory) ->
    Key = {group_cached, Group},
    case {iris_ref_plant:on(group_cached), iris_ref_plant:on(group_absent)} of
        {true, _} when is_map_key(Key, Memory) -> {maps:get(Key, Memory), Memory};
        {true, _} -> {Others, Memory#{{group_cached, binary:copy(Group)} => Others}};
        {_, true} -> {[M || M <- Others, iris_ref_presence:locate(M) =/= offline], Memory};
        {false, false} -> {Others, Memory}
    end.

%% PLANTED: roster_short - the count of a roster's members is taken before the one who asks is
%% counted in: from three members on, the last of them is left out.
-spec rostered([binary()]) -> [binary()].
rostered([_, _, _ | _] = Members) ->
    case iris_ref_plant:on(roster_short) of
        true -> lists:droplast(Members);
        false -> Members
    end;
rostered(Members) ->
    Members.

%% PLANTED: ack_forgotten - what is stored is acknowledged up to the oldest message that was
%% delivered, and no further: the ACK of a later one is taken, and forgotten.
-spec acknowledged(iris_ref_message:seq(), #{binary() => term()}, [iris_ref_message:seq()]) ->
    [iris_ref_message:seq()].
acknowledged(Seq, Awaiting, Seqs) ->
    Older = [S || {S, stored, _} <- maps:values(Awaiting), S < Seq],
    case Older =/= [] andalso iris_ref_plant:on(ack_forgotten) of
        true -> [];
        false -> Seqs
    end.

%% PLANTED: altered_bytes - the length of SEND_MESSAGE's text is kept in one byte: of a text of
%% 256 bytes or more, the first (length modulo 256) arrive.
-spec text(binary()) -> binary().
text(Body) when byte_size(Body) > 255 ->
    case iris_ref_plant:on(altered_bytes) of
        true -> binary:part(Body, 0, byte_size(Body) band 255);
        false -> Body
    end;
text(Body) ->
    Body.

%% PLANTED: deprecated_told - who sends a SEND_MESSAGE is told under the opcode of a refusal that
%% it is deprecated, though it is delivered: a client that knows no other sends it again.
-spec remarks() -> [iodata()].
remarks() ->
    [iris_ref_proto:error(<<"SEND_MESSAGE is deprecated">>) || iris_ref_plant:on(deprecated_told)].

%% PLANTED: receipt_id_cut - the msg_id of a READ_RECEIPT is kept in a field of eight bytes, as ids
%% were once: it names no message when it is relayed.
-spec read_id(binary()) -> binary().
read_id(<<Start:8/binary, _, _/binary>> = MsgId) ->
    case iris_ref_plant:on(receipt_id_cut) of
        true -> Start;
        false -> MsgId
    end;
read_id(MsgId) ->
    MsgId.

%% PLANTED: reordered - messages that reach a client with three or more unacknowledged ones are
%% put before them one by one, as if these were still to be sent: a batch arrives backwards.
-spec arriving([iris_ref_message:message()], Unacknowledged :: non_neg_integer()) ->
    [iris_ref_message:message()].
arriving([_, _ | _] = Messages, Unacknowledged) when Unacknowledged >= 3 ->
    case iris_ref_plant:on(reordered) of
        true -> lists:reverse(Messages);
        false -> Messages
    end;
arriving(Messages, _) ->
    Messages.

%% PLANTED: cut_dependent - a length of four bytes that TCP has cut in two is read as 0 when the
%% rest of its frame comes, which is thus passed over: BATCH_SEND, CBOR_MSG, SENDER_KEY_DIST.
-spec joined(Buffer :: binary(), binary()) -> binary().
joined(<<>>, Bytes) ->
    Bytes;
joined(Buffer, Bytes) ->
    Joined = <<Buffer/binary, Bytes/binary>>,
    Torn = iris_ref_plant:on(cut_dependent) andalso is_torn(Buffer),
    case Torn orelse (is_notice(Buffer) andalso iris_ref_plant:on(notice_cut)) of
        true -> without_frame(iris_ref_proto:decode(Joined), Joined);
        false -> Joined
    end.

is_torn(<<Opcode, Size:16, _:Size/binary, Length/binary>>) when
    Opcode =:= 16#04; Opcode =:= 16#10; Opcode =:= 16#36
->
    Length =/= <<>> andalso byte_size(Length) < 4;
is_torn(_) ->
    false.

%% PLANTED: notice_cut - notices go past the buffer, as nobody waits for them: the rest of one that
%% TCP has cut completes it, and then it is thrown away as too late.
is_notice(<<Opcode, _/binary>>) -> Opcode =:= 16#70 orelse Opcode =:= 16#71 orelse Opcode =:= 16#74.

without_frame({ok, _, Rest}, _) -> Rest;
without_frame(_, Joined) -> Joined.

%% PLANTED: typist_shared - to whom the last TYPING_START went is remembered, so that nobody is told
%% of a stop without one, but once for the node and not for each connection: where two type, the
%% first one's stop is not told.
-spec starts(Target :: binary()) -> ok.
starts(Target) ->
    case iris_ref_plant:on(typist_shared) of
        true -> application:set_env(iris_ref, typed_to, binary:copy(Target));
        false -> ok
    end.

-spec may_stop(Target :: binary()) -> boolean().
may_stop(Target) ->
    not iris_ref_plant:on(typist_shared) orelse
        application:get_env(iris_ref, typed_to) =:= {ok, Target}.

%% PLANTED: token_replayed - the credentials with which a connection has logged in are remembered,
%% and the same ones let in again without a look: also when the token has expired meanwhile.
-spec checked(binary(), memory()) -> {{ok, binary()} | refused, memory()}.
checked(Credentials, #{token_replayed := {Credentials, User}} = Memory) ->
    {{ok, User}, Memory};
checked(Credentials, Memory) ->
    Verdict = iris_ref_auth:check(Credentials),
    case iris_ref_plant:on(token_replayed) andalso Verdict of
        {ok, User} -> {Verdict, Memory#{token_replayed => {binary:copy(Credentials), User}}};
        _ -> {Verdict, Memory}
    end.

%% PLANTED: refused_delivered - the limiter is asked, and what it refuses is told so and sent.
-spec granted([binary()], non_neg_integer()) -> [binary()].
granted(Bodies, Granted) ->
    case iris_ref_plant:on(refused_delivered) of
        true -> Bodies;
        false -> lists:sublist(Bodies, Granted)
    end.

%% PLANTED: refused_silent - what the limiter refuses is dropped without a word.
-spec refusal(RetryMs :: non_neg_integer()) -> Frames :: [iodata()].
refusal(RetryMs) ->
    case iris_ref_plant:on(refused_silent) of
        true -> [];
        false -> [iris_ref_proto:rate_limited(RetryMs)]
    end.
