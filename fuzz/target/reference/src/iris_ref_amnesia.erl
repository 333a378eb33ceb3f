%%% Planted defects of a start of the store: what was there before comes back wrong.
-module(iris_ref_amnesia).

-export([store_opens/0, stored/2]).

%% Messages that are noted: more than one client leaves behind in a moment.
-define(NOTED, 100).

%% Called before the store reads what is in its table.
-spec store_opens() -> ok.
store_opens() ->
    ok = verify(iris_ref_plant:on(restart_refuses)),
    ok = clean_up(iris_ref_plant:on(restart_forgets)),
    replay(iris_ref_plant:on(restart_replays)).

%% PLANTED: restart_refuses - a message without a text is written and sent like any other, and a
%% start takes it for a row that was torn when the disc was full: it does not go on.
verify(true) ->
    true = mnesia:dirty_match_object({iris_ref_message, '_', <<>>}) =:= [],
    ok;
verify(false) ->
    ok.

%% PLANTED: restart_forgets - a clean-up at the start deletes the messages of all who are not
%% online, as leftovers, and so soon nobody is.
clean_up(true) ->
    {atomic, ok} = mnesia:clear_table(iris_ref_message),
    ok;
clean_up(false) ->
    ok.

%% PLANTED: restart_replays - the last messages that were stored are noted, to be written again at
%% a start if they have not reached the disc; that one was acknowledged since is not noted.
-spec stored({User :: binary(), iris_ref_message:seq()}, binary()) -> ok.
stored(Key, Body) ->
    case iris_ref_plant:on(restart_replays) of
        true ->
            Noted = lists:sublist([{iris_ref_message, Key, Body} | noted()], ?NOTED),
            application:set_env(iris_ref, noted, Noted);
        false ->
            ok
    end.

replay(true) -> lists:foreach(fun mnesia:dirty_write/1, noted());
replay(false) -> ok.

noted() -> application:get_env(iris_ref, noted, []).
