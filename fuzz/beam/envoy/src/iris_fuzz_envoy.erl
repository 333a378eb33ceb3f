%%% Brings the agent into a node that runs, over distribution, and is gone again.
%%%
%%%     erl -noinput -hidden ... -s iris_fuzz_envoy main
%%%
%%% The answer is {Verdict, Text, Port, Os process}: <<"in">> and the OTP release of the node, with
%%% the agent's port and the number of the node's process; <<"wait">> and why, while the agent of a
%%% harness that was killed is still there; <<"no">> and why not.
%%%
%%% It is a node of its own that nobody can connect to. What it is to do comes in one line of its
%%% standard input, so that the cookie is on no command line; what became of it goes out in one
%%% line behind `IRIS_FUZZ '. Both are external terms in base 64.
-module(iris_fuzz_envoy).

-export([main/0]).

%% The agent needs what came with this release.
-define(OLDEST, 25).

%% Loading a module takes milliseconds, starting the agent tenths of a second.
-define(CALL_MS, 20000).

-spec main() -> no_return().
main() ->
    Reply =
        try
            bring(request())
        catch
            _:Fault -> no(why(Fault))
        end,
    io:put_chars(["IRIS_FUZZ ", base64:encode(term_to_binary(Reply)), $\n]),
    halt(0).

request() ->
    binary_to_term(base64:decode(string:trim(io:get_line("")))).

bring({bring, Node, Address, Cookie, Ebin, Token, LingerMs}) ->
    Name = binary_to_atom(Node),
    ok = resolve(Name, Address),
    true = erlang:set_cookie(node(), binary_to_atom(Cookie)),
    case net_kernel:connect_node(Name) of
        true ->
            Reply = greet(Name, Ebin, Token, LingerMs),
            true = erlang:disconnect_node(Name),
            Reply;
        _ ->
            no(<<"it does not accept the cookie">>)
    end.

%% The address at which the node was found, whatever else the host's name may stand for.
resolve(Name, Address) ->
    [_, Host] = string:split(atom_to_list(Name), "@"),
    {ok, Ip} = inet:parse_address(binary_to_list(Address)),
    ok = inet_db:add_host(Ip, [Host]),
    inet_db:set_lookup([file, native]).

greet(Node, Ebin, Token, LingerMs) ->
    Release = call(Node, erlang, system_info, [otp_release]),
    IsThere = call(Node, erlang, module_loaded, [iris_fuzz_agent]),
    case list_to_integer(Release) of
        Old when Old < ?OLDEST ->
            no(text("it runs OTP ~ts, and the agent needs ~w or newer", [Release, ?OLDEST]));
        _ when IsThere ->
            taken(Node);
        _ ->
            enter(Node, Release, Ebin, Token, LingerMs)
    end.

taken(Node) ->
    case call(Node, iris_fuzz_agent, is_tended, []) of
        true -> no(<<"the agent of another harness is in it; end that harness first">>);
        false -> {<<"wait">>, <<"the agent of a harness that was killed is still in it">>, 0, 0}
    end.

enter(Node, Release, Ebin, Token, LingerMs) ->
    Before = call(Node, code, all_loaded, []),
    OsPid = list_to_integer(call(Node, os, getpid, [])),
    Modules = modules(binary_to_list(Ebin)),
    Settings = maps:merge(compiler(Release), #{token => Token, linger_ms => LingerMs}),
    {value, First, Others} = lists:keytake(iris_fuzz_agent, 1, Modules),
    try
        ok = load(Node, Release, First),
        {ok, Port} = call(Node, iris_fuzz_agent, start, [Settings, Before, Others]),
        {<<"in">>, list_to_binary(Release), Port, OsPid}
    catch
        _:Fault ->
            _ = [rpc:call(Node, code, F, [M], ?CALL_MS) || {M, _, _} <- Modules, F <- [delete, purge]],
            no(why(Fault))
    end.

no(Why) -> {<<"no">>, Why, 0, 0}.

why({refused, Text}) -> Text;
why({badmatch, {error, Text}}) when is_binary(Text) -> Text;
why(Fault) -> text("the agent cannot be brought into it: ~0tp", [Fault]).

%% As code:load_binary/3 takes them. The file is on no path of the node's: a bare name.
modules(Ebin) ->
    Files = filelib:wildcard(filename:join(Ebin, "iris_fuzz_*.beam")),
    [module(File, file:read_file(File)) || File <- Files].

module(File, {ok, Code}) ->
    Name = filename:basename(File),
    {list_to_atom(filename:rootname(Name)), Name, Code}.

load(Node, Release, {Module, File, Code}) ->
    case call(Node, code, load_binary, [Module, File, Code]) of
        {module, Module} ->
            ok;
        {error, Reason} ->
            Own = erlang:system_info(otp_release),
            Why = "it runs OTP ~ts and cannot load what was compiled by OTP ~ts: ~0tp",
            throw({refused, text(Why, [Release, Own, Reason])})
    end.

%% Ours, for a release that was made without a compiler.
compiler(Release) ->
    case {erlang:system_info(otp_release), code:lib_dir(compiler)} of
        {Release, [_ | _] = Folder} -> #{compiler => filename:join(Folder, "ebin")};
        _ -> #{}
    end.

call(Node, Module, Function, Arguments) ->
    case rpc:call(Node, Module, Function, Arguments, ?CALL_MS) of
        {badrpc, Reason} -> throw({refused, text("it does not answer: ~0tp", [Reason])});
        Value -> Value
    end.

text(Format, Arguments) ->
    unicode:characters_to_binary(io_lib:format(Format, Arguments, [{chars_limit, 500}])).
