%%% Planted defects of the decoder, which show when it is called directly.
%%%
%%% See iris_ref_plant for what an entry holds. Over a connection some of them show too, and others
%%% not: a client that has sent half a frame and closes is owed nothing. Each is marked
%%% `PLANTED: name' in iris_ref_miscut.
-module(iris_ref_plants_decode).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    [
        entry(
            decode_short, conformance, <<"group-leave-last-byte-missing">>,
            <<"a part taken as whole">>,
            <<"A GROUP_LEAVE whose last byte is not there yet is decoded as a frame.">>
        ),
        entry(
            decode_early, conformance, <<"read-receipt-before-second-length">>,
            <<"a part taken as wrong">>,
            <<"A READ_RECEIPT that ends before its second length is there is decoded as an error, "
              "where more is needed.">>
        ),
        entry(
            decode_greedy, conformance, <<"typing-stop-and-a-byte">>,
            <<"a frame that takes more than its own">>,
            <<"The byte behind a TYPING_STOP is taken as a part of it: what follows is misread.">>
        ),
        entry(
            decode_empty, process_crash, <<"send-seq-empty-target">>,
            <<"a name that is empty">>,
            <<"The decoder crashes with function_clause on a SEND_SEQ whose target is empty.">>
        ),
        entry(
            decode_tag, conformance, <<"group-roster-name-of-65-bytes">>,
            <<"a frame taken for another">>,
            <<"A GROUP_ROSTER for a name of more than 64 bytes is decoded as a GROUP_LEAVE.">>
        ),
        entry(
            decode_loops, hang, <<"batch-empty">>,
            <<"a loop without an end">>,
            <<"The decoder never returns from a BATCH_SEND whose batch is empty.">>
        ),
        entry(
            decode_heap, process_crash, <<"e2ee-message-empty-header">>,
            <<"memory for what is not there">>,
            <<"The decoder makes a list of ten million cells for an E2EE_MSG with an empty header: "
              "a process whose heap is limited is killed.">>
        ),
        entry(
            decode_waits, conformance, <<"opcode-08">>,
            <<"a wait for what cannot come">>,
            <<"The decoder asks for more of a frame with an opcode from 08 to 0F, which nobody has: "
              "a client that sends one is never answered.">>
        ),
        entry(
            decode_ascii, conformance, <<"fetch-prekeys-name-not-ascii">>,
            <<"a frame that is refused">>,
            <<"A FETCH_PREKEYS for a name that begins with a byte above 127 is an error, though a "
              "name may hold any bytes.">>
        ),
        entry(
            decode_later, process_crash, <<"reaction-32768-hearts">>,
            <<"a frame of a later version">>,
            <<"The decoder knows a reaction (opcode 41, version 2, sort A7, the name heart or smile, "
              "and how many), though it says that it is no frame. It crashes with badarg where "
              "there are 32768 of them or more.">>
        )
    ].

entry(Name, Kind, Trigger, Class, Truth) ->
    #{
        name => Name,
        trigger => Trigger,
        class => Class,
        truth => Truth,
        kind => Kind,
        connections => 1,
        frames => 1,
        decoder => true
    }.
