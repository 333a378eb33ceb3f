%%% Planted defects behind what neither the published protocol nor the seeds know.
%%%
%%% See iris_ref_plant for what an entry holds; they stand in iris_ref_later. A search gets there by
%%% what it sees of the code, or hardly ever.
-module(iris_ref_plants_later).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => later_position,
            trigger => <<"position-of-scale-zero">>,
            class => <<"a division by zero behind four checks">>,
            truth =>
                <<"The unknown opcode 40, logged in, then version 3, projection 9C, the unit km or "
                  "ft, and a scale of 32,768 to 33,023: the connection's process divides by what "
                  "is left of it without its highest bit and its lower byte, and crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => later_call,
            trigger => <<"call-held-twice">>,
            class => <<"a state that nobody thought of">>,
            truth =>
                <<"The unknown opcode 50 with the words OFFER, ACCEPT, HOLD and HOLD again, in four "
                  "segments of one connection that is logged in: its process crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 4
        },
        #{
            name => later_header,
            trigger => <<"e2ee-header-kept-for-six-weeks">>,
            class => <<"a table that is too short">>,
            truth =>
                <<"E2EE_MSG whose header has the key ttl with a number of 32 bits that is six weeks "
                  "or more, in seconds: the connection's process crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        }
    ].
