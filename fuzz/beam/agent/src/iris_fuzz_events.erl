%%% What the node says when something in it breaks: a logger handler and its bounded queue.
%%%
%%% Theory of operation. The handler runs in whichever process logs, often one that is
%%% dying and may be close to its heap limit. So it only copies the event into a table,
%%% which takes none of that heap and does not block; making sense of it is left to the
%%% session that takes it out. The table holds the first events, not the last: the
%%% first names the cause, and what follows is often its echo. What does not fit is counted.
-module(iris_fuzz_events).

-export([new_table/0, install/0, remove/0, take/0, log_level/0, logs_errors/0]).
-export([log/2, filter/2]).

%% One crash gives two to five reports, and the harness takes them after each case.
-define(MAX_EVENTS, 256).

%% Reports carry the state of the process that died. Beyond this they are counted only, so
%% that a storm of them does not look like a leak of the target.
-define(MAX_WORDS, 4 * 1024 * 1024).

-spec new_table() -> ok.
new_table() ->
    ?MODULE = ets:new(?MODULE, [ordered_set, public, named_table]),
    true = ets:insert(?MODULE, [{next, 0}, {dropped, 0}]),
    ok.

%% The primary level of the logger is the target's and stays as it is; log_level/0 tells it.
-spec install() -> ok | {error, term()}.
install() ->
    %% It goes in front of those that are there, so that none of them stops what it waits for.
    ok = logger:add_primary_filter(?MODULE, {fun ?MODULE:filter/2, none}),
    logger:add_handler(?MODULE, ?MODULE, #{level => notice, filters => [], filter_default => log}).

%% What is not there any more does not need to be removed.
-spec remove() -> ok.
remove() ->
    _ = logger:remove_handler(?MODULE),
    _ = logger:remove_primary_filter(?MODULE),
    %% What the logger leaves of a handler that is gone.
    Left = {logger_config, {'$handler_config$', ?MODULE}},
    _ = [persistent_term:erase(Left) || persistent_term:get(Left, none) =:= undefined],
    ok.

%% Takes out the message of a process that failed to find out whether messages arrive.
-spec filter(logger:log_event(), none) -> stop | ignore.
filter(#{msg := {_, [_ | _] = Arguments}, meta := #{error_logger := #{emulator := true}}}, _) ->
    case lists:last(Arguments) of
        {{iris_fuzz_deliver, Session, Id}, _} ->
            Session ! {iris_fuzz_delivered, Id},
            stop;
        _ ->
            ignore
    end;
filter(_, _) ->
    ignore.

-spec log_level() -> atom().
log_level() ->
    maps:get(level, logger:get_primary_config()).

%% Not logger:allow/2, which leaves a persistent term for each module that asks.
-spec logs_errors() -> boolean().
logs_errors() ->
    logger:compare_levels(error, log_level()) =/= lt.

%% Called by the logger. A handler that fails is removed by the logger, hence the catch: the
%% table is gone while the agent leaves. The filter is asked once more, since a target that
%% sets up its logger anew may have taken it out.
-spec log(logger:log_event(), logger:handler_config()) -> ok.
log(Event, _Config) ->
    case is_wanted(Event) andalso filter(Event, none) =:= ignore of
        true ->
            try
                keep(Event)
            catch
                error:badarg -> ok
            end;
        false ->
            ok
    end.

is_wanted(#{level := notice, msg := {report, #{label := {application_controller, exit}}}}) ->
    true;
is_wanted(#{level := Level}) ->
    logger:compare_levels(Level, error) =/= lt.

keep(Event) ->
    Number = ets:update_counter(?MODULE, next, 1),
    Fits = ets:info(?MODULE, memory) < ?MAX_WORDS,
    case Fits andalso ets:info(?MODULE, size) < ?MAX_EVENTS + 2 of
        true -> ets:insert(?MODULE, {Number, Event});
        false -> ets:update_counter(?MODULE, dropped, 1)
    end,
    ok.

%% The events since the last call, oldest first, and how many more there were.
-spec take() -> {[iris_fuzz_report:event()], non_neg_integer()}.
take() ->
    case ets:info(?MODULE, size) of
        2 -> {[], 0};
        _ -> {iris_fuzz_report:events(take_from(ets:first(?MODULE))), take_dropped()}
    end.

take_from(Number) when is_integer(Number) ->
    Found = [Event || {_, Event} <- ets:take(?MODULE, Number)],
    Found ++ take_from(ets:next(?MODULE, Number));
take_from(_) ->
    [].

%% Not reset but subtracted from: another event may be dropped meanwhile.
take_dropped() ->
    [{dropped, Count}] = ets:lookup(?MODULE, dropped),
    _ = ets:update_counter(?MODULE, dropped, -Count),
    Count.
