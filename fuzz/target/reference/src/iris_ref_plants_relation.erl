%%% Planted defects of which no single play can tell: what is wrong shows beside another play.
%%%
%%% See iris_ref_plant for what an entry holds. Nothing is lost or said that a client could hold
%%% against the protocol: a notice is owed to nobody, and a key that is not handed out was none.
%%% Each is marked `PLANTED: name' where it stands, and found by the check `relations'.
-module(iris_ref_plants_relation).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => notice_cut,
            trigger => <<"typing-start-whole">>,
            class => <<"a short cut past the buffer">>,
            truth =>
                <<"A TYPING_START, TYPING_STOP or READ_RECEIPT that TCP has cut is passed over in "
                  "silence when its last bytes come.">>,
            kind => semantic,
            connections => 2,
            frames => 1,
            check => relations
        },
        #{
            name => key_spent,
            trigger => <<"upload-prekeys-one-key">>,
            class => <<"a look-up that finds the nearest">>,
            truth =>
                <<"FETCH_PREKEYS for a user who has published nothing uses up a one-time key of "
                  "the bundle that was published last, by whomever.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            check => relations
        },
        #{
            name => typist_shared,
            trigger => <<"typing-start-and-stop">>,
            class => <<"state of a connection kept for the node">>,
            truth =>
                <<"TYPING_STOP is relayed only to the user to whom the last TYPING_START went, "
                  "and of these the whole node remembers one: any other client's takes its "
                  "place.">>,
            kind => semantic,
            connections => 2,
            frames => 2,
            check => relations
        },
        #{
            name => every_other,
            trigger => <<"upload-prekeys-no-key">>,
            class => <<"a buffer that is filled and emptied in turns">>,
            truth =>
                <<"Every other FETCH_PREKEYS that finds a bundle, counted over all clients, is "
                  "answered without the signature.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            check => relations
        }
    ].
