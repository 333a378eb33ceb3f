"""What the finding of each planted defect that breaks a law must say: the law, and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Cause and reason, and words of the title.
LAW_EXPECTED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "lost_in_batch": (
            "lost", "to a user who is online: BATCH_SEND", "accepted and never delivered",
        ),
        "duplicate_seq": ("duplicated", "", "more often than it was sent"),
        "reordered": ("reordered", "", "in another order than they were sent"),
        "wrong_user": ("invented", "another user", "is for another user"),
        "altered_bytes": ("invented", "altered", "differs from what was sent"),
        "cut_dependent": (
            "lost",
            "to a user who is online: a frame that was cut by TCP",
            "accepted and never delivered",
        ),
        "offline_lost": (
            "lost", "that was not acknowledged", "accepted and never delivered",
        ),
        "before_login": ("invented", "before login", "its sender sent before LOGIN"),
        "relogin_state": ("misrouted", "", "its user had logged out of"),
        "status_stale": ("status", "online", "says online of a user who is not"),
        "typing_forged": ("relay", "TYPING_RELAY", "names a user who sent none"),
        "otk_twice": ("one-time key", "", "handed out more often than it was published"),
        "group_stranger": ("group", "written by one who has left", "one who has left it wrote"),
        "ack_forgotten": ("returned", "", "came again though it was acknowledged"),
        "group_absent": (
            "group", "lost to a member who is offline", "never came to a member",
        ),
        "group_cached": ("group", "read by one who has left", "was read by one who has left"),
        "roster_short": ("roster", "leaves out a member of the group", "leaves out a member"),
        "bundle_stale": ("bundle", "not the last", "other keys than its user has uploaded last"),
        "restart_forgets": (
            "lost", "to a user who is offline: over a restart", "never delivered over a restart",
        ),
        "restart_replays": ("returned", "over a restart", "came again over a restart"),
        "bucket_off_by_one": ("rate", "too early", "500 messages were too many"),
        "batch_unmetered": ("rate", "not limited", "was let through"),
        "rate_per_connection": ("rate", "per connection", "a burst on each connection"),
        "login_refills": ("rate", "per login", "a burst after each login"),
        "bucket_shared": ("rate", "shared", "refused for what another user sent"),
        "retry_zero": ("rate", "no wait", "with a wait of 0 ms"),
        "refill_slow": ("rate", "refill too slow", "where there were tokens for 150"),
        "refill_fast": ("rate", "refill too fast", "full again too soon"),
        "refused_delivered": ("rate", "refused and delivered", "delivered all the same"),
        "refused_silent": ("rate", "not told", "their sender was not told"),
        "refused_counted": ("rate", "refused ones counted", "where there were tokens for 10"),
        "alg_none": ("auth", "alg none", "that it is not signed"),
        "token_expired": ("auth", "expired", "has expired"),
        "token_subject": ("auth", "sub", "belongs to another user"),
        "alg_other": ("auth", "other alg", "of another algorithm than HS256"),
        "signature_optional": ("auth", "no signature", "is not signed"),
        "header_key": ("auth", "header key", "with a key of its own header"),
        "kid_unknown": ("auth", "empty key", "with an empty key"),
        "exp_text": ("auth", "no exp", "does not say when it expires"),
        "nbf_ignored": ("auth", "nbf", "is not good yet"),
        "token_revoked": ("auth", "revoked", "was revoked"),
        "token_replayed": ("auth", "expired meanwhile", "has expired since it was good"),
        "jti_refused": ("auth", "good refused", "though its token is good"),
        "reply_length": ("conformance", "StatusResponse", "behind StatusResponse"),
        "reply_opcode": ("conformance", "LoginOk", "behind LoginOk"),
        "deprecated_told": (
            "golden", "ERROR is added", "message-of-an-old-client, is not answered as it was",
        ),
        "receipt_id_cut": (
            "golden", "READ_RECEIPT_RELAY.msg_id", "read-receipt-of-a-message, is not answered as",
        ),
    }
)  # fmt: skip
