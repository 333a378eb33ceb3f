%%% TLS of the listeners: certificates of its own, made anew at each start, and the options.
%%%
%%% They are written into a folder as PEM files: `ca.pem' is what a client has to trust, and
%%% `client.pem' with `client-key.pem' are a certificate that a listener with tls_verify accepts.
%%% All is made by public_key:pkix_test_data/1, so it is good for tests and for nothing else.
-module(iris_ref_tls).

-export([prepare/1, options/0]).

-include_lib("public_key/include/public_key.hrl").

-define(CURVE, {namedCurve, secp256r1}).

%% Start ssl, make certificates, and write what clients need of them into a folder.
-spec prepare(file:name_all()) -> ok | {error, term()}.
prepare(Dir) ->
    case application:ensure_all_started(ssl) of
        {ok, _} -> make(Dir);
        {error, {App, _}} -> {error, {no_tls, App}}
    end.

make(Dir) ->
    Chain = fun(Peer) -> #{root => key(), intermediates => [], peer => key() ++ Peer} end,
    #{server_config := Server, client_config := Client} =
        public_key:pkix_test_data(#{server_chain => Chain(names()), client_chain => Chain([])}),
    ok = application:set_env(iris_ref, tls_certificates, Server),
    written([
        {filename:join(Dir, Name), public_key:pem_encode(Entries)}
     || {Name, Entries} <- [
            {"ca.pem", certificates(proplists:get_value(cacerts, Client))},
            {"client.pem", certificates([proplists:get_value(cert, Client)])},
            {"client-key.pem", [key_entry(proplists:get_value(key, Client))]}
        ]
    ]).

key() -> [{key, ?CURVE}, {digest, sha256}].

%% What the server is called: by this a client knows that it talks to whom it wants to.
names() ->
    Names = [{dNSName, "localhost"}, {iPAddress, <<127, 0, 0, 1>>}],
    [{extensions, [#'Extension'{extnID = ?'id-ce-subjectAltName', extnValue = Names}]}].

certificates(Ders) -> [{'Certificate', Der, not_encrypted} || Der <- Ders].

key_entry({Type, Der}) -> {Type, Der, not_encrypted}.

written([]) ->
    ok;
written([{File, Bytes} | Rest]) ->
    case filelib:ensure_dir(File) =:= ok andalso file:write_file(File, Bytes) of
        ok -> written(Rest);
        _ -> {error, {no_certificates, File}}
    end.

%% The options of a listener: none where there is no TLS.
-spec options() -> none | [ssl:tls_server_option()].
options() ->
    case application:get_env(iris_ref, tls, false) of
        true ->
            {ok, Certificates} = application:get_env(iris_ref, tls_certificates),
            {ok, Versions} = application:get_env(iris_ref, tls_versions),
            %% Nothing is kept of a session that is over: it would look like a leak (TLS 1.3 keeps
            %% nothing unless it is told to). What a client does wrong in a handshake is its own
            %% affair, and not for the log.
            Certificates ++ verify(application:get_env(iris_ref, tls_verify, false)) ++
                [{reuse_sessions, false} || lists:member('tlsv1.2', Versions)] ++
                [{versions, Versions}, {log_level, error}];
        false ->
            none
    end.

verify(true) -> [{verify, verify_peer}, {fail_if_no_peer_cert, true}];
verify(false) -> [{verify, verify_none}].
