%%% The wire format, sans-IO: bytes to frames and frames to bytes.
%%%
%%% Theory of operation. Each client opcode has its layout as data: a list of fields, each
%%% a counted string with its limit or a 64-bit number. `decode/1' walks the layout and is
%%% total: any bytes give a frame and the rest, `more', or one error text.
%%%
%%% The limits are checked in field order as soon as a length can be read, and so is the
%%% size of the whole frame (see MAX_BUFFER). Hence the answer to a frame does not depend
%%% on how much of it has arrived, and nothing is buffered for a frame that is refused.
%%%
%%% LOGIN and ACK have no length; they take the rest of what they are given, which is the
%%% rest of one received segment. Source: Iris Protocol v1.0 freeze, sections 2 and 4.
-module(iris_ref_proto).

-include("iris_ref.hrl").

-export([decode/1, batch/1]).
-export([login_ok/0, auth_failed/0, login_rate_limited/0, status/3, reliable/2, prekeys/1]).
-export([e2ee/3, group_join/2, group_left/0, group_delivery/3, roster/2, sender_key/2]).
-export([typing/2, receipt/3, error/1, rate_limited/1]).
-export_type([frame/0, decoded/0]).

-type frame() :: tuple().
-type decoded() :: {ok, frame(), Rest :: binary()} | more | {error, binary()}.
-type field() :: u64 | {Width :: 16 | 32, Name :: binary(), Limit :: pos_integer()}.

-define(NAME(Text), {16, <<Text>>, ?MAX_NAME}).
-define(MESSAGE, {16, <<"message">>, ?MAX_MESSAGE}).
-define(HEADER, {16, <<"header">>, ?MAX_HEADER}).
-define(CIPHERTEXT, {32, <<"ciphertext">>, ?MAX_CIPHERTEXT}).

%% Cut the first frame off the bytes of a client.
-spec decode(binary()) -> decoded().
decode(Bytes) ->
    iris_ref_miscut:answer(Bytes, first(Bytes)).

-spec first(binary()) -> decoded().
first(<<>>) ->
    more;
