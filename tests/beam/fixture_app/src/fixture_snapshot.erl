%%% What a node consists of, in a form that can be compared.
-module(fixture_snapshot).

-export([take/0]).

take() ->
    #{
        modules => lists:sort([{M, md5(M)} || {M, _} <- code:all_loaded()]),
        old_code => lists:sort([M || {M, _} <- code:all_loaded(), erlang:check_old_code(M)]),
        names => lists:sort(registered()),
        tables => lists:sort([{ets:info(T, name), ets:info(T, owner)} || T <- ets:all()]),
        handlers => lists:sort(logger:get_handler_ids()),
        logging => logger:get_primary_config(),
        processes => lists:sort(processes()),
        ports => length(erlang:ports()),
        path => code:get_path(),
        terms => lists:sort([Key || {Key, _} <- persistent_term:get()]),
        environment => lists:sort(os:env()),
        settings => lists:sort([
            {Name, lists:sort(application:get_all_env(Name))}
         || {Name, _, _} <- application:loaded_applications()
        ]),
        nodes => {nodes(hidden), nodes()}
    }.

md5(Module) ->
    try
        Module:module_info(md5)
    catch
        error:undef -> gone
    end.
