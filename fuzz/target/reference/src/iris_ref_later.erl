%%% Frames of a later version of the protocol, which no grammar knows: planted defects in stages.
%%%
%%% Theory of operation. Three opcodes that nobody has, and a key in the header of E2EE_MSG, mean
%%% something while their defect is on. What stands in the way of the defect is checked one after the
%%% other, each in a clause of its own: who sees which code was run learns of each step, and who does
%%% not has to guess all of it at once. A frame takes all the rest of its segment, as one of an unknown
%%% opcode does. A position is answered by ERROR whatever it says, and a call by nothing; of a reaction
%%% the decoder says that it is no frame. So to who knows only the published protocol, nothing is odd
%%% until the defect shows.
-module(iris_ref_later).

-export([first/2, position/1, call/2, reaction/1, header/1]).
-export_type([frame/0]).

-type frame() :: {position | call, binary()}.

%% What a connection remembers of its call.
-type memory() :: iris_ref_lapse:memory().

-define(POSITION, 16#40).
-define(CALL, 16#50).

%% What is behind an opcode that has no layout.
-spec first(byte(), binary()) -> iris_ref_proto:decoded().
first(?POSITION, Body) -> frame(later_position, {position, Body});
first(?CALL, Body) -> frame(later_call, {call, Body});
first(_, _) -> unknown().

frame(Plant, Frame) ->
    case iris_ref_plant:on(Plant) of
        true -> {ok, Frame, <<>>};
        false -> unknown()
    end.

unknown() -> {error, <<"unknown opcode">>}.

%%% A position: a version, a projection, a unit, and a scale.

%% What is wrong with it.
-spec position(binary()) -> Refusal :: binary().
position(<<3, Place/binary>>) -> projected(Place);
position(<<Version, _/binary>>) when Version > 3 -> <<"the position is of a later version">>;
position(_) -> <<"the position is of an old version">>.

projected(<<16#9C, Place/binary>>) -> measured(Place);
projected(<<16#9D, _/binary>>) -> <<"the projection is not used any more">>;
projected(_) -> <<"there is no such projection">>.

measured(<<"km", Scale:16, _/binary>>) -> scaled(1000, Scale);
measured(<<"ft", Scale:16, _/binary>>) -> scaled(3281, Scale);
measured(_) -> <<"there is no such unit">>.

%% PLANTED: later_position - a scale from 32,768 on has its highest bit cut off, and what is left of
%% the first of them is zero.
scaled(Unit, Scale) when Scale >= 16#8000 ->
    _ = Unit div (Scale band 16#7F00),
    <<"the scale is too large">>;
scaled(_, _) ->
    <<"positions are not served here">>.

%%% A call: an offer, an answer, and the line on hold.

-spec call(binary(), memory()) -> memory().
call(Verb, Memory) ->
    Memory#{later_call => next(Verb, maps:get(later_call, Memory, idle))}.

next(<<"OFFER", _/binary>>, idle) -> offered;
next(<<"ACCEPT", _/binary>>, offered) -> accepted;
next(<<"HOLD", _/binary>>, accepted) -> held;
next(<<"HOLD", _/binary>>, held) -> resumed(held);
next(<<"BYE", _/binary>>, _) -> idle;
next(_, State) -> State.

%% PLANTED: later_call - who puts a line on hold that is on hold meets no clause.
resumed(accepted) -> accepted.

%%% A reaction: a version, a sort, a name, and how many of them.

-spec reaction(binary()) -> Remark :: atom().
reaction(<<2, Sorted/binary>>) -> sorted(Sorted);
reaction(_) -> of_another_version.

sorted(<<16#A7, Named/binary>>) -> named(Named);
sorted(<<16#A8, _/binary>>) -> withdrawn;
sorted(_) -> of_no_sort.

named(<<"heart", Count:16, _/binary>>) -> counted(Count);
named(<<"smile", Count:16, _/binary>>) -> counted(Count);
named(_) -> of_no_name.

%% PLANTED: decode_later - what 32,768 reactions and more are called is looked up in a table that has
%% no word for them.
counted(Count) when Count >= 16#8000 -> element(1 + Count div 16#8000, {few});
counted(_) -> few.

%%% The header of E2EE_MSG: a key that says for how long a message is kept.

-spec header([{Name :: binary(), Value :: binary()}]) -> ok.
header(Pairs) ->
    case iris_ref_plant:on(later_header) of
        true -> lists:foreach(fun({Name, Value}) -> key(iris_ref_cbor:name(Name), Value) end, Pairs);
        false -> ok
    end.

key({ok, <<"ttl">>}, Value) -> kept(Value);
key(_, _) -> ok.

%% A number of CBOR: of 32 bits, or a shorter one.
kept(<<16#1A, Seconds:32>>) -> kept_for(Seconds);
kept(_) -> ok.

%% PLANTED: later_header - a message that is kept for more than a week goes to a table of weeks that
%% has five entries.
kept_for(Seconds) when Seconds > 604800 ->
    _ = element(Seconds div 604800, {one, two, three, four, five}),
    ok;
kept_for(_) ->
    ok.
