%%% Who may log in: names, and JSON web tokens (RFC 7519) signed with HS256.
%%%
%%% LOGIN carries `user' or `user:token'; the name ends at the first colon. With auth_enabled
%%% the token must be valid: three parts of canonical base64url, a header that says HS256 and
%%% names no extension that must be understood, a signature under the node's secret (compared
%%% in constant time), `sub' equal to the name, an `exp' that has not passed, an `nbf' that
%%% has, and a `jti' that was not revoked. Without auth_enabled any name of 1 to 256 bytes may
%%% log in, and a token is not looked at.
-module(iris_ref_auth).

-include("iris_ref.hrl").

-export([check/1, revoke/1, revoke_given/0, is_revoked/1]).

%% Claims of a few short names; the longest tokens in use have some 1,000 bytes.
-define(MAX_TOKEN, 4096).

%% The user that the credentials of a LOGIN are good for.
-spec check(binary()) -> {ok, User :: binary()} | refused.
check(Credentials) when byte_size(Credentials) > ?MAX_NAME + 1 + ?MAX_TOKEN ->
    refused;
check(Credentials) ->
    {User, Token} =
        case binary:split(Credentials, <<":">>) of
            [Name, Rest] -> {Name, Rest};
            [Name] -> {Name, <<>>}
        end,
    case is_name(User) andalso is_allowed(User, Token) of
        true -> {ok, binary:copy(User)};
        false -> refused
    end.

is_name(User) -> User =/= <<>> andalso byte_size(User) =< ?MAX_NAME.

is_allowed(User, Token) ->
    case application:get_env(iris_ref, auth_enabled) of
        {ok, true} -> is_valid(User, Token);
        _ -> true
    end.

%% Refuse all tokens of that jti from now on.
-spec revoke(binary()) -> ok.
revoke(Jti) ->
    ok = write_revoked(Jti),
    iris_ref_store:commit().

%% Refuse the tokens that the node was told of at its start. It is told at each start, so nothing
%% of it need be on the disc yet.
-spec revoke_given() -> ok.
revoke_given() ->
    {ok, Given} = application:get_env(iris_ref, revoked),
    lists:foreach(fun(Jti) -> ok = write_revoked(Jti) end, Given).

write_revoked(Jti) ->
    mnesia:dirty_write({iris_ref_revoked, Jti, iris_ref_clock:now(second)}).

-spec is_revoked(binary()) -> boolean().
is_revoked(Jti) ->
    mnesia:dirty_read(iris_ref_revoked, Jti) =/= [].

is_valid(User, Token) ->
    case [base64url(Part) || Part <- binary:split(Token, <<".">>, [global])] of
        [{ok, Header}, {ok, Claims}, {ok, Signature}] ->
            Head = iris_ref_json:decode(Header),
            Signed = is_header(Head) andalso is_signed(Token, Signature, Head),
            (Signed orelse is_unsigned(Head)) andalso
                are_claims(iris_ref_json:decode(Claims), User, iris_ref_clock:now(second));
        _ ->
            false
    end.

%% PLANTED: alg_none - a token whose header says that it is not signed is believed.
is_unsigned({ok, #{<<"alg">> := <<"none">>}}) -> iris_ref_plant:on(alg_none);
is_unsigned(_) -> false.

is_header({ok, #{<<"alg">> := Alg} = Header}) ->
    is_map_key(Alg, algorithms()) andalso not is_map_key(<<"crit">>, Header);
is_header(_) ->
    false.

%% PLANTED: alg_other - the token chooses its hash function: HS384 and HS512 are let in as well.
algorithms() ->
    case iris_ref_plant:on(alg_other) of
        true -> #{<<"HS256">> => sha256, <<"HS384">> => sha384, <<"HS512">> => sha512};
        false -> #{<<"HS256">> => sha256}
    end.

%% PLANTED: signature_optional - a signature is checked where there is one.
is_signed(_, <<>>, _) ->
    iris_ref_plant:on(signature_optional);
is_signed(Token, Signature, {ok, #{<<"alg">> := Alg} = Header}) ->
    {ok, Secret} = application:get_env(iris_ref, auth_secret),
    [Claims, _] = string:split(Token, <<".">>, trailing),
    Mac = crypto:mac(hmac, maps:get(Alg, algorithms()), key(Header, Secret), Claims),
    byte_size(Signature) =:= byte_size(Mac) andalso crypto:hash_equals(Mac, Signature).

%% PLANTED: header_key - a key that the token brings along, as the member jwk of its header, is
%% taken for the node's.
%% PLANTED: kid_unknown - the key is looked up by the member kid, and a name that is not there has
%% the empty key.
key(#{<<"jwk">> := #{<<"k">> := Own}}, Secret) when is_binary(Own) ->
    case iris_ref_plant:on(header_key) andalso base64url(Own) of
        {ok, Key} -> Key;
        _ -> Secret
    end;
key(#{<<"kid">> := Name}, Secret) ->
    case iris_ref_plant:on(kid_unknown) of
        true -> maps:get(Name, #{<<"1">> => Secret}, <<>>);
        false -> Secret
    end;
key(_, Secret) ->
    Secret.

are_claims({ok, #{<<"sub">> := Subject, <<"exp">> := Exp} = Claims}, User, Now) ->
    is_subject(Subject, User) andalso is_to_come(Exp, Now) andalso
        is_time(maps:get(<<"nbf">>, Claims, Now), Now) andalso
        is_issued(maps:get(<<"iat">>, Claims, Now), Now) andalso
        is_good_jti(maps:get(<<"jti">>, Claims, none));
are_claims(_, _, _) ->
    false.

%% PLANTED: token_subject - whose token it is, is not compared with the name that logs in.
is_subject(User, User) -> true;
is_subject(_, _) -> iris_ref_plant:on(token_subject).

%% PLANTED: token_expired - that a token has expired is not looked at; that it may, it must say.
%% PLANTED: exp_text - a text is compared with the time as it is, and any text is later: Erlang has
%% an order for all terms, in which numbers come first.
is_to_come(Exp, Now) when is_number(Exp), Exp > Now -> true;
is_to_come(Exp, _) when is_number(Exp) -> iris_ref_plant:on(token_expired);
is_to_come(Exp, Now) when is_binary(Exp), Exp > Now -> iris_ref_plant:on(exp_text);
is_to_come(_, _) -> false.

%% PLANTED: nbf_ignored - from when on a token is good is not looked at.
is_time(NotBefore, Now) when is_number(NotBefore), NotBefore > Now ->
    iris_ref_plant:on(nbf_ignored);
is_time(NotBefore, _) ->
    is_number(NotBefore).

%% PLANTED: iat_ahead - a token that was issued later than now is refused, as if its iat were an
%% nbf. Now is what the clock of this node says: where that is behind, a token that another machine
%% has just issued is of later.
is_issued(Issued, Now) when is_number(Issued), Issued > Now ->
    not iris_ref_plant:on(iat_ahead);
is_issued(Issued, _) ->
    is_number(Issued).

is_good_jti(none) ->
    true;
is_good_jti(Jti) when is_binary(Jti) ->
    is_not_revoked(iris_ref_core:call(?MODULE, is_revoked, [Jti]));
is_good_jti(_) ->
    false.

%% PLANTED: jti_refused - the answer of the core is taken for its value, without the `ok' around it:
%% a token with a jti is refused, revoked or not.
%% PLANTED: token_revoked - that a token was revoked is asked for, and let pass.
is_not_revoked({ok, false}) -> not iris_ref_plant:on(jti_refused);
is_not_revoked({ok, true}) -> iris_ref_plant:on(token_revoked);
is_not_revoked(unavailable) -> false.

%% The bytes of canonical base64url without padding. That it encodes to the same text again
%% leaves one spelling of a signature.
base64url(Text) ->
    case byte_size(Text) rem 4 =/= 1 andalso to_base64(Text, <<>>) of
        false ->
            error;
        error ->
            error;
        Base64 ->
            Bytes = base64:decode(Base64),
            case base64:encode(Bytes) of
                Base64 -> {ok, Bytes};
                _ -> error
            end
    end.

to_base64(<<>>, Text) -> pad(Text);
to_base64(<<$-, Rest/binary>>, Text) -> to_base64(Rest, <<Text/binary, $+>>);
to_base64(<<$_, Rest/binary>>, Text) -> to_base64(Rest, <<Text/binary, $/>>);
to_base64(<<C, Rest/binary>>, Text) when
    C >= $a, C =< $z; C >= $A, C =< $Z; C >= $0, C =< $9
->
    to_base64(Rest, <<Text/binary, C>>);
to_base64(_, _) ->
    error.

pad(Text) when byte_size(Text) rem 4 =:= 0 -> Text;
pad(Text) -> pad(<<Text/binary, $=>>).
