%%% Planted defects: what the harness's own tests must find.
%%%
%%% Each defect stands in one place of the code, marked `PLANTED: name', and is off unless
%%% its name was given at the start. The flag is a persistent term: reading it costs some
%%% tens of nanoseconds, and mostly only on the odd path where the defect lives.
-module(iris_ref_plant).

-export([catalogue/0, on/1, enable/1, needs/2, disable_all/0]).
-export_type([name/0, kind/0, entry/0]).

-type name() :: atom().
-type kind() ::
    node_down | app_down | listener_restart | process_crash | hang | leak | cost | semantic
    | conformance.
%% The class of mistake, the truth of it, the finding that it must produce, the file in
%% corpus/regressions that trips it, how many connections and frames (besides LOGIN) that takes,
%% whether LOGIN needs a token for it to show, or the target needs TLS, and the check of the harness
%% that is to find it: a campaign is where none is named, with the decoder called directly if it
%% shows only there. With edges, it shows only in a cluster of so many edges, and with skew only where
%% their clocks are off by so many seconds, one ahead and the next one behind.
-type entry() :: #{
    name := name(),
    trigger := binary(),
    class := binary(),
    truth := binary(),
    kind := kind(),
    connections := pos_integer(),
    frames := non_neg_integer(),
    auth => true,
    tls => true,
    check => atom(),
    decoder => true,
    edges => pos_integer(),
    skew => pos_integer()
}.

%% Every defect that can be switched on.
-spec catalogue() -> [entry()].
catalogue() ->
    iris_ref_plants_down:catalogue() ++ iris_ref_plants_crash:catalogue() ++
        iris_ref_plants_stay:catalogue() ++ iris_ref_plants_law:catalogue() ++
        iris_ref_plants_relation:catalogue() ++ iris_ref_plants_storm:catalogue() ++
        iris_ref_plants_decode:catalogue() ++ iris_ref_plants_cluster:catalogue() ++
        iris_ref_plants_restart:catalogue() ++ iris_ref_plants_transport:catalogue() ++
        iris_ref_plants_later:catalogue().

%% Tell whether a defect is switched on.
-spec on(name()) -> boolean().
on(Name) ->
    persistent_term:get({?MODULE, Name}, false).

%% Switch a defect on, given its name as text.
-spec enable(string()) -> ok | {error, unknown}.
enable(Text) ->
    case [Name || #{name := Name} <- catalogue(), atom_to_list(Name) =:= Text] of
        [Name] -> persistent_term:put({?MODULE, Name}, true);
        [] -> {error, unknown}
    end.

%% Tell whether a defect, given its name as text, shows only over TLS, or where LOGIN needs a token.
-spec needs(tls | auth, string()) -> boolean().
needs(What, Text) ->
    [] =/= [Name || #{name := Name, What := true} <- catalogue(), atom_to_list(Name) =:= Text].

%% Switch every defect off.
-spec disable_all() -> ok.
disable_all() ->
    _ = [persistent_term:erase({?MODULE, Name}) || #{name := Name} <- catalogue()],
    ok.
