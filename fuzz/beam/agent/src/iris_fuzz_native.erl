%%% Coverage that the emulator counts by itself, of code that cannot be instrumented.
%%%
%%% From OTP 27 on (see iris_fuzz_otp), the emulator counts the calls of functions in any code that
%%% is made ready while its coverage mode says so; and the lines of code that was compiled with
%%% `line_coverage', which is more. The mode is set for just as long as that takes: what others load
%%% in this moment is counted too, and nobody asks for it.
%%%
%%% A read asks for all counts of a module, and zeroes them if one is not zero. What is counted
%%% between the two is lost: a node that is at rest counts nothing.
-module(iris_fuzz_native).

-export([in/3, read/2]).
-export_type([counted/0]).

-type level() :: function | line.
%% A module with the numbers that its counts have: the first one, and how many.
-type counted() :: {module(), level(), First :: non_neg_integer(), non_neg_integer()}.

%% The number of the instruction that stands at the start of a line in code with line_coverage. A
%% beam file tells of the highest number in it.
-define(EXECUTABLE_LINE, 183).

%% Load a module as it is, so that it is counted. Its points are in the order of the counts.
-spec in(module(), file:filename(), Original :: binary()) ->
    {ok, level(), [iris_fuzz_forms:point()]} | {error, binary()}.
in(Module, File, Original) ->
    in(levels(Original), Module, File, Original).

in([Level | Lower], Module, File, Original) ->
    case iris_fuzz_swap:in_counted(mode(Level), Module, File, Original) of
        ok -> loaded(Level, Lower, Module, File, Original);
        {error, _} = Error -> Error
    end.

loaded(Level, Lower, Module, File, Original) ->
    case {code:get_coverage_mode(Module), Lower} of
        {none, []} -> {error, <<"the emulator does not count what it does">>};
        {none, _} -> in(Lower, Module, File, Original);
        {_, _} -> {ok, Level, points(Level, code:get_coverage(Level, Module))}
    end.

mode(line) -> line_counters;
mode(function) -> function_counters.

%% Each load asks for more of who runs the code: lines are tried only where there can be some.
levels(Original) ->
    {ok, _, Chunks} = beam_lib:all_chunks(Original),
    case proplists:get_value("Code", Chunks) of
        <<_:64, Highest:32, _/binary>> when Highest < ?EXECUTABLE_LINE -> [function];
        _ -> [line, function]
    end.

points(function, Counts) -> [{Name, Arity, 0, native_function} || {{Name, Arity}, _} <- Counts];
points(line, Counts) -> [{'', 0, Line, native_line} || {Line, _} <- Counts].

%% Add what is not zero, and zero it is then. A module that somebody else has loaded since is not
%% counted any more.
-spec read([counted()], iris_fuzz_hits:hits()) -> iris_fuzz_hits:hits().
read(Counted, Hits) ->
    lists:foldl(fun read_one/2, Hits, Counted).

read_one({Module, Level, First, Count}, Hits) ->
    try code:get_coverage(Level, Module) of
        Counts when length(Counts) =:= Count -> added(Module, Counts, First, Hits);
        _ -> Hits
    catch
        error:badarg -> Hits
    end.

added(Module, Counts, First, Hits) ->
    case add(Counts, First, Hits) of
        Hits ->
            Hits;
        More ->
            _ = code:reset_coverage(Module),
            More
    end.

add([], _, Hits) -> Hits;
add([{_, 0} | Counts], Index, Hits) -> add(Counts, Index + 1, Hits);
add([{_, N} | Counts], Index, Hits) -> add(Counts, Index + 1, iris_fuzz_hits:add(Index, N, Hits)).
