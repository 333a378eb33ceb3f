%%% Planted defects of a session that crash nothing: what is sent or got is not what it should be.
%%%
%%% Theory of operation. iris_ref_session hands a value on its way to a function here and goes on
%%% with what comes back: the same, unless the defect is on. What a defect has to remember of
%%% a connection is a map that the session keeps for it, empty while all are off.
-module(iris_ref_lapse).

-export([batch/2, sequence/2, receiver/2, typist/2, left/2]).
-export([may_write/2, text/1, arriving/2, joined/2]).
-export([checked/2, granted/2, refusal/1]).
-export_type([memory/0]).

-type memory() :: #{iris_ref_plant:name() => term()}.

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
    case iris_ref_plant:on(cut_dependent) andalso is_torn(Buffer) of
        true -> without_frame(iris_ref_proto:decode(Joined), Joined);
        false -> Joined
    end.

is_torn(<<Opcode, Size:16, _:Size/binary, Length/binary>>) when
    Opcode =:= 16#04; Opcode =:= 16#10; Opcode =:= 16#36
->
    Length =/= <<>> andalso byte_size(Length) < 4;
is_torn(_) ->
    false.

without_frame({ok, _, Rest}, _) -> Rest;
without_frame(_, Joined) -> Joined.

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
