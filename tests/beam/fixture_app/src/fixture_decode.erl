%%% Decoders of all kinds: the first byte of the input says what becomes of it.
-module(fixture_decode).

-export([decode/1, decode/2, parse_frame/1]).

decode(<<"o", Rest/binary>>) -> {ok, {frame, <<"abc">>, 7}, Rest};
decode(<<"m">>) -> more;
decode(<<"d", _/binary>>) -> {a, [{b, <<1:3>>}, c], [1, 2], -1, 2.5, #{k => 1, "x" => 2}, []};
decode(<<"w", _/binary>>) -> {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
decode(<<"e", _/binary>>) -> error({bad, <<"thing">>, 1});
decode(<<"t", _/binary>>) -> throw(out);
decode(<<"x", _/binary>>) -> exit(self(), kill);
decode(<<"l", _/binary>> = Input) -> decode(Input);
decode(<<"h", _/binary>>) -> length(lists:seq(1, 100000000));
decode(<<"c", _/binary>>) -> element(2, process_info(self(), dictionary));
decode(<<"p", Value/binary>>) -> put(Value, Value).

decode(Input, _) -> decode(Input).

parse_frame(Input) -> {ok, Input, <<>>}.
