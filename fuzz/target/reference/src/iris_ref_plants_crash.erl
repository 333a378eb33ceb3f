%%% Planted defects that crash, stop, hang or leak.
%%%
%%% See iris_ref_plant for what an entry holds; each is marked `PLANTED: name' where it stands.
-module(iris_ref_plants_crash).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        #{
            name => crash_alone,
            class => <<"unhandled input">>,
            truth =>
                <<"The reserved opcode 34, sent by a logged-in client, reaches a function that has "
                  "no clause for it. The connection's process crashes; nobody else notices.">>,
            kind => process_crash,
            connections => 1,
            frames => 1
        },
        #{
            name => crash_cascades,
            class => <<"a shared process crashes on one client's input">>,
            truth =>
                <<"TYPING_START with an empty target is handed to iris_ref_presence, which has no "
                  "clause for it. Its supervisor restarts all that depends on it: every connection "
                  "is cut, and the listeners are opened anew.">>,
            kind => listener_restart,
            connections => 1,
            frames => 1
        },
        #{
            name => app_gives_up,
            class => <<"a crash where no restart is allowed">>,
            truth =>
                <<"GET_STATUS for a name of more than 256 bytes is handed to iris_ref_offline, which "
                  "has no clause for it. Its supervisor allows no restart, so the application stops: "
                  "the port is dead and the node lives on.">>,
            kind => app_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_abort,
            class => <<"memory fault in native code">>,
            truth =>
                <<"BATCH_SEND whose inner message length runs past the blob: the node's process "
                  "ends by SIGABRT, without a word.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => node_dump,
            class => <<"the emulator gives up">>,
            truth =>
                <<"SEND_SEQ with the sequence number FFFFFFFFFFFFFFFF: the next number does not fit "
                  "and the emulator halts with a slogan and writes erl_crash.dump.">>,
            kind => node_down,
            connections => 1,
            frames => 1
        },
        #{
            name => hang,
            class => <<"endless loop">>,
            truth =>
                <<"A CBOR map of indefinite length that ends without its break code (CBOR_MSG, or the "
                  "header of E2EE_MSG and GROUP_MSG): the decoder looks for the break for ever. The "
                  "connection neither answers nor closes, and its process keeps running.">>,
            kind => hang,
            connections => 1,
            frames => 1
        },
        #{
            name => atom_leak,
            class => <<"atoms made from input">>,
            truth =>
                <<"GROUP_ROSTER with an id that no server made is turned into an atom before it is "
                  "looked up. Each new id stays in the atom table, which is never emptied.">>,
            kind => leak,
            connections => 1,
            frames => 1
        }
    ].
