"""The smallest dialogue for each planted defect that shows only beside another play of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from grammar import ClientFrame, TypingStart, TypingStop, UploadPrekeys, cbor, encode

A, B = USER_TOKENS[:2]


def _login(user: bytes, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def _send(frame: ClientFrame) -> Step:
    return Step(StepKind.SEND, 0, encode(frame))


def _bundle(*one_time: bytes) -> bytes:
    return cbor.dumps(
        {
            "identity_key": b"i" * 32,
            "signed_prekey": b"s" * 32,
            "signed_prekey_signature": b"s" * 64,
            "one_time_prekeys": one_time,
        }
    )


_STEPS: Mapping[str, tuple[str, tuple[Step, ...]]] = {
    "notice_cut": (
        "typing-start-whole",
        (_login(A), _login(B, 1), _send(TypingStart(B))),
    ),
    "key_spent": (
        "upload-prekeys-one-key",
        (_login(A), _send(UploadPrekeys(_bundle(b"o" * 32)))),
    ),
    "typist_shared": (
        "typing-start-and-stop",
        (_login(A), _login(B, 1), _send(TypingStart(B)), _send(TypingStop(B))),
    ),
    "every_other": (
        "upload-prekeys-no-key",
        (_login(A), _send(UploadPrekeys(_bundle()))),
    ),
}

#: For each defect, the name of its file in ``corpus/regressions`` and the case in it.
RELATION_CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {name: (file, Case(steps)) for name, (file, steps) in _STEPS.items()}
)