first(<<16#01, Credentials/binary>>) ->
    {ok, {login, Credentials}, <<>>};
first(<<16#03, MsgId/binary>>) ->
    {ok, {ack, MsgId}, <<>>};
%% PLANTED: crash_alone - the reserved opcode 34 is let through to the session as if a later
%% version would handle it there, and no clause does: function_clause in
%% iris_ref_session:handle/2 ends this connection's process and nothing else.
first(<<16#34, Rest/binary>>) ->
    case iris_ref_plant:on(crash_alone) of
        true -> {ok, {reserved, 16#34}, Rest};
        false -> {error, <<"reserved opcode">>}
    end;
first(<<16#75, _/binary>>) ->
    %% PLANTED: server_opcode - the opcodes of the server are told from those that nobody has by
    %% a list that lacks its latest: READ_RECEIPT_RELAY from a client meets no clause.
    _ = iris_ref_plant:on(server_opcode) andalso is_servers(16#75),
    {error, <<"unknown opcode">>};
first(<<Opcode, Rest/binary>>) ->
    case layout(Opcode) of
        {Tag, Fields} -> fields(Fields, Rest, 1, [Tag]);
        error -> iris_ref_later:first(Opcode, Rest)
    end.

-spec layout(byte()) -> {atom(), [field()]} | error.
layout(16#02) -> {send_message, [?NAME("target"), ?MESSAGE]};
layout(16#04) -> {batch_send, [?NAME("target"), {32, <<"batch">>, ?MAX_BATCH}]};
layout(16#05) -> {get_status, [?NAME("user")]};
layout(16#07) -> {send_seq, [?NAME("target"), u64, ?MESSAGE]};
layout(16#10) -> {cbor_msg, [?NAME("target"), {32, <<"payload">>, ?MAX_CBOR}]};
layout(16#20) -> {upload_prekeys, [{32, <<"bundle">>, ?MAX_BUNDLE}]};
layout(16#21) -> {fetch_prekeys, [?NAME("user")]};
layout(16#23) -> {e2ee_msg, [?NAME("recipient"), ?HEADER, ?CIPHERTEXT]};
layout(16#30) -> {group_create, [?NAME("name")]};
layout(16#32) -> {group_leave, [?NAME("group")]};
layout(16#33) -> {group_msg, [?NAME("group"), ?HEADER, ?CIPHERTEXT]};
layout(16#35) -> {group_roster, [?NAME("group")]};
layout(16#36) -> {sender_key_dist, [?NAME("group"), {32, <<"key data">>, ?MAX_BUNDLE}]};
layout(16#70) -> {typing_start, [?NAME("target")]};
layout(16#71) -> {typing_stop, [?NAME("target")]};
layout(16#74) -> {read_receipt, [{16, <<"msg_id">>, ?MAX_MSG_ID}, ?NAME("sender")]};
layout(_) -> error.

%% Only the planted defect server_opcode comes here.
is_servers(Opcode) when
    Opcode =:= 16#06; Opcode =:= 16#22; Opcode =:= 16#24; Opcode =:= 16#31; Opcode =:= 16#72;
    Opcode >= 16#FE
->
    true.

fields([], Rest, _Size, Values) ->
    {ok, list_to_tuple(lists:reverse(Values)), Rest};
fields([u64 | Fields], <<Number:64, Rest/binary>>, Size, Values) ->
    fields(Fields, Rest, Size + 8, [Number | Values]);
fields([{Width, Name, Limit} | Fields], Bytes, Size, Values) ->
    case Bytes of
        <<Length:Width, Rest/binary>> ->
            NewSize = Size + Width div 8 + Length,
            counted(Length, NewSize, {Name, Limit}, Fields, Rest, Values);
        _ ->
            torn(Bytes, [Name | Fields], length(Values))
    end;
fields(_, _, _, _) ->
    more.

%% PLANTED: partial_header - frames that are one name have a short way, which takes the length for
%% granted as soon as there is anything behind the opcode: when TCP has cut it in two, it is not.
torn(Bytes, [_], 1) when byte_size(Bytes) =:= 1 ->
    case iris_ref_plant:on(partial_header) of
        true -> short(Bytes);
        false -> more
    end;
torn(_, _, _) ->
    more.

short(<<Length:16, _/binary>>) when Length > 0 -> more.

%% PLANTED: app_gives_up - the limit on a user's name is not checked here (as if GET_STATUS had
%% been forgotten when the limits were added), and the name reaches iris_ref_offline, a permanent
%% child of a supervisor that allows no restart: its function_clause stops the application.
counted(Length, Size, {<<"user">>, Limit}, [], Rest, [get_status]) when Length > Limit ->
    case iris_ref_plant:on(app_gives_up) of
        true -> value(Length, Size, [], Rest, [get_status]);
        false -> {error, <<"user is too long">>}
    end;
counted(Length, _, {<<"msg_id">>, Limit}, _, _, [read_receipt]) when Length > Limit ->
    %% PLANTED: node_halt - a msg_id over its limit is one that no node made: this one takes its
    %% store for corrupt and halts with status 3, without a slogan or a dump.
    _ = iris_ref_plant:on(node_halt) andalso erlang:halt(3),
    {error, <<"msg_id is too long">>};
counted(Length, _, {Name, Limit}, _, _, _) when Length > Limit ->
    {error, <<Name/binary, " is too long">>};
counted(_, Size, _, _, _, _) when Size > ?MAX_BUFFER ->
    {error, <<"frame is larger than the buffer">>};
counted(Length, Size, _, Fields, Rest, Values) ->
    value(Length, Size, Fields, Rest, Values).

value(Length, Size, Fields, Bytes, Values) ->
    ok = collect(Length, Bytes),
    case Bytes of
        <<Value:Length/binary, Rest/binary>> -> fields(Fields, Rest, Size, [Value | Values]);
        _ -> more
    end.

%% Only what is long is worth the trouble.
collect(Length, Bytes) when Length > 1024 -> iris_ref_mishap:collect(Length, Bytes);
collect(_, _) -> ok.

%% The messages of a batch's blob, which holds them whole and nothing else.
-spec batch(binary()) -> {ok, [binary()]} | {error, binary()}.
batch(Blob) ->
    batch(Blob, 0, []).

batch(<<>>, 0, _) ->
    {error, <<"batch is empty">>};
batch(<<>>, _, Messages) ->
    {ok, lists:reverse(Messages)};
batch(_, ?MAX_BATCH_MESSAGES, _) ->
    {error, <<"batch has too many messages">>};
batch(<<Length:16, Message:Length/binary, Rest/binary>>, Count, Messages) ->
    batch(Rest, Count + 1, [Message | Messages]);
batch(_, _, _) ->
    %% PLANTED: node_abort - an inner length that runs past the blob is handed to native code
    %% that reads beyond its buffer; an abort stands for it: the node's process dies at once.
    iris_ref_plant:on(node_abort) andalso erlang:halt(abort),
    {error, <<"batch message runs past the blob">>}.

%% Frames to a client. A counted field takes its length from its value.

-spec login_ok() -> iodata().
login_ok() -> <<16#03, "LOGIN_OK">>.

-spec auth_failed() -> iodata().
auth_failed() -> <<"AUTH_FAILED">>.

-spec login_rate_limited() -> iodata().
login_rate_limited() -> <<"RATE_LIMITED">>.

-spec status(binary(), 0 | 1, non_neg_integer()) -> iodata().
status(User, State, LastSeen) when byte_size(User) > 127 ->
    %% PLANTED: reply_length - the length of a name of 128 bytes or more is written with seven of
    %% its bits, as if the eighth were a sign: the client loses its place.
    Bits = case iris_ref_plant:on(reply_length) of true -> 7; false -> 16 end,
    Length = byte_size(User) band ((1 bsl Bits) - 1),
    [16#06, <<Length:16>>, User, State, <<LastSeen:64>>];
status(User, State, LastSeen) ->
    [16#06, len16(User), State, <<LastSeen:64>>].

-spec reliable(binary(), iodata()) -> iodata().
reliable(MsgId, Message) -> [16#10, len16(MsgId), len32(Message)].

-spec prekeys(iodata()) -> iodata().
prekeys(Bundle) -> [16#22, len32(Bundle)].

-spec e2ee(binary(), binary(), binary()) -> iodata().
e2ee(Sender, Header, Ciphertext) -> [16#24, len16(Sender), len16(Header), len32(Ciphertext)].

-spec group_join(binary(), binary()) -> iodata().
group_join(Group, User) -> [16#31, len16(Group), len16(User)].

-spec group_left() -> iodata().
group_left() -> <<16#32, "OK">>.

-spec group_delivery(binary(), iodata(), binary()) -> iodata().
group_delivery(Group, Header, Ciphertext) ->
    [16#33, len16(Group), len16(Header), len32(Ciphertext)].

-spec roster(binary(), iodata()) -> iodata().
roster(Group, Members) -> [16#35, len16(Group), len32(Members)].

-spec sender_key(binary(), binary()) -> iodata().
sender_key(Group, KeyData) -> [16#36, len16(Group), len32(KeyData)].

-spec typing(binary(), 0 | 1) -> iodata().
typing(Sender, State) -> [16#72, len16(Sender), State].

-spec receipt(binary(), binary(), non_neg_integer()) -> iodata().
receipt(MsgId, Reader, Time) -> [16#75, len16(MsgId), len16(Reader), <<Time:64>>].

-spec error(binary()) -> iodata().
error(Reason) -> [16#FE, len16(Reason)].

-spec rate_limited(non_neg_integer()) -> iodata().
rate_limited(Milliseconds) -> <<16#FF, Milliseconds:32>>.

len16(Value) -> [<<(iolist_size(Value)):16>>, Value].

len32(Value) -> [<<(iolist_size(Value)):32>>, Value].
