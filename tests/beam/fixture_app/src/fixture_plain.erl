%%% A module of the target that no application names.
-module(fixture_plain).

-export([hello/0, greeter/0, below/0]).

hello() ->
    world.

greeter() ->
    fun() -> hello() end.

%% Is on the stack, but too deep to be told.
below() ->
    {fixture_ctl:deep(20)}.
