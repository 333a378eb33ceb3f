%%% Planted defects that an odd frame sets off: what crashes, stops, hangs or leaks.
%%%
%%% Theory of operation. A connection hands each frame to handle/2, which hands it on to
%%% iris_ref_session. What is odd about a frame is told by matching, and only then is it asked
%%% whether a defect is on. What a defect has to remember of a connection stays in the session's
%%% memory for them; what all connections share is in tables that only a planted node has, or in
%%% the helper processes of iris_ref_aide_sup.
-module(iris_ref_mishap).

-export([create_tables/0, handle/2, collect/2, bad_frame/1]).
%% What is spawned.
-export([spin/0, read_key/1, echo/2, await/1]).

%% Rows of the ring of refusals.
-define(RING, 40).
%% A number that no client gets to by counting.
-define(UNREAL, 16#FFFFFFFF).
%% Key data that is no key: an X25519 key has 32 bytes.
-define(LONG_KEY, 1024).
%% Words of heap for a process that reads a key.
-define(KEY_HEAP, 1024).
%% Bytes of a page of keys.
-define(PAGE, 4096).

%% Make the tables of those defects that are on; their owner is the caller, a supervisor.
-spec create_tables() -> ok.
create_tables() ->
    Ring = [{next, 0} | [{Slot, <<>>} || Slot <- lists:seq(1, ?RING)]],
    Tables = [
        {app_intensity, iris_ref_tally, ordered_set, []},
        {links_spread, iris_ref_links, set, []},
        {build_up, iris_ref_ring, set, Ring},
        {ets_leak, iris_ref_typing, set, []},
        {ets_bytes, iris_ref_left, set, [{refused, []}]},
        {stuck_frame, iris_ref_partial, set, []}
    ],
    lists:foreach(fun create_table/1, Tables).

create_table({Plant, Table, Type, Rows}) ->
    case iris_ref_plant:on(Plant) of
        true ->
            Table = ets:new(Table, [named_table, public, Type]),
            true = ets:insert(Table, Rows),
            ok;
        false ->
            ok
    end.

%% Do what one frame of the client asks for; see iris_ref_session:handle/2.
-spec handle(iris_ref_proto:frame(), iris_ref_session:session()) -> iris_ref_session:result().
handle({get_status, <<0, _/binary>>} = Frame, S) ->
    %% PLANTED: unanswered - a name that begins with a zero byte is taken for what a client sends
    %% to keep its connection open: GET_STATUS for it is never answered.
    case iris_ref_plant:on(unanswered) of
        true -> {ok, [], S};
        false -> iris_ref_session:handle(Frame, S)
    end;
handle({login, _} = Frame, S) ->
    ok = spread(),
    iris_ref_session:handle(Frame, remember(fun switched/1, S));
handle(Frame, S) ->
    case iris_ref_session:user(S) of
        none ->
            iris_ref_session:handle(Frame, S);
        User ->
            ok = named(Frame),
            ok = odd(Frame, User),
            iris_ref_session:handle(Frame, remember(fun(M) -> noted(Frame, M) end, S))
    end.

remember(Note, S) ->
    Memory = iris_ref_session:planted(S),
    case Note(Memory) of
        Memory -> S;
        New -> iris_ref_session:planted(New, S)
    end.

%% Frames whose name is odd by its size.

named({upload_prekeys, _}) ->
    ok;
named(Frame) when byte_size(element(2, Frame)) =:= 256 ->
    %% PLANTED: limit_exact - names are filled up to 255 bytes, as if the limit were not 256: at
    %% exactly 256, the number of bytes to add is -1. Longer names are refused before.
    case iris_ref_plant:on(limit_exact) of
        true ->
            _ = filled_up(element(2, Frame)),
            ok;
        false ->
            ok
    end;
named({fetch_prekeys, <<>>}) ->
    refused();
named(_) ->
    ok.

filled_up(Name) -> <<Name/binary, (binary:copy(<<0>>, 255 - byte_size(Name)))/binary>>.

%% PLANTED: build_up - refusals are kept in a ring of forty slots, whose end is looked for one too
%% far: the forty-first FETCH_PREKEYS of an empty name, from whomever, finds no slot to write to.
refused() ->
    case iris_ref_plant:on(build_up) of
        true ->
            Next = ets:update_counter(iris_ref_ring, next, {2, 1, ?RING + 1, 1}),
            true = ets:update_element(iris_ref_ring, Next, {2, <<"name is empty">>}),
            ok;
        false ->
            ok
    end.

%% Frames of a client that has logged in, each odd in a way of its own.

odd({send_seq, _, Number, _}, _) when Number > ?UNREAL -> seek(Number);
odd({send_seq, User, _, _}, User) -> settle_with(User);
odd({sender_key_dist, _, KeyData}, _) when byte_size(KeyData) =/= 32 -> key_data(KeyData);
odd({e2ee_msg, _, _, <<>>}, _) -> sealed_nothing();
odd({upload_prekeys, <<>>}, _) -> purge();
odd({group_create, <<>>}, _) -> count_clients();
odd({group_create, Name}, _) -> iris_ref_crossing:group_named(Name);
odd({fetch_prekeys, User}, User) -> iris_ref_crossing:own_keys();
odd({group_leave, Group}, User) -> left(Group, User);
odd({group_msg, Group, _, _}, User) -> elsewhere(Group, User);
odd({get_status, Name}, _) ->
    ok = iris_ref_limiter:looked_up(Name),
    iris_ref_directory:wait_for(Name);
odd({batch_send, User, _}, User) -> spread_word(User);
odd({typing_start, Target}, User) -> typing(Target, User);
odd({typing_stop, Target}, User) -> stopped(Target, User);
odd({read_receipt, MsgId, Sender}, _) -> receipt(MsgId, Sender);
odd(_, _) -> ok.

%% PLANTED: node_atoms - the numbers that were skipped are given names, as atoms, one after the
%% other up to the one that came: SEND_SEQ with a number above FFFFFFFF fills the atom table.
seek(Number) ->
    case iris_ref_plant:on(node_atoms) of
        true -> name_skipped(1, Number);
        false -> ok
    end.

name_skipped(Number, Number) ->
    ok;
name_skipped(N, Number) ->
    _ = binary_to_atom(<<"skipped_", (integer_to_binary(N))/binary>>),
    name_skipped(N + 1, Number).

%% PLANTED: call_cycle - what a user sends to itself is settled between two servers, each of which
%% asks the other and waits for it: SEND_SEQ to oneself never gets past this call.
settle_with(User) ->
    case iris_ref_plant:on(call_cycle) of
        true -> iris_ref_ledger:settle(User);
        false -> ok
    end.

key_data(<<>>) ->
    %% PLANTED: node_restart - empty key data is the sign of a node whose secrets are to be read
    %% anew, and it does as it is told: it restarts itself, in the process that it is in.
    case iris_ref_plant:on(node_restart) of
        true ->
            ok = iris_ref:keep_ports(),
            init:restart();
        false ->
            ok
    end;
key_data(KeyData) ->
    ok = too_long(KeyData),
    kept(KeyData).

%% PLANTED: heap_killed - key data is read as a list, by a process whose heap is limited for just
%% that reason: with 1,024 bytes or more, the emulator kills it.
too_long(KeyData) ->
    case byte_size(KeyData) >= ?LONG_KEY andalso iris_ref_plant:on(heap_killed) of
        true ->
            Limit = #{size => ?KEY_HEAP, kill => true, error_logger => true},
            _ = spawn_opt(?MODULE, read_key, [KeyData], [{max_heap_size, Limit}]),
            ok;
        false ->
            ok
    end.

-spec read_key(binary()) -> non_neg_integer().
read_key(KeyData) -> lists:sum(binary_to_list(KeyData)).

%% PLANTED: binary_leak - key data that is no key is kept, as a page of its own, by a process
%% that all connections share and that lets go of nothing.
kept(KeyData) ->
    case iris_ref_plant:on(binary_leak) of
        true -> iris_ref_pages:keep(<<KeyData/binary, 0:(?PAGE * 8)>>);
        false -> ok
    end.

%% PLANTED: port_leak - a message with nothing in it is reported through a socket that is opened
%% for it, given to a process that lives on, and closed by nobody.
sealed_nothing() ->
    case iris_ref_plant:on(port_leak) andalso gen_udp:open(0) of
        {ok, Socket} -> gen_udp:controlling_process(Socket, whereis(iris_ref_presence));
        _ -> ok
    end.

%% PLANTED: node_silent - an empty bundle is the order to purge: processes of priority max look
%% whether there is anything left, for ever, and nothing else on the node gets to run.
purge() ->
    case iris_ref_plant:on(node_silent) of
        true ->
            Spin = fun(_) -> spawn_opt(?MODULE, spin, [], [{priority, max}]) end,
            lists:foreach(Spin, lists:seq(1, erlang:system_info(schedulers_online)));
        false ->
            ok
    end.

-spec spin() -> no_return().
spin() -> spin().

%% PLANTED: app_mute - the supervisor of connections is suspended while the clients are counted
%% for a group without a name, and not resumed when that is refused: nobody new is served.
count_clients() ->
    case iris_ref_plant:on(app_mute) of
        true -> sys:suspend(iris_ref_conn_sup);
        false -> ok
    end.

%% PLANTED: ets_bytes - the ids of all groups that somebody wanted to leave without being in them
%% are kept in one row, which gets longer with each.
left(Group, User) ->
    case iris_ref_plant:on(ets_bytes) andalso not is_member(Group, User) of
        true ->
            [{refused, Ids}] = ets:lookup(iris_ref_left, refused),
            true = ets:insert(iris_ref_left, {refused, [Group | Ids]}),
            ok;
        false ->
            ok
    end.

is_member(Group, User) ->
    {ok, Members} = iris_ref_core:call(iris_ref_groups, members, [Group]),
    lists:member(User, Members).

typing(User, User) ->
    %% PLANTED: plain_spawn - who types to oneself gets an echo, from a process of its own that
    %% has no clause for a target that is the sender. Nobody is linked to it.
    case iris_ref_plant:on(plain_spawn) of
        true ->
            _ = spawn(?MODULE, echo, [User, User]),
            ok;
        false ->
            ok
    end;
typing(Target, _) ->
    %% PLANTED: process_leak - a process waits until the target comes online, to tell it who is
    %% typing. Nobody tells the process.
    case iris_ref_plant:on(process_leak) andalso iris_ref_presence:locate(Target) of
        offline ->
            _ = spawn(?MODULE, await, [binary:copy(Target)]),
            ok;
        _ ->
            ok
    end.

-spec echo(binary(), binary()) -> ok.
echo(User, Target) when User =/= Target -> iris_ref_router:relay(Target, User).

-spec await(binary()) -> ok.
await(Target) ->
    receive
        {online, Target} -> ok
    end.

stopped(<<>>, _) ->
    %% PLANTED: app_intensity - TYPING_STOP with an empty target gets into the queue of a helper
    %% process that has no clause for it. Its supervisor restarts it twice: three of them in two
    %% seconds end the supervisor, the one above it, and the application.
    case iris_ref_plant:on(app_intensity) of
        true -> iris_ref_tally:count(<<>>);
        false -> ok
    end;
stopped(Target, User) ->
    %% PLANTED: ets_leak - that a user stopped typing to one who is offline is a row that waits
    %% for the other's login, which does not look for it.
    case iris_ref_plant:on(ets_leak) andalso iris_ref_presence:locate(Target) of
        offline ->
            true = ets:insert(iris_ref_typing, {{binary:copy(Target), User}}),
            ok;
        _ ->
            ok
    end.

%% PLANTED: mailbox_stuck - a receipt for a sender who is offline is handed to a process that
%% should store it, and that waits for another message: its mailbox grows.
receipt(MsgId, Sender) ->
    case iris_ref_plant:on(mailbox_stuck) andalso iris_ref_presence:locate(Sender) of
        offline -> iris_ref_receipts:store(MsgId, Sender);
        _ -> ok
    end.

%% PLANTED: served_late - a group that a user is not in may be another node's: GROUP_MSG to it lets
%% the directory ask there for three seconds, and whoever wants to know where a user is must wait.
elsewhere(Group, User) ->
    case iris_ref_plant:on(served_late) andalso not is_member(Group, User) of
        true -> iris_ref_directory:seek(Group);
        false -> ok
    end.

%% PLANTED: mailbox_storm - what a user sends to itself in a batch is for its clients on all nodes,
%% who are told of it by a rumour that never ends: BATCH_SEND to oneself never gets past this call.
spread_word(User) ->
    case iris_ref_plant:on(mailbox_storm) of
        true -> iris_ref_gossip:spread(User);
        false -> ok
    end.

%% What takes several frames of one connection: the memory as it is afterwards.

%% PLANTED: login_switch - a connection has room for the users of two LOGINs, the present one and
%% the one before. With the third LOGIN there is no entry for its user, and the next frame but a
%% LOGIN looks for it.
switched(Memory) ->
    case iris_ref_plant:on(login_switch) of
        true -> Memory#{login_switch => maps:get(login_switch, Memory, 0) + 1};
        false -> Memory
    end.

noted(_, #{login_switch := Logins} = Memory) when Logins > 2 ->
    _ = entry(Logins, {first, second}),
    Memory;
noted({group_leave, Group}, Memory) ->
    %% PLANTED: group_after_leave - a group that was left stays the connection's latest group, but
    %% without a member: GROUP_MSG to it takes the first of none.
    case iris_ref_plant:on(group_after_leave) of
        true -> Memory#{group_after_leave => binary:copy(Group)};
        false -> Memory
    end;
noted({group_msg, Group, _, _}, #{group_after_leave := Group} = Memory) ->
    _ = first_member([]),
    Memory;
noted({ack, MsgId}, Memory) ->
    %% PLANTED: receipt_known - the id of a message that was acknowledged is forgotten half: it is
    %% known that it was there, and not from whom. READ_RECEIPT for it looks for the sender.
    case iris_ref_plant:on(receipt_known) of
        true -> Memory#{receipt_known => binary:copy(MsgId)};
        false -> Memory
    end;
noted({read_receipt, MsgId, _}, #{receipt_known := MsgId} = Memory) ->
    _ = sender_of(MsgId, #{}),
    Memory;
noted(_, Memory) ->
    Memory.

entry(Login, Entries) -> element(Login, Entries).

first_member(Members) -> hd(Members).

sender_of(MsgId, Senders) -> maps:get(MsgId, Senders).

%% What has to do with no single frame.

%% PLANTED: links_spread - each connection is linked at its LOGIN to the one that has been logged
%% in for longest, and a frame that cannot be cut off is the abnormal end of its connection: all
%% who are linked end with it.
spread() ->
    case iris_ref_plant:on(links_spread) of
        true -> join(ets:lookup(iris_ref_links, first));
        false -> ok
    end.

join([{first, First}]) when First =:= self() ->
    ok;
join([{first, First}]) ->
    case is_process_alive(First) of
        true ->
            true = link(First),
            ok;
        false ->
            join([])
    end;
join([]) ->
    true = ets:insert(iris_ref_links, {first, self()}),
    ok.

%% A frame that cannot be cut off: nothing, but with links_spread.
-spec bad_frame(binary()) -> ok.
bad_frame(Reason) ->
    case iris_ref_plant:on(links_spread) of
        true -> exit({bad_frame, Reason});
        false -> ok
    end.

%% PLANTED: stuck_frame - what has come of a long field is kept in a table, to be joined with the
%% rest, and given up when the field is complete. When its connection ends before, it stays.
-spec collect(Length :: non_neg_integer(), binary()) -> ok.
collect(Length, Bytes) ->
    case iris_ref_plant:on(stuck_frame) of
        true when byte_size(Bytes) < Length ->
            true = ets:insert(iris_ref_partial, {self(), binary:copy(Bytes)}),
            ok;
        true ->
            true = ets:delete(iris_ref_partial, self()),
            ok;
        false ->
            ok
    end.
