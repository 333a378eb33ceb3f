%%% Groups: made, joined and left here; read from Mnesia's table by anyone.
%%%
%%% The protocol has no opcode to join a group with. What this server does: a group's id is
%%% 16 random hexadecimal digits, and to know it is to be invited. GROUP_CREATE whose name is
%%% the id of a group joins that group; any other name makes a new one, also if a group has
%%% that name already. A group without members is deleted. Source: RFC-001 Amendment 001.
-module(iris_ref_groups).

-behaviour(gen_server).

-export([start_link/0, enter/2, leave/2, members/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export_type([id/0]).

-type id() :: binary().

%% Groups stay until they are left, and a client may never do so: beyond this, the one that
%% was changed longest ago goes. Mnesia holds them in memory, a few hundred bytes each.
-define(MAX_GROUPS, 10_000).
%% One message to a group is stored or sent once for each member.
-define(MAX_MEMBERS, 256).

-record(iris_ref_group, {id, name, members, seq}).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Make a group of that name, or join the group of that id: its id and the other members.
-spec enter(binary(), binary()) -> {ok, id(), [binary()]} | {error, full}.
enter(Name, User) ->
    gen_server:call(?MODULE, {enter, binary:copy(Name), User}, infinity).

%% Leave a group. It is gone when its last member has left.
-spec leave(id(), binary()) -> ok | {error, no_group}.
leave(Id, User) ->
    gen_server:call(?MODULE, {leave, Id, User}, infinity).

%% The members of a group, in the order in which they joined; none if there is no such group.
-spec members(id()) -> [binary()].
members(Id) ->
    case mnesia:dirty_read(iris_ref_group, Id) of
        [#iris_ref_group{members = Members}] -> Members;
        [] -> []
    end.

%% The state is an index of all groups by the time of their last change.
-spec init([]) -> {ok, ets:table()}.
init([]) ->
    Age = ets:new(iris_ref_groups_age, [ordered_set]),
    Groups = mnesia:dirty_match_object(mnesia:table_info(iris_ref_group, wild_pattern)),
    true = ets:insert(Age, [{{Seq, Id}} || #iris_ref_group{id = Id, seq = Seq} <- Groups]),
    {ok, Age}.

-spec handle_call(term(), gen_server:from(), ets:table()) -> {reply, term(), ets:table()}.
handle_call({enter, Name, User}, _, Age) ->
    case mnesia:dirty_read(iris_ref_group, Name) of
        [Group] -> {reply, join(Group, User, Age), Age};
        [] -> {reply, create(Name, User, Age), Age}
    end;
handle_call({leave, Id, User}, _, Age) ->
    case mnesia:dirty_read(iris_ref_group, Id) of
        [#iris_ref_group{members = Members} = Group] ->
            {reply, remove(lists:member(User, Members), Group, User, Age), Age};
        [] ->
            {reply, {error, no_group}, Age}
    end.

-spec handle_cast(term(), ets:table()) -> {noreply, ets:table()}.
handle_cast(_, Age) -> {noreply, Age}.

-spec handle_info(term(), ets:table()) -> {noreply, ets:table()}.
handle_info(_, Age) -> {noreply, Age}.

create(Name, User, Age) ->
    Id = string:lowercase(binary:encode_hex(crypto:strong_rand_bytes(8))),
    ok = write(#iris_ref_group{id = Id, name = Name, members = [User]}, Age),
    ok = make_room(Age),
    {ok, Id, []}.

join(#iris_ref_group{id = Id, members = Members} = Group, User, Age) ->
    case lists:member(User, Members) of
        true ->
            {ok, Id, lists:delete(User, Members)};
        false when length(Members) >= ?MAX_MEMBERS ->
            {error, full};
        false ->
            ok = write(Group#iris_ref_group{members = Members ++ [User]}, Age),
            {ok, Id, Members}
    end.

remove(false, _, _, _) ->
    {error, no_group};
remove(true, #iris_ref_group{members = [_]} = Group, _, Age) ->
    delete(Group, Age);
remove(true, #iris_ref_group{members = Members} = Group, User, Age) ->
    write(Group#iris_ref_group{members = lists:delete(User, Members)}, Age).

write(#iris_ref_group{id = Id, seq = Old} = Group, Age) ->
    {Seq, _} = iris_ref_message:new(<<>>),
    true = ets:delete(Age, {Old, Id}),
    true = ets:insert(Age, {{Seq, Id}}),
    mnesia:dirty_write(Group#iris_ref_group{seq = Seq}).

delete(#iris_ref_group{id = Id, seq = Seq}, Age) ->
    true = ets:delete(Age, {Seq, Id}),
    mnesia:dirty_delete(iris_ref_group, Id).

make_room(Age) ->
    case ets:info(Age, size) > ?MAX_GROUPS of
        true ->
            {Seq, Id} = ets:first(Age),
            delete(#iris_ref_group{id = Id, seq = Seq}, Age);
        false ->
            ok
    end.
