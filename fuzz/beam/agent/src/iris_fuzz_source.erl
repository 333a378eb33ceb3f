%%% Finds the abstract code of a module that runs, from its beam file or from its source.
%%%
%%% What is on disk must be what runs: else what is counted, and what is put back in the end, would
%%% be another program. Of a beam file, the checksum of its code tells. Source is compiled with the
%%% options that the beam file recorded, and has to give code with the same checksum, which takes
%%% in neither paths nor line numbers.
-module(iris_fuzz_source).

-export([original/2, forms/3]).

-define(NOWHERE, <<"it was compiled without debug_info, and no source is beside it">>).
-define(ANOTHER, <<"it was compiled without debug_info, and the source beside it is not what runs">>).
-define(BROKEN, "it was compiled without debug_info, and the source beside it does not compile: ").

%% How options begin that say how much of the code is copied to where it is called.
-define(INLINING, [inline, inline_size, inline_effort, inline_unroll]).

%% The beam file as it is.
-spec original(module(), file:filename()) -> {ok, binary()} | {error, binary()}.
original(Module, File) ->
    case erl_prim_loader:get_file(File) of
        {ok, Binary, _} ->
            case {erlang:module_loaded(Module), beam_lib:md5(Binary)} of
                {true, {ok, {Module, Sum}}} ->
                    same_code(Module:module_info(md5), Sum, Binary);
                {false, {ok, {Module, _}}} ->
                    {ok, Binary};
                {_, _} ->
                    {error, <<"its file holds no such module">>}
            end;
        error ->
            {error, <<"its file cannot be read">>}
    end.

same_code(Sum, Sum, Binary) -> {ok, Binary};
same_code(_, _, _) -> {error, <<"its file is not the code that is loaded">>}.

%% The abstract code, the options to compile that with, and where it is from: the beam file or a source.
-spec forms(module(), file:filename(), Original :: binary()) ->
    {ok, [erl_parse:abstract_form()], [term()], beam | source} | {error, binary()}.
forms(Module, File, Original) ->
    case forms(Module, Original) of
        {ok, Forms, Options} -> {ok, Forms, Options, beam};
        none -> with_whence(from_source(Module, File, Original));
        {error, _} = Error -> Error
    end.

with_whence({ok, Forms, Options}) -> {ok, Forms, Options, source};
with_whence({error, _} = Error) -> Error.

%% Of a file that was stripped nothing is there, which beam_lib would not survive to be asked for.
forms(Module, Beam) ->
    case beam_lib:chunks(Beam, [debug_info, abstract_code], [allow_missing_chunks]) of
        {ok, {Module, [{debug_info, Info}, {abstract_code, {raw_abstract_v1, Forms}}]}} ->
            {ok, Forms, options(Info)};
        {ok, _} ->
            none;
        {error, beam_lib, Reason} ->
            {error, iris_fuzz_shape:text(Reason)}
    end.

%% Options that change what the code means or how it runs; the rest concern files and messages.
options({debug_info_v1, erl_abstract_code, {_, Options}}) when is_list(Options) ->
    [Option || Option <- Options, is_kept(Option)];
options(_) ->
    [].

is_kept({Key, _}) -> lists:member(Key, [core_transform, no_auto_import | ?INLINING]);
is_kept(Key) -> lists:member(Key, [export_all, inline, no_auto_import, no_line_info]).

from_source(Module, File, Original) ->
    {ok, {Module, Sum}} = beam_lib:md5(Original),
    Recorded = recorded(Original),
    Sources = [Path || Path <- candidates(Module, File, Recorded), filelib:is_regular(Path)],
    first(Module, Sum, proplists:get_value(options, Recorded, []), Sources, ?NOWHERE).

recorded(Original) ->
    case beam_lib:chunks(Original, [compile_info]) of
        {ok, {_, [{compile_info, Info}]}} -> Info;
        {error, beam_lib, _} -> []
    end.

%% In the order in which they are tried: a place that was recorded may hold something newer.
candidates(Module, File, Recorded) ->
    Name = atom_to_list(Module) ++ ".erl",
    Ebin = filename:dirname(File),
    Home = filename:dirname(Ebin),
    Told = [Path || {source, Path} <- Recorded],
    lists:uniq(
        [filename:join(Ebin, Name), filename:join([Home, "src", Name])] ++
            filelib:wildcard(filename:join([Home, "src", "**", Name])) ++ Told
    ).

first(_, _, _, [], Why) ->
    {error, Why};
first(Module, Sum, Options, [Source | Sources], Why) ->
    case compile_as(Module, Sum, Source, Options) of
        {ok, Forms, Kept} -> {ok, Forms, Kept};
        another -> first(Module, Sum, Options, Sources, ?ANOTHER);
        {error, Reason} when Why =:= ?NOWHERE -> first(Module, Sum, Options, Sources, Reason);
        {error, _} -> first(Module, Sum, Options, Sources, Why)
    end.

compile_as(Module, Sum, Source, Options) ->
    case compile:file(Source, [binary, return, debug_info | folders(Source) ++ Options]) of
        {ok, Module, Code, _} ->
            case beam_lib:md5(Code) of
                {ok, {Module, Sum}} -> forms(Module, Code);
                {ok, _} -> another
            end;
        {ok, _, _, _} ->
            another;
        {error, Errors, _} ->
            {error, unicode:characters_to_binary([?BROKEN, first_of(Errors)])}
    end.

first_of([{_, [{_, Checker, Descriptor} | _]} | _]) -> Checker:format_error(Descriptor);
first_of(Errors) -> iris_fuzz_shape:text(Errors).

%% Where headers are, seen from a source in src or in a folder below it.
folders(Source) ->
    Folder = filename:dirname(Source),
    Above = [Folder, filename:dirname(Folder), filename:dirname(filename:dirname(Folder))],
    [{i, Path} || Near <- Above, Path <- [Near, filename:join(Near, "include")]].
