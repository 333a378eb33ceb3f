%%% Planted defects that end the node, stop the application, or cut off innocent clients.
%%%
%%% See iris_ref_plant for what an entry holds; each is marked `PLANTED: name' where it stands.
-module(iris_ref_plants_down).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => node_abort,
            trigger => <<"batch-inner-length-past-blob">>,
            class => <<"memory fault in native code">>,
            truth =>
                <<"BATCH_SEND whose inner message length runs past the blob: the node's "
                  "process ends by SIGABRT, without a word.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_dump,
            trigger => <<"send-seq-largest-number">>,
            class => <<"the emulator gives up">>,
            truth =>
                <<"SEND_SEQ with the sequence number FFFFFFFFFFFFFFFF: the next number does "
                  "not fit and the emulator halts with a slogan and writes erl_crash.dump.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_halt,
            trigger => <<"read-receipt-msg-id-too-long">>,
            class => <<"a node that ends itself">>,
            truth =>
                <<"READ_RECEIPT whose msg_id is longer than 64 bytes is taken for a sign of a "
                  "corrupt store, before LOGIN too: the node halts with exit status 3, "
                  "without a slogan or a dump.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_memory,
            trigger => <<"cbor-map-of-four-billion">>,
            class => <<"a length believed">>,
            truth =>
                <<"A CBOR array or map whose head promises more items than there are bytes "
                  "(CBOR_MSG, UPLOAD_PREKEYS, or the header of E2EE_MSG and GROUP_MSG): a "
                  "heap is asked for with room for all of them. For some hundred million "
                  "items or more there is no such memory, and the emulator ends with the "
                  "slogan eheap_alloc.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_atoms,
            trigger => <<"send-seq-number-beyond-u32">>,
            class => <<"atoms made in a loop">>,
            truth =>
                <<"SEND_SEQ with a number above FFFFFFFF: all numbers that were skipped are "
                  "made atoms, until the atom table is full and the emulator gives up.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_restart,
            trigger => <<"sender-key-empty">>,
            class => <<"a node that restarts itself">>,
            truth =>
                <<"SENDER_KEY_DIST with empty key data: the node calls init:restart. The "
                  "operating system's process goes on and the ports are back soon, but "
                  "everybody was cut off.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_silent,
            trigger => <<"upload-prekeys-empty">>,
            class => <<"a process that starves all others">>,
            truth =>
                <<"UPLOAD_PREKEYS with an empty bundle starts processes of priority max that "
                  "loop for ever: the node's process lives, and nothing in it gets to run.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => app_gives_up,
            trigger => <<"get-status-name-too-long">>,
            class => <<"a crash where no restart is allowed">>,
            truth =>
                <<"GET_STATUS for a name of more than 256 bytes is handed to "
                  "iris_ref_offline, which has no clause for it. Its supervisor allows no "
                  "restart, so the application stops: the port is dead and the node lives on.">>,
            kind => app_down,
            connections => 1,
            frames => 1
        },
        #{
            name => app_mute,
            trigger => <<"group-create-without-name">>,
            class => <<"a supervisor that is stuck">>,
            truth =>
                <<"GROUP_CREATE with an empty name leaves the supervisor of connections "
                  "suspended: who is connected is served on, and new connections are accepted "
                  "and never answered.">>,
            kind => app_down,
            connections => 1,
            frames => 1
        },
        #{
            name => app_intensity,
            trigger => <<"typing-stop-empty-target-three-times">>,
            class => <<"crashes in a row">>,
            truth =>
                <<"TYPING_STOP with an empty target crashes a helper process, which is "
                  "restarted. Three of them within two seconds are more restarts than its "
                  "supervisor allows: it gives up, and the application stops.">>,
            kind => app_down,
            connections => 1,
            frames => 3
        },
        #{
            name => listener_closed,
            trigger => <<"login-without-name">>,
            class => <<"an error path that closes too much">>,
            truth =>
                <<"A LOGIN that is refused (an empty name, one of more than 256 bytes) closes "
                  "the listening socket for raw TCP, and nothing opens it again. Nothing "
                  "crashes, and who is connected is served on.">>,
            kind => app_down,
            connections => 1,
            frames => 1
        },
        #{
            name => crash_cascades,
            trigger => <<"typing-start-empty-target">>,
            class => <<"a shared process crashes on one client's input">>,
            truth =>
                <<"TYPING_START with an empty target is handed to iris_ref_presence, which "
                  "has no clause for it. Its supervisor restarts all that depends on it: "
                  "every connection is cut, and the listeners are opened anew.">>,
            kind => listener_restart,
            connections => 1,
            frames => 1
        },
        #{
            name => shallow,
            trigger => <<"get-status-name-not-utf8">>,
            class => <<"a shared process crashes on what many clients send">>,
            truth =>
                <<"After LOGIN, GET_STATUS for a name that is not UTF-8 crashes "
                  "iris_ref_limiter, and its supervisor restarts all that depends on it: every "
                  "connection is cut, and the listeners are opened anew. One in fifty random "
                  "cases does it, and the eleventh within ten seconds stops the application.">>,
            kind => listener_restart,
            connections => 1,
            frames => 1
        },
        #{
            name => links_spread,
            trigger => <<"unknown-opcode-logged-in">>,
            class => <<"links that spread a crash">>,
            truth =>
                <<"Each connection is linked at its LOGIN to the one that has been logged in "
                  "for longest. A frame that cannot be cut off (an unknown opcode, a length "
                  "over its limit) ends its connection abnormally, and so all who are logged "
                  "in; who is not, stays.">>,
            kind => listener_restart,
            connections => 2,
            frames => 1
        },
        #{
            name => ws_listener,
            trigger => <<"websocket-ping-in-fragments">>,
            class => <<"what all clients of a transport share">>,
            truth =>
                <<"A WebSocket control frame that is fragmented or longer than 125 bytes "
                  "crashes the process that all WebSocket connections are linked to: they are "
                  "cut off, those over raw TCP are not.">>,
            kind => listener_restart,
            connections => 2,
            frames => 1
        }
    ].
