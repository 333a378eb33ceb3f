%%% Puts coverage points into the abstract code of a module. Pure.
%%%
%%% A point stands at the start of each body that may or may not run: the clauses of functions,
%%% funs, case, if, receive, try and its handlers, the bodies of 'after' in a receive and of
%%% 'else' in a maybe, the right side of andalso and orelse, and what a comprehension makes of
%%% an element. Patterns and guards stay as they are, and so do the filters of comprehensions:
%%% a filter that is a guard must stay one, for a guard that fails is false and does not crash.
%%%
%%% Where constants decide whether a body is run, its point is a gate: they are what has to be said to
%%% get there from the body around it (see iris_fuzz_constants).
%%%
%%% A point is a call of a function that is added to the module itself, so that code which is
%%% still running when the agent leaves needs nothing of the agent's.
-module(iris_fuzz_forms).

-export([transform/2, slot/1, mark/1, block_size/0, slots/1]).
-export_type([point/0, gate/0]).

-type point() :: {
    Function :: atom(), Arity :: arity(), Line :: non_neg_integer(), Kind :: atom()
}.

%% A point, that of the body around it (a clause of a function has none), and what opens it.
-type gate() :: {
    Point :: non_neg_integer(),
    Around :: non_neg_integer() | none,
    Own :: [iris_fuzz_constants:constant()],
    Context :: [iris_fuzz_constants:constant()]
}.

-record(walk, {
    next :: non_neg_integer(),
    function = '' :: atom(),
    arity = 0 :: arity(),
    around = none :: non_neg_integer() | none,
    %% Constants of the body around, or of the calls of the function; those of all calls of the module's
    %% functions; and whether atoms are constants in it.
    kept = [] :: [iris_fuzz_constants:constant()],
    calls = #{} :: #{{atom(), arity()} => [iris_fuzz_constants:constant()]},
    atoms = false :: boolean(),
    points = [] :: [point()],
    gates = [] :: [gate()]
}).

-define(HIT, '-iris_fuzz_hit-').

%% Points share a mark that says whether any of them was hit, so that reading costs a look at
%% the marks and not at every point. 32 balances the marks against the points beside a hit.
-define(BLOCK, 32).

%% The counters of block B are the slots after its mark; the numbering has no total in it, so
%% that modules can be compiled before it is known how many points there are.
-spec mark(non_neg_integer()) -> pos_integer().
mark(Index) ->
    (Index div ?BLOCK) * (?BLOCK + 1) + 1.

-spec slot(non_neg_integer()) -> pos_integer().
slot(Index) ->
    mark(Index) + 1 + Index rem ?BLOCK.

-spec block_size() -> pos_integer().
block_size() ->
    ?BLOCK.

%% How many slots an array for so many points has.
-spec slots(non_neg_integer()) -> pos_integer().
slots(Points) ->
    (Points div ?BLOCK + 1) * (?BLOCK + 1).

%% Points are numbered from First, by their place in the source.
-spec transform([erl_parse:abstract_form()], non_neg_integer()) ->
    {[erl_parse:abstract_form()], [point()], [gate()]}.
transform(Forms, First) ->
    {Walked, #walk{points = Points, gates = Gates}} =
        lists:mapfoldl(fun form/2, walk_of(Forms, First), lists:filtermap(fun kept/1, Forms)),
    {Before, After} = lists:splitwith(fun(Form) -> element(1, Form) =/= eof end, Walked),
    {Before ++ [hit_function()] ++ After, lists:reverse(Points), lists:reverse(Gates)}.

%% Not of attributes, whose values may be any terms.
walk_of(Forms, First) ->
    Functions = [Form || {function, _, _, _, _} = Form <- Forms],
    #walk{
        next = First,
        calls = iris_fuzz_constants:of_calls(Functions),
        atoms = iris_fuzz_constants:makes_atoms(Functions)
    }.

%% The code has been through its parse transforms already, and was warned of.
kept({attribute, _, compile, {parse_transform, _}}) ->
    false;
kept({attribute, Anno, compile, Options}) when is_list(Options) ->
    {true, {attribute, Anno, compile, [O || O <- Options, O =/= warnings_as_errors]}};
kept({attribute, _, compile, warnings_as_errors}) ->
    false;
kept(_) ->
    true.

