%%% The announcement: a small file that tells the harness where the agent listens.
%%%
%%% It is named after the node and the operating system's process, for several nodes may
%%% inherit one environment, and it is renamed into place so that a reader sees all of it.
-module(iris_fuzz_file).

-export([write_ready/2, write_error/2, delete/1]).

-spec write_ready(iris_fuzz_agent:settings(), inet:port_number()) -> ok | {error, file:posix()}.
write_ready(Settings, Port) ->
    write(Settings, [{port, integer_to_list(Port)}]).

%% An agent that could not start says so in place of its port, in one line.
-spec write_error(iris_fuzz_agent:settings(), term()) -> ok | {error, file:posix()}.
write_error(Settings, Reason) ->
    Text = lists:flatten(io_lib:format("~0tp", [Reason], [{chars_limit, 1000}])),
    write(Settings, [{error, [Char || Char <- Text, Char =/= $\n]}]).

-spec delete(iris_fuzz_agent:settings()) -> ok.
delete(#{folder := Folder}) ->
    _ = file:delete(path(Folder)),
    ok;
delete(#{}) ->
    ok.

%% A guest has no folder: who has brought it in asks for the port.
write(#{folder := Folder}, Outcome) ->
    Facts = [
        {version, integer_to_list(iris_fuzz_agent:version())},
        {node, atom_to_list(node())},
        {os_pid, os:getpid()},
        {otp, erlang:system_info(otp_release)}
        | Outcome
    ],
    Text = unicode:characters_to_binary([[atom_to_list(K), $=, V, $\n] || {K, V} <- Facts]),
    write_atomically(path(Folder), Text);
write(#{}, _) ->
    ok.

write_atomically(Path, Text) ->
    Scratch = Path ++ ".new",
    case file:write_file(Scratch, Text) of
        ok -> file:rename(Scratch, Path);
        {error, _} = Error -> Error
    end.

path(Folder) ->
    Node = [plain(Char) || Char <- atom_to_list(node())],
    filename:join(Folder, Node ++ "-" ++ os:getpid() ++ ".agent").

plain(Char) when Char =:= $/; Char < 32 -> $_;
plain(Char) -> Char.
