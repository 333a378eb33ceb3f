%%% Planted defects that crash one process, at once or later.
%%%
%%% See iris_ref_plant for what an entry holds; each is marked `PLANTED: name' where it stands.
-module(iris_ref_plants_crash).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => crash_alone,
            trigger => <<"reserved-opcode-34">>,
            class => <<"unhandled input">>,
            truth =>
                <<"The reserved opcode 34, sent by a logged-in client, reaches a function "
                  "that has no clause for it. The connection's process crashes; nobody else "
                  "notices.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => server_opcode,
            trigger => <<"opcode-75-of-the-server">>,
            class => <<"a server's opcode from a client">>,
            truth =>
                <<"Opcode 75, which is the server's, reaches a function that has no clause "
                  "for it, logged in or not. The connection's process crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => partial_header,
            trigger => <<"get-status-cut-within-length">>,
            class => <<"a header that TCP cuts in two">>,
            truth =>
                <<"A frame of one field (such as GET_STATUS), of which a segment brings the "
                  "opcode and just one byte of the length: the connection's process crashes. "
                  "In one segment, or cut elsewhere, the same frame is well.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => limit_exact,
            trigger => <<"typing-start-longest-name">>,
            class => <<"off by one at a limit">>,
            truth =>
                <<"A frame that begins with a name of exactly 256 bytes, which is the limit, "
                  "logged in: the connection's process crashes over a count of -1. 255 bytes "
                  "are well, and 257 are refused.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => deep_cbor,
            trigger => <<"cbor-nested-65-deep">>,
            class => <<"nesting without a limit">>,
            truth =>
                <<"CBOR that is nested more than 64 deep (CBOR_MSG, UPLOAD_PREKEYS, or the "
                  "header of E2EE_MSG and GROUP_MSG): the connection's process crashes in "
                  "place of saying so.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => heap_killed,
            trigger => <<"sender-key-of-1024-bytes">>,
            class => <<"a process killed by the emulator">>,
            truth =>
                <<"SENDER_KEY_DIST with key data of 1,024 bytes or more: a process with a "
                  "limited heap reads it and is killed. It cannot report that; only the "
                  "emulator says so.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => plain_spawn,
            trigger => <<"typing-start-to-oneself">>,
            class => <<"a crash in a process that nobody watches">>,
            truth =>
                <<"TYPING_START whose target is the sender: a plain process, linked to "
                  "nobody, is spawned for it and crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => keys_later,
            trigger => <<"upload-prekeys-without-one-time-keys">>,
            class => <<"a crash by a timer">>,
            truth =>
                <<"UPLOAD_PREKEYS with a good bundle without one-time keys: one and a half "
                  "seconds later, when its client has long gone, a process of the key store "
                  "crashes over it.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => limiter_far,
            trigger => <<"message-from-a-name-not-utf8">>,
            class => <<"a crash far from its cause">>,
            truth =>
                <<"A message from a user whose name is not UTF-8 leaves a row in the rate "
                  "limiter. At the limiter's next sweep, up to a second later, a process "
                  "crashes over the name.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => login_switch,
            trigger => <<"get-status-after-three-logins">>,
            class => <<"state that survives a LOGIN">>,
            truth =>
                <<"The third LOGIN of a connection has no entry in its table of users: the "
                  "next frame of any other kind crashes the connection's process.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => group_after_leave,
            trigger => <<"group-message-after-group-leave">>,
            class => <<"a stale reference">>,
            truth =>
                <<"GROUP_MSG to the group that its connection has left last: the connection's "
                  "process takes the first of no members, and crashes.">>,
            kind => process_crash,
            connections => 1,
            frames => 3
        },
        #{
            name => receipt_known,
            trigger => <<"read-receipt-after-ack">>,
            class => <<"state that is forgotten by half">>,
            truth =>
                <<"READ_RECEIPT for the message that its connection has acknowledged last: "
                  "the connection's process looks up who sent it, and crashes. A msg_id that "
                  "was never delivered is well.">>,
            kind => process_crash,
            connections => 2,
            frames => 3
        },
        #{
            name => build_up,
            trigger => <<"fetch-prekeys-without-name-41-times">>,
            class => <<"an index that runs past its end">>,
            truth =>
                <<"FETCH_PREKEYS of an empty name, from any connection, uses one of forty "
                  "slots that all share: the forty-first of them crashes its connection's "
                  "process, and the count begins anew.">>,
            kind => process_crash,
            connections => 1,
            frames => 41
        }
    ].
