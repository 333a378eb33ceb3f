%%% Planted defects: what the harness's own tests must find.
%%%
%%% Each defect stands in one place of the code, marked `PLANTED: name', and is off unless
%%% its name was given at the start. The flag is a persistent term: reading it costs some
%%% tens of nanoseconds, and only on the odd path where the defect lives.
-module(iris_ref_plant).

-export([catalogue/0, on/1, enable/1, disable_all/0]).
-export_type([name/0, kind/0]).

-type name() ::
    crash_alone | crash_cascades | app_gives_up | node_abort | node_dump | hang | atom_leak.
-type kind() :: process_crash | listener_restart | app_down | node_down | hang | leak.

%% Every defect: its name, the class of mistake, the truth of it, and what should be reported.
-spec catalogue() -> [{name(), Class :: binary(), Paragraph :: binary(), kind()}].
catalogue() ->
    [
        {crash_alone, <<"unhandled input">>,
            <<"The reserved opcode 34, sent by a logged-in client, reaches a function that has "
              "no clause for it. The connection's process crashes; nobody else notices.">>,
            process_crash},
        {crash_cascades, <<"a shared process crashes on one client's input">>,
            <<"TYPING_START with an empty target is handed to iris_ref_presence, which has no "
              "clause for it. Its supervisor restarts all that depends on it: every connection "
              "is cut, and the listeners are opened anew.">>,
            listener_restart},
        {app_gives_up, <<"a crash where no restart is allowed">>,
            <<"GET_STATUS for a name of more than 256 bytes is handed to iris_ref_offline, which "
              "has no clause for it. Its supervisor allows no restart, so the application stops: "
              "the port is dead and the node lives on.">>,
            app_down},
        {node_abort, <<"memory fault in native code">>,
            <<"BATCH_SEND whose inner message length runs past the blob: the node's process "
              "ends by SIGABRT, without a word.">>,
            node_down},
        {node_dump, <<"the emulator gives up">>,
            <<"SEND_SEQ with the sequence number FFFFFFFFFFFFFFFF: the next number does not fit "
              "and the emulator halts with a slogan and writes erl_crash.dump.">>,
            node_down},
        {hang, <<"endless loop">>,
            <<"A CBOR map of indefinite length that ends without its break code (CBOR_MSG, or the "
              "header of E2EE_MSG and GROUP_MSG): the decoder looks for the break for ever. The "
              "connection neither answers nor closes, and its process keeps running.">>,
            hang},
        {atom_leak, <<"atoms made from input">>,
            <<"GROUP_ROSTER with an id that no server made is turned into an atom before it is "
              "looked up. Each new id stays in the atom table, which is never emptied.">>,
            leak}
    ].

%% Tell whether a defect is switched on.
-spec on(name()) -> boolean().
on(Name) ->
    persistent_term:get({?MODULE, Name}, false).

%% Switch a defect on, given its name as text.
-spec enable(string()) -> ok | {error, unknown}.
enable(Text) ->
    case [Name || {Name, _, _, _} <- catalogue(), atom_to_list(Name) =:= Text] of
        [Name] -> persistent_term:put({?MODULE, Name}, true);
        [] -> {error, unknown}
    end.

%% Switch every defect off.
-spec disable_all() -> ok.
disable_all() ->
    _ = [persistent_term:erase({?MODULE, Name}) || {Name, _, _, _} <- catalogue()],
    ok.
