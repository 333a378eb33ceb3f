%%% The supervisors of the helper processes that some planted defects need. A node without
%%% these defects has none of them.
%%%
%%% Some helpers are there to crash too often (`fragile'), others to crash however often (`sturdy').
-module(iris_ref_aide_sup).

-behaviour(supervisor).

-export([specs/0, start_link/1]).
-export([init/1]).

-type role() :: fragile | sturdy.

%% Two restarts in two seconds: a third crash in that time ends the supervisor.
-define(FRAGILE, #{strategy => one_for_one, intensity => 2, period => 2}).
%% More than can be done in a second.
-define(STURDY, #{strategy => one_for_one, intensity => 1_000_000, period => 1}).

%% The specifications of those supervisors that have somebody to look after.
-spec specs() -> [supervisor:child_spec()].
specs() ->
    [spec(Role) || Role <- [fragile, sturdy], helpers(Role) =/= []].

spec(Role) ->
    #{
        id => {?MODULE, Role},
        start => {?MODULE, start_link, [Role]},
        type => supervisor,
        shutdown => infinity
    }.

-spec start_link(role()) -> supervisor:startlink_ret().
start_link(Role) ->
    supervisor:start_link(?MODULE, Role).

-spec init(role()) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init(fragile) -> {ok, {?FRAGILE, helpers(fragile)}};
init(sturdy) -> {ok, {?STURDY, helpers(sturdy)}}.

helpers(fragile) ->
    [helper(iris_ref_tally, iris_ref_tally, []) || iris_ref_plant:on(app_intensity)];
helpers(sturdy) ->
    Books = [iris_ref_ledger_sent, iris_ref_ledger_received],
    [helper(Book, iris_ref_ledger, [Book]) || iris_ref_plant:on(call_cycle), Book <- Books] ++
        [helper(iris_ref_directory, iris_ref_directory, []) || iris_ref_plant:on(served_late)] ++
        [helper(iris_ref_gossip, iris_ref_gossip, []) || iris_ref_plant:on(mailbox_storm)] ++
        [helper(iris_ref_pages, iris_ref_pages, []) || iris_ref_plant:on(binary_leak)] ++
        [helper(iris_ref_receipts, iris_ref_receipts, []) || iris_ref_plant:on(mailbox_stuck)] ++
        [helper(iris_ref_ws_hub, iris_ref_ws_hub, []) || iris_ref_plant:on(ws_listener)].

%% None has anything to put in order at its end, and some would not listen.
helper(Id, Module, Arguments) ->
    #{id => Id, start => {Module, start_link, Arguments}, shutdown => brutal_kill}.
