%%% Compiled code that another node has made before, in a folder that the harness has for it.
%%%
%%% Compiling is most of what it takes to instrument a node, and a campaign boots many nodes with the
%%% same code. What the compiler returns depends on what it is given and on its version alone: a
%%% file is named by the checksum of these, and is never stale. It begins with the checksum of
%%% its code, so one that a full disk has cut short is no better than none. A guest has no folder: it
%%% leaves nothing on the disk of its node.
-module(iris_fuzz_cache).

-export([compile/3]).

-define(SUM, 16).

%% As compile:forms(Forms, Options), for options that ask for a binary and for no warnings. What the
%% node's environment would add is left out: it is for the project's own builds.
-spec compile(iris_fuzz_agent:settings(), [erl_parse:abstract_form()], [term()]) ->
    {ok, module(), binary()} | {error, Errors :: [term()], Warnings :: [term()]}.
compile(#{compiled := Folder}, Forms, Options) ->
    File = filename:join(Folder, name({Forms, Options, compiler()})),
    case kept(File) of
        {ok, Module, Code} ->
            {ok, Module, Code};
        none ->
            Made = compile:noenv_forms(Forms, Options),
            keep(File, Made),
            Made
    end;
compile(#{}, Forms, Options) ->
    compile:noenv_forms(Forms, Options).

compiler() ->
    {erlang:system_info(version), compile:module_info(md5)}.

name(Input) ->
    <<Number:128>> = erlang:md5(term_to_binary(Input)),
    lists:flatten(io_lib:format("~32.16.0b.beam", [Number])).

kept(File) ->
    case file:read_file(File) of
        {ok, <<Sum:?SUM/binary, Code/binary>>} -> sound(erlang:md5(Code) =:= Sum, Code);
        {ok, _} -> none;
        {error, _} -> none
    end.

sound(true, Code) ->
    {ok, {Module, _}} = beam_lib:md5(Code),
    {ok, Module, Code};
sound(false, _) ->
    none.

%% Renamed into place, so that a reader sees all of it; where that can't be done, nothing is lost but
%% time.
keep(File, {ok, _, Code}) ->
    Scratch = File ++ "." ++ os:getpid(),
    case file:write_file(Scratch, [erlang:md5(Code), Code]) of
        ok -> file:rename(Scratch, File);
        {error, _} -> file:delete(Scratch)
    end;
keep(_, _) ->
    ok.
