%%% Planted defects that a crowd sets off: clients that come, or drop and come back, at once.
%%%
%%% See iris_ref_plant for what an entry holds; they are carried out in iris_ref_crowd. Their
%%% trigger is the dialogue of one of the clients, and shows nothing by itself.
-module(iris_ref_plants_storm).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => storm_backlog,
            trigger => <<"one-client-of-a-storm">>,
            class => <<"a limit that is never lifted">>,
            truth =>
                <<"Each of the listener's acceptors stops for good when it has accepted a client "
                  "while 200 others are connected. Who is connected is served on; when all have "
                  "stopped, new connections are accepted by the kernel and never answered.">>,
            kind => app_down,
            connections => 204,
            frames => 0,
            check => storm
        },
        #{
            name => storm_lost,
            trigger => <<"one-client-of-a-storm">>,
            class => <<"work that is put off and forgotten">>,
            truth =>
                <<"LOGIN while 200 others are logged in: what is stored for the user is taken "
                  "out of the store and not sent.">>,
            kind => semantic,
            connections => 202,
            frames => 1,
            check => storm
        },
        #{
            name => storm_leak,
            trigger => <<"one-client-of-a-storm">>,
            class => <<"a clean-up that is put off">>,
            truth =>
                <<"A connection that ends while more than 200 others are logged in leaves a row "
                  "in the table iris_ref_farewells, and nothing removes it.">>,
            kind => leak,
            connections => 202,
            frames => 0,
            check => storm
        }
    ].
