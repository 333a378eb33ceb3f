%%% The application: prepares what its processes take for granted, then starts them.
%%%
%%% Environment: role (single, core, edge), core (the node that an edge asks), ip, port, ws_port
%%% (one above port, or the system's choice where port is), auth_enabled, auth_secret, revoked
%%% (each jti that is refused), tls, tls_versions and tls_verify (see iris_ref_tls), incomplete_ms (how long a frame may be incomplete), ack_ms and
%%% ack_scan_ms (when a message that is not acknowledged goes back to the store, and how often
%%% that is looked at), clock_offset_ms (by how much the clock of this node is off).
-module(iris_ref_app).

-behaviour(application).

-export([start/2, stop/1]).

-spec start(application:start_type(), term()) -> supervisor:startlink_ret() | {error, term()}.
start(_, _) ->
    {ok, Role} = application:get_env(iris_ref, role),
    ok = iris_ref_message:init(),
    ok = choose_ws_port(),
    ok = load_code(),
    case prepare(Role) of
        ok -> iris_ref_sup:start_link(Role);
        {error, _} = Error -> Error
    end.

-spec stop(term()) -> ok.
stop(_) ->
    ok.

prepare(edge) ->
    {ok, Core} = application:get_env(iris_ref, core),
    ok = iris_ref_core:configure(Core),
    case net_kernel:connect_node(Core) of
        true -> numbered();
        _ -> {error, {core_unreachable, Core}}
    end;
prepare(_) ->
    ok = iris_ref_core:configure(local),
    case iris_ref_store:set_up() of
        ok -> iris_ref_auth:revoke_given();
        {error, _} = Error -> Error
    end.

%% Have a number of the core's to count on from when that is away. An edge that has none would count
%% from 1, as it may have done before it was started anew: two messages with one id.
numbered() ->
    {_, _} = iris_ref_message:new(<<>>),
    ok.

choose_ws_port() ->
    {ok, Port} = application:get_env(iris_ref, port),
    case application:get_env(iris_ref, ws_port) of
        {ok, _} -> ok;
        undefined when Port =:= 0 -> application:set_env(iris_ref, ws_port, 0);
        undefined -> application:set_env(iris_ref, ws_port, Port + 1)
    end.

%% Load all code that is ever used, so that the number of atoms does not grow with the first
%% client that needs a module.
load_code() ->
    Secure = [App || App <- [ssl, public_key, asn1], application:get_env(iris_ref, tls, false)],
    Own = [Module || App <- [iris_ref, mnesia, crypto | Secure], Module <- modules(App)],
    %% Modules of OTP that are first used by a client, a crash report or a stop.
    Lazy = [
        base64, binary, calendar, dets, dict, disk_log, disk_log_1, disk_log_server, erl_anno,
        erl_error, erl_erts_errors, erl_kernel_errors, erl_parse, erl_posix_msg, erl_pp,
        erl_scan, erl_stdlib_errors, erpc, error_handler, error_logger, gb_sets, gb_trees,
        gen_statem, inet_db, inet_tcp, io_lib, io_lib_format, io_lib_pretty, logger_formatter,
        logger_h_common, logger_olp, logger_std_h, ordsets, otp_internal, prim_inet, proc_lib,
        proplists, queue, rand, sets, string, supervisor, sys, timer, unicode, unicode_util
    ],
    _ = code:ensure_modules_loaded(Own ++ Lazy),
    ok.

modules(App) ->
    case application:get_key(App, modules) of
        {ok, Modules} -> Modules;
        undefined -> []
    end.
