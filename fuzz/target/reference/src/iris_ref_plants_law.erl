%%% Planted defects after which all is up and well, and something false was said or done.
%%%
%%% See iris_ref_plant for what an entry holds. Most are carried out in iris_ref_lapse; each is
%%% marked `PLANTED: name' where it stands. Those with `auth' need clients that have to show a
%%% token: they switch auth_enabled on.
-module(iris_ref_plants_law).

-export([catalogue/0]).

-spec catalogue() -> [iris_ref_plant:entry()].
catalogue() ->
    delivery() ++ state() ++ groups() ++ limits() ++ auth() ++ replies().

delivery() ->
    [
        #{
            name => lost_in_batch,
            trigger => <<"second-batch">>,
            class => <<"a buffer that is not flushed">>,
            truth =>
                <<"From the second BATCH_SEND of a connection on, one that holds three or more "
                  "messages loses the last of them: it waits for a next batch to go out with.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => duplicate_seq,
            trigger => <<"same-number-twice">>,
            class => <<"a retransmission beside the original">>,
            truth =>
                <<"A SEND_SEQ with the same number as the one before it on its connection is "
                  "delivered twice, as two messages with two ids.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => reordered,
            trigger => <<"batch-behind-three-messages">>,
            class => <<"a queue that is filled from the wrong end">>,
            truth =>
                <<"A batch that reaches a client who has not acknowledged three or more earlier "
                  "messages is delivered backwards.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => wrong_user,
            trigger => <<"message-to-nobody-after-one">>,
            class => <<"a stale route">>,
            truth =>
                <<"A message to a user who is offline is delivered to the user to whom the "
                  "sender's connection wrote before.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => altered_bytes,
            trigger => <<"message-of-256-bytes">>,
            class => <<"a length kept in too few bits">>,
            truth =>
                <<"The text of a SEND_MESSAGE of 256 bytes or more arrives cut: its length "
                  "modulo 256 is what is left of it.">>,
            kind => semantic,
            connections => 2,
            frames => 1
        },
        #{
            name => cut_dependent,
            trigger => <<"cut-within-payload-length">>,
            class => <<"a partial header misread">>,
            truth =>
                <<"A BATCH_SEND, CBOR_MSG or SENDER_KEY_DIST whose length of four bytes TCP has "
                  "cut in two, the rest of the frame coming in one piece, is passed over in "
                  "silence.">>,
            kind => semantic,
            connections => 2,
            frames => 1
        },
        #{
            name => offline_lost,
            trigger => <<"two-stored-messages-unacknowledged">>,
            class => <<"deleted before it was acknowledged">>,
            truth =>
                <<"Two or more stored messages that are delivered at a login are deleted at "
                  "once, and not when they are acknowledged: a client that is cut off before "
                  "has lost them.">>,
            kind => semantic,
            connections => 3,
            frames => 2
        },
        #{
            name => ack_forgotten,
            trigger => <<"second-of-two-stored-acknowledged">>,
            class => <<"a watermark where a set is needed">>,
            truth =>
                <<"Of several stored messages that a login delivers, the ACK of any but the oldest "
                  "is forgotten: the message comes again at the next login.">>,
            kind => semantic,
            connections => 3,
            frames => 3
        }
    ].

state() ->
    [
        #{
            name => before_login,
            trigger => <<"message-before-login">>,
            class => <<"a check that is not made on every way in">>,
            truth =>
                <<"SEND_MESSAGE and SEND_SEQ are carried out before LOGIN: a stranger's message "
                  "is delivered.">>,
            kind => semantic,
            connections => 2,
            frames => 1
        },
        #{
            name => relogin_state,
            trigger => <<"message-to-who-has-logged-out">>,
            class => <<"state that survives a second login">>,
            truth =>
                <<"When the second LOGIN of a connection is another user's, the first user stays "
                  "listed with it until it ends: the status says online, and what is sent to "
                  "the first user arrives at the second.">>,
            kind => semantic,
            connections => 2,
            frames => 1
        },
        #{
            name => status_stale,
            trigger => <<"status-of-who-left-within-a-frame">>,
            class => <<"a clean-up that is left too early">>,
            truth =>
                <<"A user whose connection ends in the middle of a frame is said to be online "
                  "from then on.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => typing_forged,
            trigger => <<"typing-start-twice">>,
            class => <<"two fields of one type exchanged">>,
            truth =>
                <<"A TYPING_START that repeats the one before it, with no TYPING_STOP between "
                  "them, is relayed with the target's own name as that of the sender.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => otk_twice,
            trigger => <<"prekeys-fetched-beyond-their-end">>,
            class => <<"a list that starts over">>,
            truth =>
                <<"When the one-time keys of a bundle are used up, the first FETCH_PREKEYS gets "
                  "none, and the second gets the last key, which was handed out before.">>,
            kind => semantic,
            connections => 1,
            frames => 4
        },
        #{
            name => group_stranger,
            trigger => <<"group-message-after-leaving">>,
            class => <<"a permission that is remembered and not withdrawn">>,
            truth =>
                <<"A connection whose user has left a group may go on writing to it with "
                  "GROUP_MSG and SENDER_KEY_DIST.">>,
            kind => semantic,
            connections => 2,
            frames => 4
        }
    ].

