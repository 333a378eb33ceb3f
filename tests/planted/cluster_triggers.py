"""The smallest case, written by hand, for each planted defect that only a cluster shows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fuzz.case import USER_TOKENS, Case, Step, StepKind, opening
from grammar import BatchSend, FetchPrekeys, GroupCreate, SendMessage, encode
from grammar.limits import RATE_BURST

A, B = USER_TOKENS[:2]

_HERE = Step(StepKind.LOGIN, 0, A)
_ON_ANOTHER_EDGE = (opening(1, edge=1), Step(StepKind.LOGIN, 1, B))


def _shown(connection: int) -> Step:
    """Return a login with a token that is issued when it is shown first."""
    return Step(StepKind.LOGIN, connection, A + b":<jwt:good:" + A + b">")


#: Within a bucket; two of them are not.
_BATCH = encode(BatchSend(B, (b"",) * (RATE_BURST - 100)))

#: For each defect, the name of its file and the case in it.
CLUSTER_CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {
        "edge_drops_empty": (
            "empty-message-to-another-edge",
            Case((_HERE, *_ON_ANOTHER_EDGE, Step(StepKind.SEND, 0, encode(SendMessage(B, b""))))),
        ),
        "bucket_per_edge": (
            "bursts-on-two-edges",
            Case(
                (
                    _HERE,
                    *_ON_ANOTHER_EDGE,
                    opening(2, edge=1),
                    Step(StepKind.LOGIN, 2, A),
                    *(Step(StepKind.SEND, number, _BATCH) for number in (0, 2)),
                )
            ),
        ),
        # The first edge is ahead, the second behind: it is shown the token within a second.
        "iat_ahead": (
            "token-issued-just-now",
            Case((_shown(0), opening(1, edge=1), _shown(1))),
        ),
        "core_halts": (
            "fetch-prekeys-of-oneself",
            Case((_HERE, Step(StepKind.SEND, 0, encode(FetchPrekeys(A))))),
        ),
        "core_crashes": (
            "group-create-name-not-utf8",
            Case((_HERE, Step(StepKind.SEND, 0, encode(GroupCreate(b"\xff"))))),
        ),
    }
)
