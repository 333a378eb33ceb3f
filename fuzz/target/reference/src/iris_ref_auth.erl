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

-export([check/1, revoke/1, is_revoked/1]).

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
    ok = mnesia:dirty_write({iris_ref_revoked, Jti, erlang:system_time(second)}),
    iris_ref_store:commit().

-spec is_revoked(binary()) -> boolean().
is_revoked(Jti) ->
    mnesia:dirty_read(iris_ref_revoked, Jti) =/= [].

is_valid(User, Token) ->
    case [base64url(Part) || Part <- binary:split(Token, <<".">>, [global])] of
        [{ok, Header}, {ok, Claims}, {ok, Signature}] ->
            Head = iris_ref_json:decode(Header),
            (is_unsigned(Head) orelse is_signed(Token, Signature) andalso is_header(Head)) andalso
                are_claims(iris_ref_json:decode(Claims), User, erlang:system_time(second));
        _ ->
            false
    end.

%% PLANTED: alg_none - a token whose header says that it is not signed is believed.
is_unsigned({ok, #{<<"alg">> := <<"none">>}}) -> iris_ref_plant:on(alg_none);
is_unsigned(_) -> false.

is_signed(Token, Signature) ->
    {ok, Secret} = application:get_env(iris_ref, auth_secret),
    [Claims, _] = string:split(Token, <<".">>, trailing),
    Mac = crypto:mac(hmac, sha256, Secret, Claims),
    byte_size(Signature) =:= byte_size(Mac) andalso crypto:hash_equals(Mac, Signature).

is_header({ok, #{<<"alg">> := <<"HS256">>} = Header}) -> not is_map_key(<<"crit">>, Header);
is_header(_) -> false.

are_claims({ok, #{<<"sub">> := Subject, <<"exp">> := Exp} = Claims}, User, Now) ->
    is_subject(Subject, User) andalso is_number(Exp) andalso is_to_come(Exp, Now) andalso
        is_time(maps:get(<<"nbf">>, Claims, Now), Now) andalso
        is_number(maps:get(<<"iat">>, Claims, Now)) andalso
        is_good_jti(maps:get(<<"jti">>, Claims, none));
are_claims(_, _, _) ->
    false.

%% PLANTED: token_subject - whose token it is, is not compared with the name that logs in.
is_subject(User, User) -> true;
is_subject(_, _) -> iris_ref_plant:on(token_subject).

%% PLANTED: token_expired - that a token has expired is not looked at; that it may, it must say.
is_to_come(Exp, Now) when Exp > Now -> true;
is_to_come(_, _) -> iris_ref_plant:on(token_expired).

is_time(NotBefore, Now) -> is_number(NotBefore) andalso NotBefore =< Now.

is_good_jti(none) ->
    true;
is_good_jti(Jti) when is_binary(Jti) ->
    iris_ref_core:call(?MODULE, is_revoked, [Jti]) =:= {ok, false};
is_good_jti(_) ->
    false.

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
