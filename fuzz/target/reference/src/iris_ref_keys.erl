%%% Key bundles: what a user publishes so that others can write to them encrypted.
%%%
%%% A bundle is a CBOR map of identity_key, signed_prekey (X25519, 32 bytes each),
%%% signed_prekey_signature (Ed25519, 64 bytes) and one_time_prekeys (an array of X25519
%%% keys). Other entries are not kept. Who fetches it gets the same map with at most one
%%% one-time key, which nobody gets again. A new upload takes the place of the old one.
%%% Source: RFC-001 Amendment 001.
-module(iris_ref_keys).

-behaviour(gen_server).

-export([start_link/0, upload/2, fetch/1, status/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, refill/1]).

%% Mnesia holds the bundles in memory: 40 MB if each is as large as it may be. Beyond this,
%% the oldest goes.
-define(MAX_BUNDLES, 5_000).
%% How late the planted defect keys_later shows: long after its client has gone.
-define(WATCH_MS, 1500).

-record(iris_ref_bundle, {user, keys, one_time, seq}).

-spec start_link() -> gen_server:start_ret().
start_link() ->
    gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Publish a bundle; the error says what is wrong with it.
-spec upload(binary(), binary()) -> ok | {error, binary()}.
upload(User, Cbor) ->
    case parse(Cbor) of
        {ok, Keys, OneTime} ->
            {Seq, _} = iris_ref_message:new(<<>>),
            Bundle = #iris_ref_bundle{user = User, keys = Keys, one_time = OneTime, seq = Seq},
            ok = watch(OneTime),
            gen_server:call(?MODULE, {upload, Bundle}, infinity);
        {error, _} = Error ->
            Error
    end.

%% The bundle of a user, with one one-time key, which is used up by that.
-spec fetch(binary()) -> {ok, iodata()} | not_found.
fetch(User) ->
    case gen_server:call(?MODULE, {fetch, User}, infinity) of
        {ok, Keys, OneTime} -> {ok, encode(Keys, OneTime)};
        not_found -> not_found
    end.

%% A CBOR map with a status: ok, not_found or error.
-spec status(binary()) -> iodata().
status(Status) ->
    Pair = {iris_ref_cbor:encode_text(<<"status">>), iris_ref_cbor:encode_text(Status)},
    iris_ref_cbor:encode_map([Pair]).

fields() ->
    [{<<"identity_key">>, 32}, {<<"signed_prekey">>, 32}, {<<"signed_prekey_signature">>, 64}].

parse(Cbor) ->
    case iris_ref_cbor:map(Cbor) of
        {ok, Pairs} -> parse_pairs([{iris_ref_cbor:name(Key), Raw} || {Key, Raw} <- Pairs]);
        {error, _} = Error -> Error
    end.

parse_pairs(Pairs) ->
    Names = [Name || {{ok, Name}, _} <- Pairs],
    case length(lists:usort(Names)) =:= length(Names) of
        true -> parse_fields(maps:from_list([{Name, Raw} || {{ok, Name}, Raw} <- Pairs]));
        false -> {error, <<"bundle names a key twice">>}
    end.

parse_fields(Map) ->
    Keys = [key(maps:find(Name, Map), Size) || {Name, Size} <- fields()],
    OneTime = one_time(maps:find(<<"one_time_prekeys">>, Map)),
    case lists:member(error, Keys) orelse lists:member(error, OneTime) of
        true -> {error, <<"bundle lacks a key or has one of a wrong size">>};
        false -> {ok, Keys, OneTime}
    end.

one_time(error) ->
    [];
one_time({ok, Raw}) ->
    case iris_ref_cbor:array(Raw) of
        {ok, Items} -> [key({ok, Item}, 32) || Item <- Items];
        {error, _} -> [error]
    end.

key({ok, Raw}, Size) ->
    case iris_ref_cbor:bytes(Raw) of
        {ok, Key} when byte_size(Key) =:= Size -> binary:copy(Key);
        _ -> error
    end;
key(error, _) ->
    error.