groups() ->
    [
        #{
            name => group_absent,
            trigger => <<"group-message-to-who-is-away">>,
            class => <<"a queue that one way in does not use">>,
            truth =>
                <<"What is written to a group is not kept for members who are offline: they never "
                  "get it.">>,
            kind => semantic,
            connections => 3,
            frames => 3
        },
        #{
            name => group_cached,
            trigger => <<"group-message-to-who-has-left">>,
            class => <<"a cache that nobody tells">>,
            truth =>
                <<"From the second write of a connection to a group on, it goes to those who were "
                  "members at the first: who has left since goes on reading.">>,
            kind => semantic,
            connections => 2,
            frames => 5
        },
        #{
            name => roster_short,
            trigger => <<"group-roster-of-three">>,
            class => <<"an off-by-one at the end of a list">>,
            truth => <<"The roster of a group of three or more leaves out who joined last.">>,
            kind => semantic,
            connections => 3,
            frames => 4
        },
        #{
            name => bundle_stale,
            trigger => <<"prekeys-uploaded-twice">>,
            class => <<"an update that writes half of the row">>,
            truth =>
                <<"A second UPLOAD_PREKEYS brings its one-time keys only: a fetch gets the identity "
                  "key and the signed key of the first.">>,
            kind => semantic,
            connections => 1,
            frames => 3
        }
    ].

limits() ->
    [
        #{
            name => bucket_off_by_one,
            trigger => <<"batch-of-a-full-bucket">>,
            class => <<"an off-by-one at a limit">>,
            truth =>
                <<"The bucket of the rate limiter holds 499 tokens: the 500th message of a burst "
                  "is refused.">>,
            kind => semantic,
            connections => 1,
            frames => 1
        },
        #{
            name => batch_unmetered,
            trigger => <<"batches-of-two-buckets">>,
            class => <<"a limit that counts the wrong thing">>,
            truth =>
                <<"A BATCH_SEND costs one token of the rate limiter, however many messages it "
                  "holds.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => rate_per_connection,
            trigger => <<"bursts-on-two-connections">>,
            class => <<"a limit kept in the wrong place">>,
            truth =>
                <<"The bucket of the rate limiter is the connection's and not the user's: "
                  "who comes on two connections sends twice as much.">>,
            kind => semantic,
            connections => 3,
            frames => 2
        },
        #{
            name => login_refills,
            trigger => <<"bursts-before-and-after-login">>,
            class => <<"state that starts over">>,
            truth =>
                <<"A LOGIN fills the bucket of its user: who logs in again may send another "
                  "burst.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => bucket_shared,
            trigger => <<"bursts-of-two-users">>,
            class => <<"a key that is cut short">>,
            truth =>
                <<"The bucket of the rate limiter goes by the last four bytes of a name: "
                  "users whose names end alike share one, and one is refused for what "
                  "another sent.">>,
            kind => semantic,
            connections => 2,
            frames => 2,
            check => rate
        },
        #{
            name => retry_zero,
            trigger => <<"burst-and-the-wait-it-is-told">>,
            class => <<"a wrong unit">>,
            truth =>
                <<"The frame that refuses a message tells the wait in seconds and not in "
                  "milliseconds: 0.">>,
            kind => semantic,
            connections => 1,
            frames => 1
        },
        #{
            name => refill_slow,
            trigger => <<"burst-and-a-pause">>,
            class => <<"a rate that is off by a factor">>,
            truth => <<"The bucket of the rate limiter is refilled with 10 tokens a second.">>,
            kind => semantic,
            connections => 3,
            frames => 2,
            check => rate
        },
        #{
            name => refill_fast,
            trigger => <<"bursts-and-a-pause-between">>,
            class => <<"a rate that is off by a factor">>,
            truth =>
                <<"The bucket of the rate limiter is refilled with 1,000 tokens a second.">>,
            kind => semantic,
            connections => 2,
            frames => 2
        },
        #{
            name => refused_delivered,
            trigger => <<"burst-refused-and-delivered">>,
            class => <<"a check whose answer is not used">>,
            truth => <<"A message beyond the rate limit is refused, and delivered.">>,
            kind => semantic,
            connections => 2,
            frames => 1
        },
        #{
            name => refused_silent,
            trigger => <<"bursts-refused-without-a-word">>,
            class => <<"an error that is swallowed">>,
            truth => <<"A message beyond the rate limit is dropped and nobody is told.">>,
            kind => semantic,
            connections => 3,
            frames => 2
        },
        #{
            name => refused_counted,
            trigger => <<"burst-refused-and-a-pause">>,
            class => <<"a limit that counts what it refuses">>,
            truth =>
                <<"What the rate limiter refuses is charged all the same: who goes on "
                  "sending is refused far longer.">>,
            kind => semantic,
            connections => 3,
            frames => 3,
            check => rate
        }
    ].

