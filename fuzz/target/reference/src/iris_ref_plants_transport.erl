%%% Planted defects that show only in how bytes travel: over TLS, or in the frames of WebSocket.
%%%
%%% See iris_ref_plant for what an entry holds; each is marked `PLANTED: name' where it stands.
-module(iris_ref_plants_transport).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => tls_goodbye,
            trigger => <<"get-status-cut-short">>,
            class => <<"an end that only one transport has">>,
            truth =>
                <<"A client of TLS that ends while a frame of it is incomplete: the "
                  "connection's process has no clause for such an end, and crashes. Over TCP "
                  "the same is well.">>,
            kind => process_crash,
            connections => 1,
            frames => 1,
            tls => true
        },
        #{
            name => ws_interleaved,
            trigger => <<"websocket-ping-between-fragments">>,
            class => <<"a control frame within a message">>,
            truth =>
                <<"A WebSocket control frame between the fragments of a message, where it may "
                  "be, reaches a function that has no clause for it: the connection's process "
                  "crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 2
        },
        #{
            name => ws_length,
            trigger => <<"websocket-length-of-a-tebibyte">>,
            class => <<"a length that is believed">>,
            truth =>
                <<"For a WebSocket frame whose length has 64 bits, room is made in lines before "
                  "the length is compared with its limit. From 1 GiB on there is no such room, "
                  "and the connection's process crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => ws_unmasked,
            trigger => <<"websocket-get-status-unmasked">>,
            class => <<"a check that is left out">>,
            truth =>
                <<"A WebSocket frame of a client that is not masked, and has at most 125 bytes, "
                  "is taken as if it were.">>,
            kind => conformance,
            connections => 1,
            frames => 1
        },
        #{
            name => ws_pong,
            trigger => <<"websocket-ping-of-eight-bytes">>,
            class => <<"an answer without what was asked">>,
            truth =>
                <<"The PONG that answers a WebSocket PING is empty, whatever the PING holds.">>,
            kind => conformance,
            connections => 1,
            frames => 1
        },
        #{
            name => ws_close,
            trigger => <<"websocket-close-with-a-reason">>,
            class => <<"an end without its last word">>,
            truth =>
                <<"A WebSocket CLOSE that gives a reason behind its code is not answered with a "
                  "CLOSE: the connection just ends.">>,
            kind => conformance,
            connections => 1,
            frames => 1
        },
        #{
            name => ws_wide,
            trigger => <<"websocket-get-status-of-128-bytes">>,
            class => <<"a length in the wrong form">>,
            truth =>
                <<"A WebSocket message of the server that has 126 to 65535 bytes has its length "
                  "in 64 bits, where 16 must do.">>,
            kind => conformance,
            connections => 1,
            frames => 1
        }
    ].
