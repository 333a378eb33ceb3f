%%% What depends on the release of Erlang/OTP, in one place.
-module(iris_fuzz_otp).

-export([is_application/1, is_module/1, native_coverage/0]).

%% The applications that come with Erlang/OTP 25 to 29, and with Elixir, which a release carries
%% in the same folder as the project's own: there the place of a file does not tell.
-define(APPLICATIONS, [
    asn1, common_test, compiler, crypto, debugger, dialyzer, diameter, edoc, eldap, erl_docgen,
    erl_interface, et, eunit, ftp, inets, jinterface, kernel, megaco, mnesia, observer, odbc,
    os_mon, parsetools, public_key, reltool, runtime_tools, sasl, snmp, ssh, ssl, stdlib,
    syntax_tools, tftp, tools, wx, xmerl,
    eex, elixir, ex_unit, iex, logger, mix
]).

-spec is_application(atom()) -> boolean().
is_application(Name) ->
    lists:member(Name, ?APPLICATIONS).

%% By the folder that it was loaded from, NAME-VERSION/ebin; preloaded ones come from nowhere
%% but OTP.
-spec is_module(module()) -> boolean().
is_module(Module) ->
    case code:which(Module) of
        [_ | _] = Path -> lists:member(owner(Path), [atom_to_list(A) || A <- ?APPLICATIONS]);
        Special -> Special =:= preloaded
    end.

owner(Path) ->
    Home = filename:basename(filename:dirname(filename:dirname(Path))),
    hd(string:split(Home, "-")).

%% Whether the emulator can count what code does (see iris_fuzz_native): from OTP 27 on, where it
%% compiles to machine code.
-spec native_coverage() -> yes | {no, Why :: binary()}.
native_coverage() ->
    Release = list_to_binary(erlang:system_info(otp_release)),
    try code:coverage_support() of
        true -> yes;
        false -> {no, <<"this OTP ", Release/binary, " has no JIT, and so no native coverage">>}
    catch
        error:undef -> {no, <<"OTP ", Release/binary, " has no native coverage">>}
    end.
