%%% A strict reader of JSON (RFC 8259), for the two small objects of a token.
%%%
%%% Total: any bytes give a term or `error'. Objects become maps with binary keys, and no atom
%%% is made but true, false and null. Refused beyond the grammar: a key twice in one object
%%% (readers differ on which of them counts, which is how a check and its user come to
%%% disagree), text that is not UTF-8, a lone surrogate, nesting deeper than 16, and a number
%%% of more than 32 characters or outside the range of a double.
-module(iris_ref_json).

-export([decode/1]).
-export_type([value/0]).

-type value() :: #{binary() => value()} | [value()] | binary() | number() | boolean() | null.

%% The claims of a token have a depth of two.
-define(MAX_DEPTH, 16).
%% A double needs 24; a longer integer would be a large number to compute.
-define(MAX_NUMBER, 32).

-spec decode(binary()) -> {ok, value()} | error.
decode(Text) ->
    case value(space(Text), ?MAX_DEPTH) of
        {ok, Value, Rest} -> ended(Value, space(Rest));
        error -> error
    end.

ended(Value, <<>>) -> {ok, Value};
ended(_, _) -> error.

space(<<C, Rest/binary>>) when C =:= $\s; C =:= $\t; C =:= $\n; C =:= $\r -> space(Rest);
space(Text) -> Text.

value(_, 0) -> error;
value(<<"{", Rest/binary>>, Depth) -> first_member(space(Rest), Depth);
value(<<"[", Rest/binary>>, Depth) -> first_element(space(Rest), Depth);
value(<<"\"", Rest/binary>>, _) -> string(Rest, <<>>);
value(<<"true", Rest/binary>>, _) -> {ok, true, Rest};
value(<<"false", Rest/binary>>, _) -> {ok, false, Rest};
value(<<"null", Rest/binary>>, _) -> {ok, null, Rest};
value(Text, _) -> number(Text).

first_member(<<"}", Rest/binary>>, _) -> {ok, #{}, Rest};
first_member(Text, Depth) -> member(Text, Depth, #{}).

member(<<"\"", Text/binary>>, Depth, Object) ->
    case string(Text, <<>>) of
        {ok, Key, Rest} when not is_map_key(Key, Object) ->
            member_value(Key, space(Rest), Depth, Object);
        _ ->
            error
    end;
member(_, _, _) ->
    error.

member_value(Key, <<":", Text/binary>>, Depth, Object) ->
    case value(space(Text), Depth - 1) of
        {ok, Value, Rest} -> next_member(space(Rest), Depth, Object#{Key => Value});
        error -> error
    end;
member_value(_, _, _, _) ->
    error.

next_member(<<",", Rest/binary>>, Depth, Object) -> member(space(Rest), Depth, Object);
next_member(<<"}", Rest/binary>>, _, Object) -> {ok, Object, Rest};
next_member(_, _, _) -> error.

first_element(<<"]", Rest/binary>>, _) -> {ok, [], Rest};
first_element(Text, Depth) -> element(Text, Depth, []).

element(Text, Depth, Values) ->
    case value(Text, Depth - 1) of
        {ok, Value, Rest} -> next_element(space(Rest), Depth, [Value | Values]);
        error -> error
    end.

next_element(<<",", Rest/binary>>, Depth, Values) -> element(space(Rest), Depth, Values);
next_element(<<"]", Rest/binary>>, _, Values) -> {ok, lists:reverse(Values), Rest};
next_element(_, _, _) -> error.

string(<<"\"", Rest/binary>>, Text) -> {ok, Text, Rest};
string(<<"\\u", Hex:4/binary, Rest/binary>>, Text) -> escaped(hex(Hex), Rest, Text);
string(<<"\\", C, Rest/binary>>, Text) -> short_escape(C, Rest, Text);
string(<<C/utf8, Rest/binary>>, Text) when C >= 16#20 -> string(Rest, <<Text/binary, C/utf8>>);
string(_, _) -> error.

short_escape(C, Rest, Text) ->
    case C of
        _ when C =:= $"; C =:= $\\; C =:= $/ -> string(Rest, <<Text/binary, C>>);
        $b -> string(Rest, <<Text/binary, $\b>>);
        $f -> string(Rest, <<Text/binary, $\f>>);
        $n -> string(Rest, <<Text/binary, $\n>>);
        $r -> string(Rest, <<Text/binary, $\r>>);
        $t -> string(Rest, <<Text/binary, $\t>>);
        _ -> error
    end.

escaped(High, <<"\\u", Hex:4/binary, Rest/binary>>, Text) when High >= 16#D800, High < 16#DC00 ->
    case hex(Hex) of
        Low when Low >= 16#DC00, Low < 16#E000 ->
            Char = 16#10000 + ((High - 16#D800) bsl 10) + (Low - 16#DC00),
            string(Rest, <<Text/binary, Char/utf8>>);
        _ ->
            error
    end;
escaped(Char, Rest, Text) when Char >= 0, Char < 16#D800; Char >= 16#E000 ->
    string(Rest, <<Text/binary, Char/utf8>>);
escaped(_, _, _) ->
    error.

%% Four hexadecimal digits, or -1.
hex(Digits) ->
    lists:foldl(fun hex/2, 0, binary_to_list(Digits)).

hex(_, -1) -> -1;
hex(D, N) when D >= $0, D =< $9 -> N * 16 + D - $0;
hex(D, N) when D >= $a, D =< $f -> N * 16 + D - $a + 10;
hex(D, N) when D >= $A, D =< $F -> N * 16 + D - $A + 10;
hex(_, _) -> -1.

%% -? (0 | [1-9][0-9]*) ([.][0-9]+)? ([eE][+-]?[0-9]+)?
number(Text) ->
    {Sign, Unsigned} = optional(<<"-">>, Text),
    {Whole, Rest1} = digits(Unsigned, <<>>),
    {Fraction, Rest2} = fraction(Rest1),
    {Exponent, Rest} = exponent(Rest2),
    Size = byte_size(Text) - byte_size(Rest),
    case Size =< ?MAX_NUMBER andalso plain(Whole) of
        true -> convert(<<Sign/binary, Whole/binary>>, Fraction, Exponent, Rest);
        false -> error
    end.

plain(<<>>) -> false;
plain(<<"0", _, _/binary>>) -> false;
plain(_) -> true.

optional(Char, <<C:1/binary, Rest/binary>>) when C =:= Char -> {C, Rest};
optional(_, Text) -> {<<>>, Text}.

digits(<<D, Rest/binary>>, Digits) when D >= $0, D =< $9 -> digits(Rest, <<Digits/binary, D>>);
digits(Rest, Digits) -> {Digits, Rest}.

fraction(<<".", Rest/binary>>) ->
    {Digits, Rest1} = digits(Rest, <<>>),
    {{some, Digits}, Rest1};
fraction(Text) ->
    {none, Text}.

exponent(<<E, Text/binary>>) when E =:= $e; E =:= $E ->
    {Minus, Rest1} = optional(<<"-">>, Text),
    {_, Rest2} = optional(<<"+">>, Rest1),
    Signs = byte_size(Text) - byte_size(Rest2),
    {Digits, Rest} = digits(Rest2, <<>>),
    {{Signs, Minus, Digits}, Rest};
exponent(Text) ->
    {none, Text}.

convert(_, {some, <<>>}, _, _) -> error;
convert(_, _, {_, _, <<>>}, _) -> error;
convert(_, _, {2, _, _}, _) -> error;
convert(Whole, none, none, Rest) -> {ok, binary_to_integer(Whole), Rest};
convert(Whole, Fraction, none, Rest) -> float(Whole, Fraction, <<"0">>, Rest);
convert(Whole, Fraction, {_, Minus, Digits}, Rest) ->
    float(Whole, Fraction, <<Minus/binary, Digits/binary>>, Rest).

float(Whole, none, Exponent, Rest) ->
    float(Whole, {some, <<"0">>}, Exponent, Rest);
float(Whole, {some, Digits}, Exponent, Rest) ->
    %% The text is a float by its grammar; only the range of a double can be left.
    try
        {ok, binary_to_float(<<Whole/binary, ".", Digits/binary, "e", Exponent/binary>>), Rest}
    catch
        error:badarg -> error
    end.
