%%% Planted defects after which all is up, and something hangs, grows or takes too long.
%%%
%%% See iris_ref_plant for what an entry holds; each is marked `PLANTED: name' where it stands.
-module(iris_ref_plants_stay).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => hang,
            trigger => <<"cbor-map-without-break">>,
            class => <<"endless loop">>,
            truth =>
                <<"A CBOR map of indefinite length that ends without its break code "
                  "(CBOR_MSG, or the header of E2EE_MSG and GROUP_MSG): the decoder looks for "
                  "the break for ever. The connection neither answers nor closes, and its "
                  "process keeps running.">>,
            kind => hang,
            connections => 1,
            frames => 1
        },
        #{
            name => call_cycle,
            trigger => <<"send-seq-to-oneself">>,
            class => <<"servers that wait for one another">>,
            truth =>
                <<"SEND_SEQ to oneself makes a call to a server that calls another, which "
                  "calls the first: neither returns, and the connection waits for ever. All "
                  "others are served.">>,
            kind => hang,
            connections => 1,
            frames => 1
        },
        #{
            name => unanswered,
            trigger => <<"get-status-of-a-zero-byte">>,
            class => <<"a request that is swallowed">>,
            truth =>
                <<"GET_STATUS for a name that begins with a zero byte is not answered, logged "
                  "in or not. The connection goes on and ends normally.">>,
            kind => hang,
            connections => 1,
            frames => 1
        },
        #{
            name => served_late,
            trigger => <<"group-message-unknown-id">>,
            class => <<"a shared process that waits">>,
            truth =>
                <<"GROUP_MSG to a group that one is not in has a process that all connections "
                  "share wait for three seconds. GET_STATUS after LOGIN needs that process: who "
                  "asks for a status meanwhile, new clients too, is answered only then.">>,
            kind => hang,
            connections => 1,
            frames => 1
        },
        #{
            name => mailbox_storm,
            trigger => <<"batch-to-oneself">>,
            class => <<"messages that breed">>,
            truth =>
                <<"BATCH_SEND to oneself starts a message in a process that all connections "
                  "share, which sends itself two for each that it handles: its mailbox grows "
                  "by thousands a second, up to half a million, and the connection waits for "
                  "ever for it to be empty. All others are served.">>,
            kind => hang,
            connections => 1,
            frames => 1
        },
        #{
            name => atom_leak,
            trigger => <<"group-roster-unknown-id">>,
            class => <<"atoms made from input">>,
            truth =>
                <<"GROUP_ROSTER with an id that no server made is turned into an atom before "
                  "it is looked up. Each new id stays in the atom table, which is never "
                  "emptied.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => mailbox_stuck,
            trigger => <<"read-receipt-to-nobody">>,
            class => <<"a mailbox that nobody reads">>,
            truth =>
                <<"READ_RECEIPT for a sender who is offline sends a message to a process that "
                  "takes no such message: its mailbox grows by one with each.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => ets_leak,
            trigger => <<"typing-stop-to-nobody">>,
            class => <<"rows that are never removed">>,
            truth =>
                <<"TYPING_STOP to a user who is offline leaves a row in the table "
                  "iris_ref_typing, for each pair of users.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => ets_bytes,
            trigger => <<"group-leave-unknown-id">>,
            class => <<"a row that only grows">>,
            truth =>
                <<"GROUP_LEAVE of a group that one is not in makes the one row of the table "
                  "iris_ref_left longer.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => process_leak,
            trigger => <<"typing-start-to-nobody">>,
            class => <<"a process that waits for ever">>,
            truth =>
                <<"TYPING_START to a user who is offline leaves a process that waits for a "
                  "message that nobody sends.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => port_leak,
            trigger => <<"e2ee-message-empty">>,
            class => <<"a socket that is never closed">>,
            truth =>
                <<"E2EE_MSG with an empty ciphertext opens a UDP socket, gives it to a "
                  "process that lives on, and nobody closes it.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => binary_leak,
            trigger => <<"sender-key-of-one-byte">>,
            class => <<"binaries kept by a shared process">>,
            truth =>
                <<"SENDER_KEY_DIST with key data of any size but 32 bytes and 0: a process "
                  "that all connections share keeps a page of four kilobytes for it, for "
                  "ever.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => stuck_frame,
            trigger => <<"message-of-1025-bytes-cut-short">>,
            class => <<"what is left of an incomplete frame">>,
            truth =>
                <<"A field of more than 1,024 bytes that does not come whole in one segment "
                  "leaves a row in the table iris_ref_partial, which is removed when the rest "
                  "comes, and stays when the connection ends before.">>,
            kind => leak,
            connections => 1,
            frames => 1
        },
        #{
            name => slow_decode,
            trigger => <<"cbor-followed-by-1023-maps">>,
            class => <<"work that grows with the square">>,
            truth =>
                <<"A CBOR map that is followed by further items (CBOR_MSG, or the header of "
                  "E2EE_MSG and GROUP_MSG): they are counted from the beginning for each of "
                  "them, up to 1,024. A kilobyte keeps the node busy for some tenths of a "
                  "second; then it is refused as always.">>,
            kind => cost,
            connections => 1,
            frames => 1
        }
    ].
