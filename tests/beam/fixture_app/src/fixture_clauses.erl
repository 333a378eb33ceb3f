%%% A body of each kind that is counted, and results that would show if one were damaged.
-module(fixture_clauses).

%% OTP 29 warns of it, and people have it in their code.
-compile(nowarn_deprecated_catch).
-export([all/0, run/1]).
-export([
    function/1, case_of/1, if_of/1, fun_of/1, named_fun/1, receive_of/1, after_of/0, try_of/1,
    catch_of/1, logic/2, list_of/1, filtered/1, binary_of/1, nested/1, record_of/1, guarded/1,
    bits/1, deep/1, loop/2
]).

-record(thing, {name = default, rest}).

%% Each function with arguments that together reach every body in it.
all() ->
    [
        {function, [0]}, {function, [1]}, {function, [many]}, {function, [#{}]},
        {case_of, [1]}, {case_of, [2]}, {case_of, [3]},
        {if_of, [1]}, {if_of, [9]},
        {fun_of, [1]}, {fun_of, [2]}, {fun_of, [3]},
        {named_fun, [3]},
        {receive_of, [1]}, {receive_of, [2]}, {after_of, []},
        {try_of, [1]}, {try_of, [error]}, {try_of, [throw]}, {try_of, [exit]}, {try_of, [2]},
        {catch_of, [a]}, {catch_of, [1]},
        {logic, [true, true]}, {logic, [true, false]}, {logic, [false, true]},
        {logic, [false, false]},
        {list_of, [[1, 2, 3]]}, {list_of, [[]]},
        {filtered, [[1, two, [], 3]]},
        {binary_of, [<<1, 2, 3>>]}, {nested, [[1, 2]]},
        {record_of, [x]}, {guarded, [[a | b]]}, {guarded, [[a]]},
        {bits, [<<2, 104, 105, 33>>]}, {bits, [<<9>>]},
        {deep, [0]}, {deep, [5]}, {loop, [1000, 0]}
    ].

%% What came of each, errors with the functions on their stack.
run(Calls) ->
    [{Name, Arguments, outcome(Name, Arguments)} || {Name, Arguments} <- Calls].

outcome(Name, Arguments) ->
    try
        {value, apply(?MODULE, Name, Arguments)}
    catch
        Class:Reason:Stack ->
            Frames = [{F, A, proplists:get_value(line, Where)} || {?MODULE, F, A, Where} <- Stack],
            {Class, Reason, Frames}
    end.

function(0) -> zero;
function(N) when is_integer(N) -> integer;
function(A) when is_atom(A) -> atom.

case_of(N) ->
    case N of
        1 -> one;
        2 -> two
    end.

if_of(N) ->
    if
        N > 5 -> high;
        true -> low
    end.

fun_of(N) ->
    F = fun
        (1) -> one;
        (X) when X > 2 -> more
    end,
    F(N).

named_fun(N) ->
    F = fun
        Sum(0) -> 0;
        Sum(M) -> M + Sum(M - 1)
    end,
    F(N).

receive_of(N) ->
    self() ! {number, N},
    receive
        {number, 1} -> one;
        {number, M} -> M
    end.

after_of() ->
    receive
        never -> never
    after 0 -> late
    end.

try_of(What) ->
    try fail(What) of
        1 -> one;
        N -> N
    catch
        throw:thrown -> caught;
        error:Reason -> {error, Reason}
    after
        put(tried, What)
    end.

fail(error) -> error(reason);
fail(throw) -> throw(thrown);
fail(exit) -> exit(gone);
fail(N) -> N.

catch_of(N) ->
    case catch N + 1 of
        {'EXIT', {badarith, _}} -> caught;
        M -> M
    end.

logic(A, B) ->
    {A andalso B, A orelse B, (A andalso B) =:= (B andalso A)}.

list_of(List) ->
    [X * Y || X <- List, X =/= 2, Y <- case X of 1 -> [10]; _ -> [20, 30] end].

%% The guard fails for most elements: as a filter that is false, as a body it would crash.
filtered(List) ->
    [X || X <- List, X =:= 1 orelse length(X) =:= 0].

binary_of(Binary) ->
    <<<<(X + 1):16>> || <<X>> <= Binary, X > 1>>.

nested(List) ->
    lists:map(fun(X) -> [begin case Y of 1 -> a; _ -> b end end || Y <- [X, 1]] end, List).

record_of(Name) ->
    Thing = #thing{name = Name, rest = [1 || true]},
    {Thing#thing.name, Thing#thing{rest = none}, #{Name => Thing}}.

guarded([_ | _] = List) when length(List) > 0; is_atom(List) ->
    proper;
guarded(_) ->
    improper.

bits(<<Length, Text:Length/binary, Rest/bits>>) ->
    {Text, Rest};
bits(_) ->
    short.

deep(0) ->
    error(bottom);
deep(N) ->
    deep(N - 1) + 1.

loop(0, Sum) -> Sum;
loop(N, Sum) -> loop(N - 1, Sum + N).
