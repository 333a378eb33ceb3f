%%% Planted defects that only a crowd sets off: more clients at a time than any case has.
%%%
%%% Theory of operation. Each stands for a way out that a server takes under load, and does not
%%% come back from. A crowd is more than 200 clients: a case has at most 64 connections, and
%%% what a campaign plays side by side stays below that.
-module(iris_ref_crowd).

-export([create_table/0, accepted/0, opened/2, left/1]).

-define(CROWD, 200).
-define(FAREWELLS, iris_ref_farewells).

%% Make the table of storm_leak, if that is on; its owner is the caller, a supervisor.
-spec create_table() -> ok.
create_table() ->
    case iris_ref_plant:on(storm_leak) of
        true ->
            ?FAREWELLS = ets:new(?FAREWELLS, [named_table, public]),
            ok;
        false ->
            ok
    end.

%% PLANTED: storm_backlog - an acceptor that has taken in one client too many waits until it is
%% told that there is room again. Nobody tells it: once all have done so, nobody else gets in.
-spec accepted() -> ok.
accepted() ->
    case iris_ref_plant:on(storm_backlog) andalso connections() > ?CROWD of
        true ->
            receive
                room -> ok
            end;
        false ->
            ok
    end.

%% PLANTED: storm_lost - while there is a crowd, who logs in is to get later what is stored: it is
%% taken out of the store, for a process that sends it when there is time, and that is not there.
-spec opened(binary(), [iris_ref_message:message()]) -> [iris_ref_message:message()].
opened(_, []) ->
    [];
opened(User, Messages) ->
    case iris_ref_plant:on(storm_lost) andalso is_crowd() of
        true ->
            Seqs = [Seq || {Seq, _} <- Messages],
            _ = iris_ref_core:call(iris_ref_offline, delete, [User, Seqs]),
            [];
        false ->
            Messages
    end.

%% PLANTED: storm_leak - while there is a crowd, the end of a connection is put off: a row says
%% what is still to be done for its user, who is looked up by the process that has ended.
-spec left(binary()) -> ok.
left(User) ->
    case iris_ref_plant:on(storm_leak) andalso is_crowd() of
        true ->
            true = ets:insert(?FAREWELLS, {{User, self()}}),
            ok;
        false ->
            ok
    end.

%% Those who are logged in.
is_crowd() ->
    ets:info(iris_ref_presence, size) > ?CROWD.

%% Those who are connected.
connections() ->
    proplists:get_value(active, supervisor:count_children(iris_ref_conn_sup)).
