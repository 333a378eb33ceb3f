%%% Sees to it that an agent which was brought into somebody's node leaves it without its supervisor.
%%%
%%% A supervisor that gives up or is killed takes with it everybody who could take the agent out,
%%% and its tables. So a guest has one process more, which nobody supervises. It inherits the table
%%% that tells the way back, and has the agent leave as soon as the supervisor is gone, and again if
%%% that fails. When somebody is leaving already, it waits for that one: its own code is purged
%%% then, which is how it ends.
%%%
%%% An agent that does not get as far as to run is taken out by who has brought it: until it is
%%% armed, the heir does no more than to end with the supervisor.
-module(iris_fuzz_heir).

-export([start/1, arm/0]).
-export([init/2]).

%% Called by the supervisor.
-spec start(iris_fuzz_agent:settings()) -> pid().
start(Settings) ->
    Heir = spawn(?MODULE, init, [self(), Settings]),
    true = register(?MODULE, Heir),
    Heir.

-spec arm() -> ok.
arm() ->
    ?MODULE ! armed,
    ok.

-spec init(Supervisor :: pid(), iris_fuzz_agent:settings()) -> ok.
init(Supervisor, Settings) ->
    Monitor = monitor(process, Supervisor),
    receive
        armed ->
            await(Monitor),
            leave(Settings);
        {'DOWN', Monitor, process, _, _} ->
            ok
    end.

leave(#{linger_ms := LingerMs} = Settings) ->
    Leaver = leaver(whereis(iris_fuzz_leaver), Settings),
    await(monitor(process, Leaver)),
    %% Only a failure lets this code live as long as that.
    receive
        never -> ok
    after LingerMs -> leave(Settings)
    end.

leaver(undefined, Settings) -> iris_fuzz_agent:depart(Settings);
leaver(Leaver, _) -> Leaver.

await(Monitor) ->
    receive
        {'DOWN', Monitor, process, _, _} -> ok
    end.
