"""The smallest case for each planted defect of the decoder, and what its finding must say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from fuzz.target.planted import REFERENCE_DECODER
from grammar import (
    BatchSend,
    E2eeMsg,
    FetchPrekeys,
    GroupLeave,
    GroupRoster,
    ReadReceipt,
    SendSeq,
    TypingStop,
    encode,
)

#: For each defect: the file in ``corpus/regressions``, the bytes, and of the finding the reason and
#: words of the title.
_DEFECTS: Mapping[str, tuple[str, bytes, str, str]] = {
    "decode_short": (
        "group-leave-last-byte-missing",
        encode(GroupLeave(b"g"))[:-1],
        "a frame in the place of more is needed: GROUP_LEAVE",
        "says of GROUP_LEAVE: a frame; the grammar says: more is needed",
    ),
    "decode_early": (
        "read-receipt-before-second-length",
        encode(ReadReceipt(b"", b""))[:-2],
        "an error in the place of more is needed: READ_RECEIPT",
        "says of READ_RECEIPT: an error; the grammar says: more is needed",
    ),
    "decode_greedy": (
        "typing-stop-and-a-byte",
        encode(TypingStop(b"")) + b"\x00",
        "a frame of more bytes in the place of a frame: TYPING_STOP",
        "says of TYPING_STOP: a frame of more bytes",
    ),
    "decode_empty": (
        "send-seq-empty-target",
        encode(SendSeq(b"", 0, b"")),
        "raised error:function_clause",
        "crashes with error:function_clause in iris_ref_miscut:first_byte/1 on SEND_SEQ",
    ),
    "decode_tag": (
        "group-roster-name-of-65-bytes",
        encode(GroupRoster(b"g" * 65)),
        "a frame GROUP_LEAVE in the place of a frame: GROUP_ROSTER",
        "says of GROUP_ROSTER: a frame GROUP_LEAVE",
    ),
    "decode_loops": (
        "batch-empty",
        encode(BatchSend(b"", ())),
        "looped in the place of a frame: BATCH_SEND",
        "does not return from BATCH_SEND",
    ),
    "decode_heap": (
        "e2ee-message-empty-header",
        encode(E2eeMsg(b"", b"", b"")),
        "killed in the place of a frame: E2EE_MSG",
        "ends its process on E2EE_MSG: killed",
    ),
    "decode_waits": (
        "opcode-08",
        b"\x08",
        "more is needed in the place of an error: an unknown opcode",
        "says of an unknown opcode: more is needed; the grammar says: an error",
    ),
    "decode_ascii": (
        "fetch-prekeys-name-not-ascii",
        encode(FetchPrekeys(b"\x80")),
        "an error in the place of a frame: FETCH_PREKEYS",
        "says of FETCH_PREKEYS: an error; the grammar says: a frame",
    ),
    "decode_later": (
        "reaction-32768-hearts",
        b"\x41\x02\xa7heart\x80\x00",
        "raised error:badarg",
        "crashes with error:badarg in erlang:element/2 on an unknown opcode",
    ),
}

#: For each defect, the name of its file in ``corpus/regressions`` and the case in it.
DECODER_CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {
        name: (
            file,
            Case((Step(StepKind.LOGIN, 0, USER_TOKENS[0]), Step(StepKind.SEND, 0, data))),
        )
        for name, (file, data, _, _) in _DEFECTS.items()
    }
)
#: What the finding must say: the reason, the origin, words of the title.
DECODER_EXPECTED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        name: (reason, str(REFERENCE_DECODER), says)
        for name, (_, _, reason, says) in _DEFECTS.items()
    }
)
