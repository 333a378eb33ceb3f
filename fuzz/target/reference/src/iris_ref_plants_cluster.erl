%%% Planted defects that only a cluster shows: what goes from an edge to another node.
%%%
%%% See iris_ref_plant for what an entry holds. A node that is its own core has none of them. Each
%%% is marked `PLANTED: name' where it stands; what the core does is in iris_ref_crossing. That with
%%% `skew' shows where the clocks of the edges differ.
-module(iris_ref_plants_cluster).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => edge_drops_empty,
            trigger => <<"empty-message-to-another-edge">>,
            class => <<"an empty value taken for none">>,
            truth =>
                <<"A message without text to a user who is connected to another edge is left out "
                  "when it is handed over: its sender hears nothing, and its receiver never sees "
                  "it. On one edge it arrives.">>,
            kind => semantic,
            connections => 2,
            frames => 1,
            edges => 2
        },
        #{
            name => bucket_per_edge,
            trigger => <<"bursts-on-two-edges">>,
            class => <<"a limit kept in the wrong place">>,
            truth =>
                <<"Each edge has buckets of its own for the rate limit: who is on two edges sends "
                  "twice as much.">>,
            kind => semantic,
            connections => 3,
            frames => 2,
            check => rate,
            edges => 2
        },
        #{
            name => iat_ahead,
            trigger => <<"token-issued-just-now">>,
            class => <<"two clocks taken for one">>,
            truth =>
                <<"An edge refuses a token whose iat is later than its own clock: one that was "
                  "issued just now is let in by the edge whose clock is ahead, and refused by "
                  "the one whose clock is behind.">>,
            kind => semantic,
            connections => 2,
            frames => 2,
            auth => true,
            check => tokens,
            edges => 2,
            skew => 5
        },
        #{
            name => core_halts,
            trigger => <<"fetch-prekeys-of-oneself">>,
            class => <<"a shared node that ends itself on one client's input">>,
            truth =>
                <<"FETCH_PREKEYS for oneself is a sign to the core that its key store is "
                  "corrupt: it halts with a slogan and writes erl_crash.dump. The edges live on, "
                  "and have no core.">>,
            kind => node_down,
            connections => 1,
            frames => 1,
            edges => 1
        },
        #{
            name => core_crashes,
            trigger => <<"group-create-name-not-utf8">>,
            class => <<"an encoding assumed, on another node">>,
            truth =>
                <<"The name of a GROUP_CREATE is told to the log of the core by a process of its "
                  "own there, which takes it for UTF-8 and crashes where it is not. The edge and "
                  "its client notice nothing.">>,
            kind => process_crash,
            connections => 1,
            frames => 1,
            edges => 1
        }
    ].
