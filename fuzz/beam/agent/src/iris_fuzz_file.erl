%%% The announcement: a small file that tells the harness where the agent listens.
%%%
%%% It is named after the node and the operating system's process, for several nodes may
%%% inherit one environment, and it is renamed into place so that a reader sees all of it.
-module(iris_fuzz_file).

-export([write_ready/1, write_error/1, delete/0]).

-spec write_ready(inet:port_number()) -> ok | {error, file:posix() | no_directory}.
write_ready(Port) ->
    write([{port, integer_to_list(Port)}]).

%% An agent that could not start says so in place of its port, in one line.
-spec write_error(term()) -> ok | {error, file:posix() | no_directory}.
write_error(Reason) ->
    Text = lists:flatten(io_lib:format("~0tp", [Reason], [{chars_limit, 1000}])),
    write([{error, [Char || Char <- Text, Char =/= $\n]}]).

-spec delete() -> ok.
delete() ->
    case path() of
        {ok, Path} ->
            _ = file:delete(Path),
            ok;
        {error, no_directory} ->
            ok
    end.

write(Outcome) ->
    Facts = [
        {version, integer_to_list(iris_fuzz_agent:version())},
        {node, atom_to_list(node())},
        {os_pid, os:getpid()},
        {otp, erlang:system_info(otp_release)}
        | Outcome
    ],
    Text = unicode:characters_to_binary([[atom_to_list(K), $=, V, $\n] || {K, V} <- Facts]),
    case path() of
        {ok, Path} -> write_atomically(Path, Text);
        {error, no_directory} = Error -> Error
    end.

write_atomically(Path, Text) ->
    Scratch = Path ++ ".new",
    case file:write_file(Scratch, Text) of
        ok -> file:rename(Scratch, Path);
        {error, _} = Error -> Error
    end.

path() ->
    case os:getenv("IRIS_FUZZ_DIR") of
        false ->
            {error, no_directory};
        Directory ->
            Node = [plain(Char) || Char <- atom_to_list(node())],
            {ok, filename:join(Directory, Node ++ "-" ++ os:getpid() ++ ".agent")}
    end.

plain(Char) when Char =:= $/; Char < 32 -> $_;
plain(Char) -> Char.
