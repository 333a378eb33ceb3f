%%% Compiled code that another node has made before, in a folder that the harness has for it.
%%%
%%% Compiling is most of what it takes to instrument a node, and a campaign boots many nodes with the
%%% same code. What the compiler returns depends on what it is given and on its version alone: a
%%% file is named by the checksum of these, and is never stale. It begins with the checksum of
%%% its content, so one that a full disk has cut short is no better than none. A guest has no folder: it
%%% leaves nothing on the disk of its node.
%%%
%%% To read what is to be compiled takes longer than all the rest, once the code is there. So what came
%%% of it for a whole node is kept too, as a term, with the names of the files of code.
-module(iris_fuzz_cache).

-export([compile/3, code/2, recall/2, remember/3]).
-export_type([name/0]).

-define(SUM, 16).

%% Of a file of code in the folder.
-type name() :: file:filename() | none.

%% As compile:forms(Forms, Options), for options that ask for a binary and for no warnings. What the
%% node's environment would add is left out: it is for the project's own builds.
-spec compile(iris_fuzz_agent:settings(), [erl_parse:abstract_form()], [term()]) ->
    {ok, binary(), name()} | {error, Errors :: [term()], Warnings :: [term()]}.
compile(#{compiled := Folder} = Settings, Forms, Options) ->
    Name = name({Forms, Options, compiler()}, "beam"),
    case code(Settings, Name) of
        {ok, Code} -> {ok, Code, Name};
        none -> keep_code(filename:join(Folder, Name), Name, compile:noenv_forms(Forms, Options))
    end;
compile(#{}, Forms, Options) ->
    case compile:noenv_forms(Forms, Options) of
        {ok, _, Code} -> {ok, Code, none};
        {error, _, _} = Error -> Error
    end.

keep_code(File, Name, {ok, _, Code}) ->
    keep(File, Code),
    {ok, Code, Name};
keep_code(_, _, {error, _, _} = Error) ->
    Error.

%% The code in a file, if it is whole.
-spec code(iris_fuzz_agent:settings(), name()) -> {ok, binary()} | none.
code(#{compiled := Folder}, Name) ->
    kept(filename:join(Folder, Name)).

%% What was remembered of Input: any term that it follows from.
-spec recall(iris_fuzz_agent:settings(), Input :: term()) -> {ok, term()} | none.
recall(#{compiled := Folder}, Input) ->
    case kept(filename:join(Folder, name(Input, "term"))) of
        {ok, Bytes} -> {ok, binary_to_term(Bytes)};
        none -> none
    end;
recall(#{}, _) ->
    none.

-spec remember(iris_fuzz_agent:settings(), Input :: term(), term()) -> ok.
remember(#{compiled := Folder}, Input, Term) ->
    keep(filename:join(Folder, name(Input, "term")), term_to_binary(Term));
remember(#{}, _, _) ->
    ok.

compiler() ->
    {erlang:system_info(version), compile:module_info(md5)}.

name(Input, Ending) ->
    <<Number:128>> = erlang:md5(term_to_binary(Input)),
    lists:flatten(io_lib:format("~32.16.0b.~s", [Number, Ending])).

kept(File) ->
    case file:read_file(File) of
        {ok, <<Sum:?SUM/binary, Content/binary>>} -> sound(erlang:md5(Content) =:= Sum, Content);
        {ok, _} -> none;
        {error, _} -> none
    end.

sound(true, Content) -> {ok, Content};
sound(false, _) -> none.

%% Renamed into place, so that a reader sees all of it; where that can't be done, nothing is lost but
%% time.
keep(File, Content) ->
    Scratch = File ++ "." ++ os:getpid(),
    _ =
        case file:write_file(Scratch, [erlang:md5(Content), Content]) of
            ok -> file:rename(Scratch, File);
            {error, _} -> file:delete(Scratch)
        end,
    ok.
