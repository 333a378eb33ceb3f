%%% Ways to end, and to go on for ever, for processes that are no behaviour.
-module(fixture_crashes).

-export([plain/1, thrown/1, exited/1, swollen/0, under_proc_lib/1]).
-export([spinner/0, spin/0, loop/1, reload/1, chain/2, storm/1, old_style/2]).

plain(Data) ->
    spawn(fun() -> error({bad_thing, Data, #{key => Data}, [Data, 1], self()}) end).

thrown(Data) ->
    spawn(fun() -> throw({thrown, Data}) end).

exited(Reason) ->
    spawn(fun() -> exit(Reason) end).

swollen() ->
    spawn_opt(fun() -> lists:seq(1, 1000000) end, [{max_heap_size, 5000}]).

under_proc_lib(Value) ->
    proc_lib:spawn(fun() -> {ok, _} = Value end).

spinner() ->
    spawn(?MODULE, spin, []).

spin() ->
    spin().

%% Stays in the version of the code that it was started in.
loop(Parent) ->
    receive
        {ping, From} ->
            From ! {pong, self()},
            loop(Parent);
        stop ->
            ok
    end.

%% Goes over to the newest version with each message.
reload(Parent) ->
    receive
        {ping, From} ->
            From ! {pong, self()},
            ?MODULE:reload(Parent);
        stop ->
            ok
    end.

%% A message through so many processes, which then crash, one after the other.
chain(0, Data) ->
    plain(Data);
chain(Length, Data) ->
    spawn(fun() -> chain(Length - 1, Data) end).

storm(0) ->
    ok;
storm(Count) ->
    plain(Count),
    storm(Count - 1).

old_style(Format, Arguments) ->
    error_logger:error_msg(Format, Arguments).
