%%% The start of a node: arguments, the application, and one line that says where it listens.
%%%
%%%     erl -noshell -pa EBIN -s iris_ref main -extra KEY VALUE ...
%%%
%%% Keys: port (default 8085; 0 lets the system choose), ws_port (default port + 1), ip (default
%%% 127.0.0.1), data_dir (default iris_ref_data), role (single, core or edge), core (the node
%%% that an edge asks), auth_enabled (true or false), auth_secret, revoked (the jti of tokens
%%% that are refused, with commas between them), tls (true: both ports speak TLS and nothing else; what
%%% a client has to trust is in data_dir/tls, see iris_ref_tls), tls_versions (1.2 or 1.3, or both with
%%% a comma between them), tls_verify (true: clients need a certificate), incomplete_ms, ack_ms,
%%% ack_scan_ms, clock_offset_ms (by how much the clock of the node is off: ahead, or behind if it is
%%% negative), plants (names with commas between them; those of authentication switch auth_enabled
%%% on, those of TLS tls), stop_on_eof (true: the node halts when its standard input ends, so that it
%%% does not outlive who has started it), stand_by (true: all that takes an emulator's boot is done, and
%%% nothing else before standard input has a line `serve'; the node halts when it ends).
%%%
%%% When clients can connect, standard output gets the line
%%% `IRIS_REF READY tcp=PORT ws=PORT node=NODE auth=BOOLEAN tls=BOOLEAN': a core has no ports of its
%%% own (0), and `auth' tells whether LOGIN needs a token. When the start fails, standard error gets one
%%% line `IRIS_REF ERROR ...' and the node ends with code 3.
-module(iris_ref).

-export([main/0, stop_on_eof/0, keep_ports/0]).

-define(FAILURE, 3).
-define(SERVES, "IRIS_REF_SERVES").

-spec main() -> ok.
main() ->
    case arguments(init:get_plain_arguments(), []) of
        {ok, Arguments} ->
            ok = stand_by(maps:get(stand_by, Arguments, false)),
            start(maps:merge(with_tls(with_auth(Arguments)), kept_ports()));
        {error, Text} ->
            fail(Text)
    end.

%% A node that restarts itself has been told to serve: what survives is the environment.
stand_by(true) ->
    case os:getenv(?SERVES) of
        false ->
            told_to_serve(io:get_line(standard_io, "")),
            true = os:putenv(?SERVES, "true"),
            ok;
        _ ->
            ok
    end;
stand_by(false) ->
    ok.

told_to_serve("serve\n") -> ok;
told_to_serve(_) -> erlang:halt(0, [{flush, false}]).

arguments([Key, Value | Rest], Known) ->
    case argument(Key, Value) of
        error -> {error, ["the value ", Value, " of ", Key, " is not valid"]};
        unknown -> {error, ["the argument ", Key, " is not known"]};
        Argument -> arguments(Rest, [Argument | Known])
    end;
arguments([Key], _) ->
    {error, ["the argument ", Key, " lacks a value"]};
arguments([], Known) ->
    {ok, maps:merge(#{data_dir => "iris_ref_data", stop_on_eof => false}, maps:from_list(Known))}.

argument("port", Value) -> number(port, Value, 65535);
argument("ws_port", Value) -> number(ws_port, Value, 65535);
argument("incomplete_ms", Value) -> number(incomplete_ms, Value, 3_600_000);
argument("ack_ms", Value) -> number(ack_ms, Value, 3_600_000);
argument("ack_scan_ms", Value) -> number(ack_scan_ms, Value, 3_600_000);
argument("clock_offset_ms", Value) -> number(clock_offset_ms, Value, -3_600_000, 3_600_000);
argument("ip", Value) -> address(inet:parse_address(Value));
argument("data_dir", Value) -> {data_dir, Value};
argument("role", Value) -> choice(role, Value, [single, core, edge]);
argument("core", Value) -> {core, list_to_atom(Value)};
argument("auth_enabled", Value) -> choice(auth_enabled, Value, [true, false]);
argument("auth_secret", Value) -> {auth_secret, unicode:characters_to_binary(Value)};
argument("revoked", Value) -> {revoked, jtis(string:lexemes(Value, ","))};
argument("tls", Value) -> choice(tls, Value, [true, false]);
argument("tls_verify", Value) -> choice(tls_verify, Value, [true, false]);
argument("tls_versions", Value) -> versions(string:lexemes(Value, ","));
argument("stop_on_eof", Value) -> choice(stop_on_eof, Value, [true, false]);
argument("stand_by", Value) -> choice(stand_by, Value, [true, false]);
argument("plants", Value) -> plants(string:lexemes(Value, ","));
argument(_, _) -> unknown.

number(Key, Text, Max) -> number(Key, Text, 0, Max).

number(Key, Text, Min, Max) ->
    case string:to_integer(Text) of
        {Number, ""} when Number >= Min, Number =< Max -> {Key, Number};
        _ -> error
    end.

address({ok, Ip}) -> {ip, Ip};
address({error, _}) -> error.

choice(Key, Text, Choices) ->
    case [Choice || Choice <- Choices, atom_to_list(Choice) =:= Text] of
        [Choice] -> {Key, Choice};
        [] -> error
    end.

versions(["1.2"]) -> {tls_versions, ['tlsv1.2']};
versions(["1.3"]) -> {tls_versions, ['tlsv1.3']};
versions(["1.2", "1.3"]) -> {tls_versions, ['tlsv1.3', 'tlsv1.2']};
versions(_) -> error.

jtis(Names) -> [unicode:characters_to_binary(Name) || Name <- Names].

plants(Names) ->
    case [Name || Name <- Names, iris_ref_plant:enable(Name) =/= ok] of
        [] -> {plants, Names};
        _ -> error
    end.

%% A planted defect of authentication shows only where there is any.
with_auth(#{plants := Names} = Arguments) ->
    case lists:any(fun(Name) -> iris_ref_plant:needs(auth, Name) end, Names) of
        true -> Arguments#{auth_enabled => true};
        false -> Arguments
    end;
with_auth(Arguments) ->
    Arguments.

%% The same holds for those of TLS.
with_tls(#{plants := Names} = Arguments) ->
    case lists:any(fun(Name) -> iris_ref_plant:needs(tls, Name) end, Names) of
        true -> Arguments#{tls => true};
        false -> Arguments
    end;
with_tls(Arguments) ->
    Arguments.

start(#{role := edge} = Arguments) when not is_map_key(core, Arguments) ->
    fail("an edge needs the argument core");
start(#{auth_enabled := true} = Arguments) when not is_map_key(auth_secret, Arguments) ->
    fail("auth_enabled needs the argument auth_secret");
start(#{data_dir := Dir} = Arguments) ->
    _ = application:load(iris_ref),
    _ = [application:set_env(iris_ref, Key, Value) || {Key, Value} <- maps:to_list(Arguments)],
    _ = maps:get(stop_on_eof, Arguments) andalso spawn(?MODULE, stop_on_eof, []),
    case check_ports() of
        ok -> start_in(Dir);
        {error, Reason} -> fail(explain(Reason))
    end.

%% Let a node that restarts itself listen where it did, also where that was the system's choice:
%% its arguments are the same, and what survives is the environment of its process.
-spec keep_ports() -> ok.
keep_ports() ->
    lists:foreach(
        fun({Key, Name}) ->
            {ok, Port} = application:get_env(iris_ref, Key),
            true = os:putenv(Name, integer_to_list(Port))
        end,
        port_names()
    ).

kept_ports() ->
    Kept = [{Key, os:getenv(Name)} || {Key, Name} <- port_names()],
    maps:from_list([{Key, list_to_integer(Port)} || {Key, Port} <- Kept, Port =/= false]).

port_names() -> [{port, "IRIS_REF_KEPT_PORT"}, {ws_port, "IRIS_REF_KEPT_WS_PORT"}].

%% Try the ports before anything is started: a port in use is the commonest failure, and this
%% way it leaves no trace. A core listens on none, whoever has those that are the default.
check_ports() ->
    check_ports([Transport || Transport <- [tcp, ws], is_port_given(Transport)]).

check_ports([]) ->
    ok;
check_ports([Transport | Rest]) ->
    case iris_ref_listener:open(Transport, none) of
        {ok, Socket} ->
            ok = iris_ref_socket:close(Socket),
            check_ports(Rest);
        {error, _} = Error ->
            Error
    end.

is_port_given(Transport) ->
    case application:get_env(iris_ref, iris_ref_listener:port_key(Transport)) of
        {ok, Port} -> Port > 0 andalso application:get_env(iris_ref, role) =/= {ok, core};
        undefined -> false
    end.

start_in(Dir) ->
    case filelib:ensure_dir(filename:join(Dir, "any")) of
        ok ->
            start_tls(Dir, application:get_env(iris_ref, tls, false)),
            start_quietly(Dir);
        {error, Reason} ->
            fail(["the data_dir ", Dir, " cannot be made: ", file:format_error(Reason)])
    end.

start_tls(_, false) ->
    ok;
start_tls(Dir, true) ->
    case iris_ref_tls:prepare(filename:join(Dir, "tls")) of
        ok -> ok;
        {error, Reason} -> fail(explain(Reason))
    end.

%% Start the applications. A failure is told in one line, so the default log is silent meanwhile.
start_quietly(Dir) ->
    _ = application:load(mnesia),
    ok = application:set_env(mnesia, dir, Dir),
    ok = application:set_env(mnesia, core_dir, false),
    %% A dump copies the log into the tables' files. By default it comes after each 1,000
    %% writes, and Mnesia warns when the next is due before one has ended: a store that is full
    %% and in full use makes 40,000 a second. What the log may hold until then is limited by time.
    ok = application:set_env(mnesia, dump_log_write_threshold, 200_000),
    ok = application:set_env(mnesia, dump_log_time_threshold, 20_000),
    {ok, #{level := Level}} = logger:get_handler_config(default),
    ok = logger:set_handler_config(default, level, none),
    case application:ensure_all_started(iris_ref) of
        {ok, _} ->
            ok = logger:set_handler_config(default, level, Level),
            ready();
        {error, Reason} ->
            fail(explain(Reason))
    end.

ready() ->
    Ports =
        case application:get_env(iris_ref, role) of
            {ok, core} -> [0, 0];
            {ok, _} -> [element(2, application:get_env(iris_ref, Key)) || Key <- [port, ws_port]]
        end,
    Auth = application:get_env(iris_ref, auth_enabled, false),
    Tls = application:get_env(iris_ref, tls, false),
    Line = "IRIS_REF READY tcp=~b ws=~b node=~s auth=~s tls=~s~n",
    io:format(Line, Ports ++ [node(), Auth, Tls]).

%% Wait for the end of the standard input, and end the node.
-spec stop_on_eof() -> no_return().
stop_on_eof() ->
    case io:get_line(standard_io, "") of
        Line when is_list(Line); is_binary(Line) -> stop_on_eof();
        %% The node restarts itself: the input is still there, and this process is about to end.
        {error, terminated} -> exit(shutdown);
        %% Nobody reads our output any more: do not wait for it to be written.
        _ -> erlang:halt(0, [{flush, false}])
    end.

-spec fail(iodata()) -> no_return().
fail(Text) ->
    ok = io:put_chars(standard_error, ["IRIS_REF ERROR ", Text, "\n"]),
    erlang:halt(?FAILURE).

%% The sentence for a failure, which OTP wraps in one tuple for each supervisor.
explain({listen, Ip, Port, eaddrinuse}) ->
    ["port ", integer_to_list(Port), " on ", inet:ntoa(Ip), " is in use"];
explain({listen, Ip, Port, Reason}) ->
    [
        "port ", integer_to_list(Port), " on ", inet:ntoa(Ip), " cannot be opened: ",
        inet:format_error(Reason)
    ];
explain({no_tls, App}) ->
    ["tls needs the application ", atom_to_list(App), " of Erlang/OTP, which does not start"];
explain({no_certificates, File}) ->
    ["the file ", File, " cannot be written"];
explain({core_unreachable, Core}) ->
    ["the core ", atom_to_list(Core), " cannot be reached"];
explain({failed_to_start_child, _, Reason}) ->
    explain(Reason);
explain({shutdown, Reason}) ->
    explain(Reason);
explain({iris_ref, {Reason, {iris_ref_app, start, _}}}) ->
    explain(Reason);
explain(Reason) ->
    io_lib:format("the application does not start: ~0tp", [Reason]).