auth() ->
    [
        #{
            name => alg_none,
            trigger => <<"token-unsigned">>,
            class => <<"a token that chooses its own check">>,
            truth =>
                <<"A token whose header says alg none is accepted, whatever its signature.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => token_expired,
            trigger => <<"token-expired">>,
            class => <<"a claim that is not checked">>,
            truth => <<"A token whose exp has passed is accepted.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => token_subject,
            trigger => <<"token-of-another-user">>,
            class => <<"a claim that is not checked">>,
            truth =>
                <<"A good token lets in whoever shows it: sub is not compared with the user that "
                  "logs in.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => alg_other,
            trigger => <<"token-of-hs384">>,
            class => <<"a token that chooses its own check">>,
            truth =>
                <<"A token whose header says HS384 or HS512 is accepted, if its signature "
                  "is of that kind.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => signature_optional,
            trigger => <<"token-stripped">>,
            class => <<"a check of what is there only">>,
            truth => <<"A token whose signature is empty is accepted.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => header_key,
            trigger => <<"token-with-its-own-key">>,
            class => <<"a token that chooses its own check">>,
            truth =>
                <<"A token that has a key in the member jwk of its header is checked with "
                  "that key.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => kid_unknown,
            trigger => <<"token-of-an-unknown-key">>,
            class => <<"a default that is no secret">>,
            truth =>
                <<"The key of a token is looked up by the member kid of its header, and one "
                  "that is not known is the empty key.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => exp_text,
            trigger => <<"token-that-expires-in-words">>,
            class => <<"a comparison of two types">>,
            truth => <<"A token whose exp is a text, and not a number, never expires.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => nbf_ignored,
            trigger => <<"token-of-later">>,
            class => <<"a claim that is not checked">>,
            truth => <<"A token is accepted before its nbf has come.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => token_revoked,
            trigger => <<"token-revoked">>,
            class => <<"an answer that is not used">>,
            truth => <<"A token whose jti was revoked is accepted.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        },
        #{
            name => token_replayed,
            trigger => <<"token-shown-again-when-expired">>,
            class => <<"a cache that does not expire">>,
            truth =>
                <<"The credentials with which a connection has logged in are accepted again "
                  "on it, also when the token has expired meanwhile.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true,
            check => tokens
        },
        #{
            name => jti_refused,
            trigger => <<"token-with-a-jti">>,
            class => <<"an answer taken for its value">>,
            truth => <<"A good token that has a jti is refused.">>,
            kind => semantic,
            connections => 1,
            frames => 1,
            auth => true
        }
    ].

replies() ->
    [
        #{
            name => reply_length,
            trigger => <<"get-status-of-128-bytes">>,
            class => <<"a signed number where there is none">>,
            truth =>
                <<"The STATUS_RESPONSE for a name of 128 bytes or more has a length modulo 128: "
                  "the client loses its place in the stream.">>,
            kind => conformance,
            connections => 1,
            frames => 1
        },
        #{
            name => reply_opcode,
            trigger => <<"group-roster-of-no-group">>,
            class => <<"a wrong constant">>,
            truth =>
                <<"The error that answers a GROUP_ROSTER for no group of the user's has the "
                  "reserved opcode 34 in the place of FE.">>,
            kind => conformance,
            connections => 1,
            frames => 1
        },
        #{
            name => deprecated_told,
            trigger => <<"message-of-an-old-client">>,
            class => <<"a warning where clients know refusals only">>,
            truth =>
                <<"A SEND_MESSAGE is delivered, and its sender gets an ERROR that calls it "
                  "deprecated: a client of protocol v0.x takes its message for refused.">>,
            kind => conformance,
            connections => 1,
            frames => 1,
            check => golden
        },
        #{
            name => receipt_id_cut,
            trigger => <<"read-receipt-of-a-message">>,
            class => <<"a field that has become too small">>,
            truth =>
                <<"The msg_id of a READ_RECEIPT is relayed cut to eight bytes: the sender of the "
                  "message cannot tell which of its messages was read.">>,
            kind => conformance,
            connections => 2,
            frames => 2,
            check => golden
        }
    ].
