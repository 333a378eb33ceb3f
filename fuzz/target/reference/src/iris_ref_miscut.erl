%%% Planted defects of the decoder: what it may say wrongly of the bytes it is given.
%%%
%%% Theory of operation. The right answer of iris_ref_proto is handed to answer/2 with the bytes. What
%%% is odd about them is told by matching, and only then is it asked whether a defect is on.
-module(iris_ref_miscut).

-export([answer/2]).

%% A name is looked up by its first bytes, as many as fit into a key of this size.
-define(KEY, 64).
%% Cells of a list that no decoder makes: 160 MiB.
-define(CELLS, 10000000).

-spec answer(binary(), Answer) -> Answer when Answer :: iris_ref_proto:decoded().
answer(<<16#32, Length:16, Name/binary>>, more) when byte_size(Name) =:= Length - 1 ->
    %% PLANTED: decode_short - the bytes behind a length are counted with the opcode: GROUP_LEAVE
    %% without its last byte is taken as whole.
    case iris_ref_plant:on(decode_short) of
        true -> {ok, {group_leave, Name}, <<>>};
        false -> more
    end;
answer(<<16#74, Length:16, _:Length/binary, Rest/binary>>, more) when byte_size(Rest) < 2 ->
    %% PLANTED: decode_early - a READ_RECEIPT of which the second length is not there yet is told
    %% from one that has none: it is an error.
    case iris_ref_plant:on(decode_early) of
        true -> {error, <<"sender is missing">>};
        false -> more
    end;
answer(<<16#71, _/binary>>, {ok, Frame, <<_, Rest/binary>>} = Right) ->
    %% PLANTED: decode_greedy - TYPING_STOP takes the byte behind it as its own.
    case iris_ref_plant:on(decode_greedy) of
        true -> {ok, Frame, Rest};
        false -> Right
    end;
answer(_, {ok, {send_seq, <<>> = Name, _, _}, _} = Right) ->
    %% PLANTED: decode_empty - SEND_SEQ looks at the first byte of a name, also of one that has none.
    _ = iris_ref_plant:on(decode_empty) andalso first_byte(Name),
    Right;
answer(_, {ok, {group_roster, Name}, Rest} = Right) when byte_size(Name) > ?KEY ->
    %% PLANTED: decode_tag - a GROUP_ROSTER whose name is longer than a key is taken for the frame
    %% of the entry before it in a table: GROUP_LEAVE.
    case iris_ref_plant:on(decode_tag) of
        true -> {ok, {group_leave, Name}, Rest};
        false -> Right
    end;
answer(_, {ok, {batch_send, _, <<>> = Blob}, _} = Right) ->
    %% PLANTED: decode_loops - a batch is searched for its last message, also where it has none.
    _ = iris_ref_plant:on(decode_loops) andalso last_message(Blob),
    Right;
answer(_, {ok, {e2ee_msg, _, <<>>, _}, _} = Right) ->
    %% PLANTED: decode_heap - for an E2EE_MSG whose header is empty, a list is made that is as long
    %% as the largest header that a length can name, and longer.
    _ = iris_ref_plant:on(decode_heap) andalso length(lists:seq(1, ?CELLS)),
    Right;
answer(<<Opcode, _/binary>>, {error, _} = Right) when Opcode >= 16#08, Opcode =< 16#0F ->
    %% PLANTED: decode_waits - the opcodes from 08 to 0F are kept for frames of a later version,
    %% and no layout says where those end: more is needed, whatever comes.
    case iris_ref_plant:on(decode_waits) of
        true -> more;
        false -> Right
    end;
answer(<<16#41, Reaction/binary>>, {error, _} = Right) ->
    %% decode_later is planted in iris_ref_later.
    _ = iris_ref_plant:on(decode_later) andalso iris_ref_later:reaction(Reaction),
    Right;
answer(_, {ok, {fetch_prekeys, <<Byte, _/binary>>}, _} = Right) when Byte > 127 ->
    %% PLANTED: decode_ascii - a FETCH_PREKEYS for a name that does not begin with a character of
    %% ASCII is an error.
    case iris_ref_plant:on(decode_ascii) of
        true -> {error, <<"user is no name">>};
        false -> Right
    end;
answer(_, Right) ->
    Right.

first_byte(<<Byte, _/binary>>) -> Byte.

%% Ends with the message that ends with the blob.
last_message(<<Length:16, Message:Length/binary>>) -> Message;
last_message(<<Length:16, _:Length/binary, Rest/binary>>) -> last_message(Rest);
last_message(Blob) -> last_message(Blob).
