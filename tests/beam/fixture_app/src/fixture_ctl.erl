%%% Lets a test evaluate expressions in the node: a line in, "=> RESULT" in one line out.
%%% The node ends with its standard input, so that it cannot outlive its test.
-module(fixture_ctl).

-export([start/0, hold/1, deep/1]).

start() ->
    %% The reports go to the agent only; on standard output they would be in the way.
    ok = logger:remove_handler(default),
    spawn(fun() ->
        io:put_chars("=> ready\n"),
        serve()
    end).

serve() ->
    case io:get_line("") of
        Line when is_list(Line) ->
            io:format("=> ~0p~n", [evaluate(Line)]),
            serve();
        _ ->
            halt(0)
    end.

evaluate(Line) ->
    {ok, Tokens, _} = erl_scan:string(Line),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    {value, Value, _} = erl_eval:exprs(Expressions, erl_eval:new_bindings()),
    Value.

%% Keeps a fun, and calls it for whoever asks.
hold(Fun) ->
    receive
        {call, From} ->
            From ! {called, Fun()},
            hold(Fun)
    end.

%% Waits below so many frames.
deep(0) ->
    receive
        stop -> ok
    end;
deep(Frames) ->
    [deep(Frames - 1)].
