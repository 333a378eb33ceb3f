"""The smallest case, written by hand, that trips each planted defect that breaks a law."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, USER_TOKENS, Case, Step, StepKind
from fuzz.replies import Expectation, Heard, Reply
from grammar import (
    Ack,
    BatchSend,
    CborMsg,
    ClientFrame,
    FetchPrekeys,
    GetStatus,
    GroupCreate,
    GroupLeave,
    GroupMsg,
    GroupRoster,
    ReadReceipt,
    SendMessage,
    SendSeq,
    TypingStart,
    UploadPrekeys,
    cbor,
    encode,
)
from grammar.limits import RATE_BURST

A, B, C, D = USER_TOKENS[:4]

_WAIT = Step(StepKind.WAIT)
_RESTART = Step(StepKind.RESTART)
_BUNDLE = cbor.dumps(
    {
        "identity_key": b"i" * 32,
        "signed_prekey": b"s" * 32,
        "signed_prekey_signature": b"s" * 64,
        "one_time_prekeys": [b"o" * 32],
    }
)
_OTHER_BUNDLE = cbor.dumps(
    {
        "identity_key": b"j" * 32,
        "signed_prekey": b"s" * 32,
        "signed_prekey_signature": b"t" * 64,
    }
)
_EMPTY_MAP = cbor.dumps({})
_CBOR_MSG = encode(CborMsg(B, _EMPTY_MAP))
#: Behind opcode, counted target and one of the four bytes of a length.
_CUT = 1 + 2 + len(B) + 1


#: More than half a bucket.
_MORE = RATE_BURST * 3 // 4


def _login(user: bytes, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def _send(*frames: ClientFrame, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, b"".join(map(encode, frames)))


def _token(kind: bytes) -> Step:
    """Return a login of the first user with a token of a kind."""
    return _login(A + b":<jwt:" + kind + b":" + A + b">")


def _batch(count: int, target: bytes = B, connection: int = 0) -> Step:
    return _send(BatchSend(target, (b"",) * count), connection=connection)


def _pause(milliseconds: int) -> Step:
    return Step(StepKind.PAUSE, value=milliseconds)


def _end(connection: int) -> Step:
    return Step(StepKind.HALF_CLOSE, connection)


#: A sender, and the user it sends to.
_BOTH = (_login(A), _login(B, 1))
#: A group of the first user that the second one has joined.
_GROUP_OF_TWO = (
    _login(A),
    _send(GroupCreate(b"g")),
    _login(B, 1),
    _WAIT,
    _send(GroupCreate(GROUP_TOKEN), connection=1),
)

_STEPS: Mapping[str, tuple[str, tuple[Step, ...]]] = {
    "lost_in_batch": (
        "second-batch",
        (*_BOTH, _send(BatchSend(B, (b"1", b"2", b"3")), BatchSend(B, (b"4", b"5", b"6")))),
    ),
    "duplicate_seq": (
        "same-number-twice",
        (*_BOTH, _send(SendSeq(B, 1, b"1"), SendSeq(B, 1, b"2"))),
    ),
    "reordered": (
        "batch-behind-three-messages",
        (*_BOTH, _send(BatchSend(B, (b"1", b"2", b"3")), BatchSend(B, (b"4", b"5")))),
    ),
    "wrong_user": (
        "message-to-nobody-after-one",
        (*_BOTH, _send(SendMessage(B, b"1"), SendMessage(C, b"2"))),
    ),
    "altered_bytes": (
        "message-of-256-bytes",
        (*_BOTH, _send(SendMessage(B, b"m" * 256))),
    ),
    "cut_dependent": (
        "cut-within-payload-length",
        (
            *_BOTH,
            Step(StepKind.SEND, 0, _CBOR_MSG[:_CUT]),
            Step(StepKind.SEND, 0, _CBOR_MSG[_CUT:]),
        ),
    ),
    "offline_lost": (
        "two-stored-messages-unacknowledged",
        (
            _login(A),
            _send(SendMessage(B, b"1"), SendMessage(B, b"2")),
            _login(B, 1),
            _end(1),
            _login(B, 2),
        ),
    ),
    "before_login": (
        "message-before-login",
        (_login(B, 1), _send(SendMessage(B, b"1"))),
    ),
    "relogin_state": (
        "message-to-who-has-logged-out",
        (_login(A), _login(B), _login(C, 1), _send(SendMessage(A, b"1"), connection=1)),
    ),
    "status_stale": (
        "status-of-who-left-within-a-frame",
        (
            _login(A),
            Step(StepKind.SEND, 0, encode(GetStatus(A))[:1]),
            _end(0),
            _send(GetStatus(A), connection=1),
        ),
    ),
    "typing_forged": (
        "typing-start-twice",
        (*_BOTH, _send(TypingStart(B), TypingStart(B))),
    ),
    "otk_twice": (
        "prekeys-fetched-beyond-their-end",
        (_login(A), _send(UploadPrekeys(_BUNDLE), *[FetchPrekeys(A)] * 3)),
    ),
    "group_stranger": (
        "group-message-after-leaving",
        (
            _login(A),
            _send(GroupCreate(b"g")),
            _login(B, 1),
            _WAIT,
            _send(
                GroupCreate(GROUP_TOKEN),
                GroupLeave(GROUP_TOKEN),
                GroupMsg(GROUP_TOKEN, _EMPTY_MAP, b"1"),
                connection=1,
            ),
        ),
    ),
    "ack_forgotten": (
        "second-of-two-stored-acknowledged",
        (
            _login(A),
            _send(SendMessage(B, b"1"), SendMessage(B, b"2")),
            _login(B, 1),
            _WAIT,
            _send(Ack(MSGID_TOKEN), connection=1),
            _end(1),
            _login(B, 2),
        ),
    ),
    "group_absent": (
        "group-message-to-who-is-away",
        (
            *_GROUP_OF_TWO,
            _end(1),
            _send(GroupMsg(GROUP_TOKEN, _EMPTY_MAP, b"1")),
            _login(B, 2),
        ),
    ),
    "group_cached": (
        "group-message-to-who-has-left",
        (
            *_GROUP_OF_TWO,
            _send(GroupMsg(GROUP_TOKEN, _EMPTY_MAP, b"1")),
            _send(GroupLeave(GROUP_TOKEN), connection=1),
            _send(GroupMsg(GROUP_TOKEN, _EMPTY_MAP, b"2")),
        ),
    ),
    "roster_short": (
        "group-roster-of-three",
        (
            *_GROUP_OF_TWO,
            _login(C, 2),
            _send(GroupCreate(GROUP_TOKEN), connection=2),
            _send(GroupRoster(GROUP_TOKEN)),
        ),
    ),
    "bundle_stale": (
        "prekeys-uploaded-twice",
        (
            _login(A),
            _send(UploadPrekeys(_BUNDLE), UploadPrekeys(_OTHER_BUNDLE), FetchPrekeys(A)),
        ),
    ),
    "restart_forgets": (
        "message-stored-over-a-restart",
        (_login(A), _send(SendMessage(B, b"1")), _RESTART, _login(B, 1)),
    ),
    "restart_replays": (
        "message-acknowledged-before-a-restart",
        (
            _login(A),
            _send(SendMessage(B, b"1")),
            _login(B, 1),
            _WAIT,
            _send(Ack(MSGID_TOKEN), connection=1),
            _RESTART,
            _login(B, 2),
        ),
    ),
    "bucket_off_by_one": (
        "batch-of-a-full-bucket",
        (_login(A), _send(BatchSend(B, (b"",) * RATE_BURST))),
    ),
    "batch_unmetered": (
        "batches-of-two-buckets",
        (*_BOTH, _send(*[BatchSend(B, (b"",) * RATE_BURST)] * 2)),
    ),
    # Each is within a bucket, and both together are not.
    "rate_per_connection": (
        "bursts-on-two-connections",
        (*_BOTH, _login(A, 2), _batch(_MORE), _batch(_MORE, connection=2)),
    ),
    "login_refills": (
        "bursts-before-and-after-login",
        (*_BOTH, _batch(_MORE), _login(A), _batch(_MORE)),
    ),
    # What comes in until the second user's turn is far less than half a bucket.
    "bucket_shared": (
        "bursts-of-two-users",
        (*_BOTH, _batch(RATE_BURST, C), _batch(RATE_BURST // 2, C, 1)),
    ),
    # A batch is charged as a whole: nothing comes in between its messages.
    "retry_zero": ("burst-and-the-wait-it-is-told", (_login(A), _batch(RATE_BURST + 1))),
    "refill_slow": (
        "burst-and-a-pause",
        (*_BOTH, _login(C, 2), _batch(RATE_BURST), _pause(2_000), _batch(150, C)),
    ),
    "refill_fast": (
        "bursts-and-a-pause-between",
        (*_BOTH, _batch(RATE_BURST), _pause(1_200), _batch(RATE_BURST)),
    ),
    "refused_delivered": ("burst-refused-and-delivered", (*_BOTH, _batch(RATE_BURST + 1))),
    "refused_silent": (
        "bursts-refused-without-a-word",
        (*_BOTH, _login(C, 2), _batch(_MORE), _batch(_MORE, C)),
    ),
    # What is refused would take five seconds.
    "refused_counted": (
        "burst-refused-and-a-pause",
        (
            *_BOTH,
            _login(D, 2),
            _batch(RATE_BURST),
            _batch(RATE_BURST, C),
            _pause(2_000),
            _batch(10, D),
        ),
    ),
    "alg_none": ("token-unsigned", (_token(b"none"),)),
    "token_expired": ("token-expired", (_token(b"expired"),)),
    "token_subject": ("token-of-another-user", (_login(A + b":<jwt:good:" + B + b">"),)),
    "alg_other": ("token-of-hs384", (_token(b"hs384"),)),
    "signature_optional": ("token-stripped", (_token(b"stripped"),)),
    "header_key": ("token-with-its-own-key", (_token(b"jwk"),)),
    "kid_unknown": ("token-of-an-unknown-key", (_token(b"kidpath"),)),
    "exp_text": ("token-that-expires-in-words", (_token(b"expword"),)),
    "nbf_ignored": ("token-of-later", (_token(b"early"),)),
    "token_revoked": ("token-revoked", (_token(b"revoked"),)),
    # It lives for three seconds, and clocks may differ by five.
    "token_replayed": (
        "token-shown-again-when-expired",
        (_token(b"brief"), *[_pause(2_000)] * 4, _pause(1_000), _token(b"brief")),
    ),
    "jti_refused": ("token-with-a-jti", (_token(b"goodjti"),)),
    "reply_length": ("get-status-of-128-bytes", (_send(GetStatus(b"u" * 128)),)),
    "reply_opcode": ("group-roster-of-no-group", (_login(A), _send(GroupRoster(b"g")))),
    "deprecated_told": ("message-of-an-old-client", (_login(A), _send(SendMessage(B, b"1")))),
    "receipt_id_cut": (
        "read-receipt-of-a-message",
        (
            *_BOTH,
            _send(SendMessage(B, b"1")),
            _WAIT,
            _send(ReadReceipt(MSGID_TOKEN, A), connection=1),
        ),
    ),
}

_LOGIN_OK = Reply("LOGIN_OK")
_RELAY = Reply("READ_RECEIPT_RELAY", (("msg_id", "<msgid:1>"), ("reader", B.decode())))
#: What clients are to hear where only one who was tried against it knows: golden cases.
_HEARD: Mapping[str, tuple[Heard, ...]] = {
    "deprecated_told": (Heard(0, (_LOGIN_OK,)),),
    "receipt_id_cut": (Heard(0, (_LOGIN_OK, _RELAY)),),
}


def _case(name: str, file: str, steps: tuple[Step, ...]) -> Case:
    heard = _HEARD.get(name)
    return Case(steps, expects=Expectation(file, heard) if heard else None)


#: For each defect, the name of its file in ``corpus/regressions`` and the case in it.
LAW_CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {name: (file, _case(name, file, steps)) for name, (file, steps) in _STEPS.items()}
)