encode(Keys, OneTime) ->
    Names = [iris_ref_cbor:encode_text(Name) || {Name, _} <- fields()],
    Array = iris_ref_cbor:encode_array([iris_ref_cbor:encode_bytes(Key) || Key <- OneTime]),
    iris_ref_cbor:encode_map(
        lists:zip(Names, [iris_ref_cbor:encode_bytes(Key) || Key <- Keys]) ++
            [{iris_ref_cbor:encode_text(<<"one_time_prekeys">>), iolist_to_binary(Array)}]
    ).

%% The state is an index of all bundles by age.
-spec init([]) -> {ok, ets:table()}.
init([]) ->
    Age = ets:new(iris_ref_keys_age, [ordered_set]),
    Bundles = mnesia:dirty_match_object(mnesia:table_info(iris_ref_bundle, wild_pattern)),
    true = ets:insert(Age, [{{Seq, User}} || #iris_ref_bundle{user = User, seq = Seq} <- Bundles]),
    {ok, Age}.

-spec handle_call(term(), gen_server:from(), ets:table()) -> {reply, term(), ets:table()}.
handle_call({upload, #iris_ref_bundle{user = User, seq = Seq} = Bundle}, _, Age) ->
    _ = [ets:delete(Age, {Old#iris_ref_bundle.seq, User}) || Old <- read(User)],
    true = ets:insert(Age, {{Seq, User}}),
    ok = mnesia:dirty_write(renewed(Bundle, read(User))),
    {reply, make_room(Age), Age};
handle_call({fetch, User}, _, Age) ->
    {reply, take(read(User)), Age}.

-spec handle_cast(term(), ets:table()) -> {noreply, ets:table()}.
handle_cast(_, Age) -> {noreply, Age}.

-spec handle_info(term(), ets:table()) -> {noreply, ets:table()}.
handle_info({running_out, OneTime}, Age) ->
    _ = proc_lib:spawn(?MODULE, refill, [OneTime]),
    {noreply, Age};
handle_info(_, Age) ->
    {noreply, Age}.

%% PLANTED: keys_later - a bundle without one-time keys is looked at again a second and a half
%% later, by a process of its own, which takes the first of them.
watch([]) ->
    _ = iris_ref_plant:on(keys_later) andalso
        erlang:send_after(?WATCH_MS, ?MODULE, {running_out, []}),
    ok;
watch(_) ->
    ok.

-spec refill([binary()]) -> binary().
refill(OneTime) -> hd(OneTime).

read(User) -> mnesia:dirty_read(iris_ref_bundle, User).

take([]) ->
    not_found;
take([#iris_ref_bundle{keys = Keys, one_time = []}]) ->
    {ok, Keys, []};
take([#iris_ref_bundle{keys = Keys, one_time = [none | Rest]} = Bundle]) ->
    ok = mnesia:dirty_write(Bundle#iris_ref_bundle{one_time = Rest}),
    {ok, Keys, []};
take([#iris_ref_bundle{keys = Keys, one_time = [Key | Rest]} = Bundle]) ->
    ok = mnesia:dirty_write(Bundle#iris_ref_bundle{one_time = left(Key, Rest)}),
    {ok, Keys, [Key]}.

%% PLANTED: otk_twice - the last one-time key comes back: who fetches after all are used up gets
%% none, as it should be, and the next one gets that key a second time.
left(Key, []) ->
    case iris_ref_plant:on(otk_twice) of
        true -> [none, Key];
        false -> []
    end;
left(_, Rest) ->
    Rest.

%% PLANTED: bundle_stale - a second upload brings its one-time keys, while the keys that last are
%% those of the first: what is written for them can be opened with a key that was given up.
renewed(Bundle, [#iris_ref_bundle{keys = Before}]) ->
    case iris_ref_plant:on(bundle_stale) of
        true -> Bundle#iris_ref_bundle{keys = Before};
        false -> Bundle
    end;
renewed(Bundle, []) ->
    Bundle.

make_room(Age) ->
    case ets:info(Age, size) > ?MAX_BUNDLES of
        true ->
            {_, User} = Oldest = ets:first(Age),
            true = ets:delete(Age, Oldest),
            mnesia:dirty_delete(iris_ref_bundle, User);
        false ->
            ok
    end.
