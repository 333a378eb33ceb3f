%%% A module of the target that no application names.
-module(fixture_plain).

-export([hello/0]).

hello() ->
    world.
