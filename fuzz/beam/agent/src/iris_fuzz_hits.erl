%%% The counters that are not zero, put together one by one: what a read answers with.
-module(iris_fuzz_hits).

-export([none/0, add/3]).
-export_type([hits/0]).

%% As <<Index:24, Count:8>> each; and the highest count with its index. Counts are clamped at 255,
%% so the one that was hit most often is told too, the first of several.
-type hits() :: {binary(), {non_neg_integer(), Hottest :: non_neg_integer() | none}}.

-spec none() -> hits().
none() ->
    {<<>>, {0, none}}.

-spec add(non_neg_integer(), pos_integer(), hits()) -> hits().
add(Index, Hits, {Read, {Highest, _}}) when Hits > Highest ->
    {<<Read/binary, Index:24, (min(255, Hits)):8>>, {Hits, Index}};
add(Index, Hits, {Read, Most}) ->
    {<<Read/binary, Index:24, (min(255, Hits)):8>>, Most}.
