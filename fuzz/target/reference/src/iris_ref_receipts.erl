%%% Should store receipts for senders who are offline. A helper of the planted defect
%%% `mailbox_stuck': it waits for a message that nobody sends, and takes no other.
-module(iris_ref_receipts).

-export([start_link/0, store/2]).
-export([init/0]).

-spec start_link() -> {ok, pid()}.
start_link() ->
    proc_lib:start_link(?MODULE, init, []).

-spec store(binary(), binary()) -> ok.
store(MsgId, Sender) ->
    ?MODULE ! {receipt, MsgId, Sender},
    ok.

-spec init() -> ok.
init() ->
    true = register(?MODULE, self()),
    proc_lib:init_ack({ok, self()}),
    receive
        {sender_is_back, _} -> ok
    end.
