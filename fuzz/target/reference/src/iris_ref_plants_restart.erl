%%% Planted defects that show after a restart of the application, which no campaign asks for.
%%%
%%% See iris_ref_plant for what an entry holds. They are carried out in iris_ref_amnesia, and found
%%% by the check `model'.
-module(iris_ref_plants_restart).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => restart_forgets,
            trigger => <<"message-stored-over-a-restart">>,
            class => <<"a clean-up that takes too much">>,
            truth =>
                <<"A start of the application deletes what is stored for users who are not "
                  "online, and at a start nobody is.">>,
            kind => semantic,
            connections => 2,
            frames => 1,
            check => model
        },
        #{
            name => restart_replays,
            trigger => <<"message-acknowledged-before-a-restart">>,
            class => <<"a journal that is replayed without its end">>,
            truth =>
                <<"A start of the application stores anew what was stored last, also what was "
                  "acknowledged since: it comes again at the next login.">>,
            kind => semantic,
            connections => 3,
            frames => 2,
            check => model
        },
        #{
            name => restart_refuses,
            trigger => <<"empty-message-stored-over-a-restart">>,
            class => <<"a check at the start that is stricter than the one on the way in">>,
            truth =>
                <<"The application does not start while an empty message is stored: all is "
                  "well until the next restart.">>,
            kind => app_down,
            connections => 1,
            frames => 1,
            check => model
        }
    ].