form({function, Anno, Name, Arity, Clauses}, #walk{calls = Calls} = Walk) ->
    Handed = maps:get({Name, Arity}, Calls, []),
    Inside = Walk#walk{function = Name, arity = Arity, kept = Handed},
    {Walked, Next} = clauses(function, Clauses, Inside),
    {{function, Anno, Name, Arity, Walked}, Next};
form(Form, Walk) ->
    {Form, Walk}.

clauses(Kind, Clauses, Walk) ->
    clauses(Kind, Clauses, [], Walk).

%% Asked are constants of the expression that chooses between the clauses.
clauses(Kind, Clauses, Asked, Walk) ->
    lists:mapfoldl(fun(Clause, W) -> clause(Kind, Clause, Asked, W) end, Walk, Clauses).

clause(Kind, {clause, Anno, Patterns, Guards, Body}, Asked, #walk{atoms = Atoms} = Walk) ->
    Constants = Asked ++ iris_fuzz_constants:of_clause(Patterns, Guards, Atoms),
    {Walked, Next} = body(Kind, Anno, Body, Constants, Walk),
    {{clause, Anno, Patterns, Guards, Walked}, Next}.

%% A body with its point in front.
body(Kind, Anno, Body, Constants, #walk{next = Index, around = Around, kept = Kept} = Walk) ->
    {Hit, Counted} = point(Kind, Anno, Walk),
    Gated = gate(Index, Constants, Counted),
    Inside = Gated#walk{around = Index, kept = iris_fuzz_constants:of_body(Body)},
    {Walked, Next} = walk(Body, Inside),
    {[Hit | Walked], Next#walk{around = Around, kept = Kept}}.

%% An expression in a position of its own, with its point in front.
branch(Kind, Expression, Constants, Walk) ->
    Anno = element(2, Expression),
    {Walked, Next} = body(Kind, Anno, [Expression], Constants, Walk),
    {{block, Anno, Walked}, Next}.

point(Kind, Anno, #walk{next = Index, function = Function, arity = Arity} = Walk) ->
    Own = erl_anno:set_generated(true, Anno),
    Numbers = [{integer, Own, mark(Index)}, {integer, Own, slot(Index)}],
    Point = {Function, Arity, line(Anno), Kind},
    Next = Walk#walk{next = Index + 1, points = [Point | Walk#walk.points]},
    {{call, Own, {atom, Own, ?HIT}, Numbers}, Next}.

%% What has neither constants of its own nor any beside it is no gate.
gate(_, [], #walk{kept = []} = Walk) ->
    Walk;
gate(Index, Own, #walk{around = Around, kept = Kept, gates = Gates} = Walk) ->
    Walk#walk{gates = [{Index, Around, Own, Kept -- Own} | Gates]}.

line(Anno) ->
    case erl_anno:line(Anno) of
        Line when is_integer(Line), Line >= 0 -> Line;
        _ -> 0
    end.

%% The forms in which something is a clause, a pattern or a filter; all others are a tag, an
%% annotation, and parts to walk through.
walk({'case', A, E, Cs}, W0) ->
    {E1, W1} = walk(E, W0),
    {Cs1, W2} = clauses('case', Cs, iris_fuzz_constants:of_test(E), W1),
    {{'case', A, E1, Cs1}, W2};
walk({'if', A, Cs}, W0) ->
    {Cs1, W1} = clauses('if', Cs, W0),
    {{'if', A, Cs1}, W1};
walk({'receive', A, Cs}, W0) ->
    {Cs1, W1} = clauses('receive', Cs, W0),
    {{'receive', A, Cs1}, W1};
walk({'receive', A, Cs, Timeout, After}, W0) ->
    {Cs1, W1} = clauses('receive', Cs, W0),
    {Timeout1, W2} = walk(Timeout, W1),
    {After1, W3} = body('after', A, After, [], W2),
    {{'receive', A, Cs1, Timeout1, After1}, W3};
walk({'try', A, Body, Of, Handlers, After}, W0) ->
    {Body1, W1} = walk(Body, W0),
    {Of1, W2} = clauses('of', Of, W1),
    {Handlers1, W3} = clauses('catch', Handlers, W2),
    {After1, W4} = walk(After, W3),
    {{'try', A, Body1, Of1, Handlers1, After1}, W4};
walk({'else', A, Cs}, W0) ->
    {Cs1, W1} = clauses('else', Cs, W0),
    {{'else', A, Cs1}, W1};
walk({'fun', A, {clauses, Cs}}, W0) ->
    {Cs1, W1} = clauses('fun', Cs, W0),
    {{'fun', A, {clauses, Cs1}}, W1};
walk({'fun', _, _} = Fun, W) ->
    {Fun, W};
walk({named_fun, A, Name, Cs}, W0) ->
    {Cs1, W1} = clauses('fun', Cs, W0),
    {{named_fun, A, Name, Cs1}, W1};
walk({Match, A, Pattern, E}, W0) when Match =:= match; Match =:= maybe_match ->
    {E1, W1} = walk(E, W0),
    {{Match, A, Pattern, E1}, W1};
walk({op, A, Op, L, R}, W0) when Op =:= 'andalso'; Op =:= 'orelse' ->
    {L1, W1} = walk(L, W0),
    {R1, W2} = branch(Op, R, iris_fuzz_constants:of_test(L), W1),
    {{op, A, Op, L1, R1}, W2};
walk({Comprehension, A, Template, Qualifiers}, W0) when
    Comprehension =:= lc; Comprehension =:= bc
->
    {Qualifiers1, W1} = lists:mapfoldl(fun qualifier/2, W0, Qualifiers),
    {Template1, W2} = branch(Comprehension, Template, [], W1),
    {{Comprehension, A, Template1, Qualifiers1}, W2};
walk({mc, A, {map_field_assoc, FA, Key, Value}, Qualifiers}, W0) ->
    {Qualifiers1, W1} = lists:mapfoldl(fun qualifier/2, W0, Qualifiers),
    {Key1, W2} = branch(mc, Key, [], W1),
    {Value1, W3} = walk(Value, W2),
    {{mc, A, {map_field_assoc, FA, Key1, Value1}, Qualifiers1}, W3};
walk(Tuple, W0) when is_tuple(Tuple), tuple_size(Tuple) > 2, is_atom(element(1, Tuple)) ->
    [Tag, Anno | Parts] = tuple_to_list(Tuple),
    {Parts1, W1} = walk(Parts, W0),
    {list_to_tuple([Tag, Anno | Parts1]), W1};
walk([Head | Tail], W0) ->
    {Head1, W1} = walk(Head, W0),
    {Tail1, W2} = walk(Tail, W1),
    {[Head1 | Tail1], W2};
walk(Other, W) ->
    {Other, W}.

qualifier({zip, A, Generators}, W0) ->
    {Generators1, W1} = lists:mapfoldl(fun qualifier/2, W0, Generators),
    {{zip, A, Generators1}, W1};
qualifier({Generator, A, Pattern, E}, W0) when
    Generator =:= generate; Generator =:= b_generate; Generator =:= m_generate;
    Generator =:= generate_strict; Generator =:= b_generate_strict;
    Generator =:= m_generate_strict
->
    {E1, W1} = walk(E, W0),
    {{Generator, A, Pattern, E1}, W1};
qualifier(Filter, W) ->
    {Filter, W}.

%%  '-iris_fuzz_hit-'(Mark, Slot) ->
%%      Counters = persistent_term:get(iris_fuzz_cover, none),
%%      try atomics:add_get(Counters, Slot, 1) of
%%          1 -> atomics:put(Counters, Mark, 1);
%%          _ -> ok
%%      catch
%%          error:badarg -> ok
%%      end.
%%
%% Code that runs on after its agent has left may find no counters, or those of another agent, of
%% which there are fewer. The try costs less than can be measured.
hit_function() ->
    A = erl_anno:set_generated(true, erl_anno:new(0)),
    [Mark, Slot, Counters] = [{var, A, Name} || Name <- ['Mark', 'Slot', 'Counters']],
    Call = fun(M, F, Arguments) ->
        {call, A, {remote, A, {atom, A, M}, {atom, A, F}}, Arguments}
    end,
    [Any, None, One] = [{var, A, '_'}, {atom, A, none}, {integer, A, 1}],
    Key = {atom, A, iris_fuzz_cover},
    Fetch = {match, A, Counters, Call(persistent_term, get, [Key, None])},
    Fault = {tuple, A, [{atom, A, error}, {atom, A, badarg}, Any]},
    Clause = fun(Pattern, Body) -> {clause, A, [Pattern], [], [Body]} end,
    Count =
        {'try', A, [Call(atomics, add_get, [Counters, Slot, One])],
            [Clause(One, Call(atomics, put, [Counters, Mark, One])), Clause(Any, {atom, A, ok})],
            [Clause(Fault, {atom, A, ok})], []},
    {function, A, ?HIT, 2, [{clause, A, [Mark, Slot], [], [Fetch, Count]}]}.
