%%% Chooses the modules to instrument.
%%%
%%% Without patterns to include, these are the modules of the running applications that are the
%%% project's own: not those that come with OTP or Elixir, and not its dependencies. Those are told
%%% by where their source was when it was compiled: rebar3 and mix have it in `_build/PROFILE/lib/'
%%% or `deps/', erlang.mk in `deps/'. An application that does not tell is taken for one of the
%%% project's, and so are all of them if none would be left.
%%%
%%% With patterns to include, they are the modules of any running application, and any others that
%%% are loaded, whose own name or whose application's name matches one. What a pattern to exclude
%%% matches in either way is left out. In a pattern, * stands for any characters and ? for one.
-module(iris_fuzz_select).

-export([modules/2, is_dependency/1]).

%% The modules with their files, sorted by name, and those that are chosen but cannot be used.
-spec modules([binary()], [binary()]) ->
    {[{module(), file:filename()}], [{module(), binary()}]}.
modules(Include, Exclude) ->
    Wanted = [regex(Pattern) || Pattern <- Include],
    Unwanted = [regex(Pattern) || Pattern <- Exclude],
    Candidates = candidates(),
    Own = own_applications(Candidates),
    Chosen = lists:usort([
        Module
     || {Application, Module} <- Candidates,
        not iris_fuzz_agent:is_own_name(Module),
        is_included(Application, Module, Wanted, Own),
        not matches(Application, Module, Unwanted)
    ]),
    Judged = [judge(Module) || Module <- Chosen],
    {
        [{Module, File} || {ok, Module, File} <- Judged],
        [{Module, Reason} || {unfit, Module, Reason} <- Judged]
    }.

candidates() ->
    OfApplications = [
        {Name, Module}
     || {Name, _, _} <- application:which_applications(),
        {ok, Modules} <- [application:get_key(Name, modules)],
        Module <- Modules
    ],
    Owned = maps:from_list([{Module, true} || {_, Module} <- OfApplications]),
    Others = [{'', Module} || {Module, _} <- code:all_loaded(), not is_map_key(Module, Owned)],
    OfApplications ++ Others.

own_applications(Candidates) ->
    Names = lists:usort([Name || {Name, _} <- Candidates, Name =/= '']),
    Foreign = [Name || Name <- Names, not iris_fuzz_otp:is_application(Name)],
    case [Name || Name <- Foreign, not is_dependency(source(Name, Candidates))] of
        [] -> Foreign;
        Own -> Own
    end.

%% Where the first of an application's modules that tells was compiled from.
source(Application, Candidates) ->
    Loaded = [M || {Name, M} <- Candidates, Name =:= Application, erlang:module_loaded(M)],
    Told = [Path || M <- Loaded, {source, Path} <- M:module_info(compile)],
    hd(Told ++ [""]).

-spec is_dependency(Source :: file:filename()) -> boolean().
is_dependency(Source) ->
    nomatch =/= re:run(Source, "/(deps|_build/[^/]+/lib)/[^/]+/").

is_included(Application, _, [], Own) -> lists:member(Application, Own);
is_included(Application, Module, Wanted, _) -> matches(Application, Module, Wanted).

matches(Application, Module, Regexes) ->
    Names = [atom_to_binary(Application), atom_to_binary(Module)],
    lists:any(
        fun(Regex) -> lists:any(fun(Name) -> re:run(Name, Regex) =/= nomatch end, Names) end,
        Regexes
    ).

regex(Pattern) ->
    Parts = [part(Char) || <<Char/utf8>> <= Pattern],
    {ok, Regex} = re:compile(["^", Parts, "$"], [unicode, dollar_endonly]),
    Regex.

part($*) -> ".*";
part($?) -> ".";
part(Char) -> io_lib:format("\\x{~.16b}", [Char]).

%% Loading code a second time must do no more than replace it.
judge(Module) ->
    File = code:which(Module),
    if
        not is_list(File) -> {unfit, Module, <<"it has no file of its own">>};
        true -> judge(Module, File, is_sticky(Module, File))
    end.

judge(Module, _, true) ->
    {unfit, Module, <<"it is sticky, a part of OTP's core">>};
judge(Module, File, false) ->
    case {lists:keymember(on_load, 1, attributes(Module, File)), has_natives(Module, File)} of
        {true, _} -> {unfit, Module, <<"it runs code when it is loaded">>};
        {false, true} -> {unfit, Module, <<"it has native functions">>};
        {false, false} -> {ok, Module, File}
    end.

%% A module of the core that is not loaded yet is in the same folder as one that is.
is_sticky(Module, File) ->
    Core = [filename:dirname(Path) || M <- [kernel, lists], Path <- [code:which(M)], is_list(Path)],
    code:is_sticky(Module) orelse lists:member(filename:dirname(File), Core).

attributes(Module, File) ->
    case erlang:module_loaded(Module) of
        true ->
            Module:module_info(attributes);
        false ->
            case beam_lib:chunks(File, [attributes]) of
                {ok, {Module, [{attributes, Attributes}]}} -> Attributes;
                {error, beam_lib, _} -> []
            end
    end.

%% Those that it has loaded, or may load later: code that is put in its place has none of them.
has_natives(Module, File) ->
    (erlang:module_loaded(Module) andalso Module:module_info(nifs) =/= []) orelse
        lists:member({erlang, load_nif, 2}, imports(Module, File)).

imports(Module, File) ->
    case beam_lib:chunks(File, [imports]) of
        {ok, {Module, [{imports, Imports}]}} -> Imports;
        {ok, _} -> [];
        {error, beam_lib, _} -> []
    end.
