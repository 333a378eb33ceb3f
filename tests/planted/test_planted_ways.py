"""A defect has one fingerprint, in whichever way it came up first; and so in a whole campaign."""

from __future__ import annotations

import pytest

from fuzz.case import USER_TOKENS, Case, Step, StepKind, opening
from fuzz.triage.dossier import Examiner
from fuzz.triage.reduce import Budget
from grammar import (
    BatchSend,
    CborMsg,
    ClientFrame,
    GetStatus,
    GroupRoster,
    SendMessage,
    cbor,
    encode,
)
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.support import bench
from tests.planted.triggers import CASES

A, B, C = USER_TOKENS[:3]


def login(user: bytes, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def send(*frames: ClientFrame, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, b"".join(map(encode, frames)))


def cut(step: Step, at: int) -> tuple[Step, Step]:
    first, second = step.data[:at], step.data[at:]
    return Step(step.kind, step.connection, first), Step(step.kind, step.connection, second)


BATCHES = send(BatchSend(B, (b"1", b"2", b"3")), BatchSend(B, (b"4", b"5", b"6")))
WITHIN_LENGTH = cut(send(CborMsg(B, cbor.dumps({}))), 1 + 2 + len(B) + 1)

#: A defect, how it came up, and what is said of that at first.
WAYS = [
    ("lost_in_batch", (login(A), BATCHES, login(B, 1)), "to a user who is offline"),
    (
        "lost_in_batch",
        (login(A), login(B, 1), *cut(BATCHES, len(BATCHES.data) - 2)),
        "to a user who is online: a frame that was cut by TCP",
    ),
    (
        "lost_in_batch",
        (login(A), login(B, 1), BATCHES, Step(StepKind.RESET, 1), login(B, 2)),
        "that was not acknowledged",
    ),
    (
        "lost_in_batch",
        (
            login(A),
            send(BatchSend(b"a", (b"",)), BatchSend(A, (b"1", b"2", b"3"))),
            Step(StepKind.RESET, 0),
            login(A, 1),
        ),
        "that was not acknowledged",
    ),
    ("cut_dependent", (login(A), *WITHIN_LENGTH, login(B, 1)), "to a user who is offline"),
    (
        "wrong_user",
        (
            login(C, 1),
            login(B, 1),
            login(A),
            send(SendMessage(B, b"1"), SendMessage(C, b"2")),
        ),
        "",
    ),
    (
        "reply_opcode",
        (login(A), send(GetStatus(B), GroupRoster(b"no such group"))),
        "StatusResponse",
    ),
]


@pytest.mark.parametrize(("defect", "steps", "reason"), WAYS)
def test_a_defect_comes_down_to_its_one_fingerprint(
    defect: str, steps: tuple[Step, ...], reason: str
) -> None:
    with bench(defect) as planted:
        examiner = Examiner(planted.rig, Budget())
        (first,) = examiner.findings(Case(steps))
        assert first.cause.reason == reason
        assert first.fingerprint != FINGERPRINTS[defect]
        case, plain = examiner.plainest(Case(steps), first)
        assert plain.fingerprint == FINGERPRINTS[defect]
        assert plain in examiner.findings(case)


def test_a_message_that_another_edge_drops_is_one_whichever_frame_it_was_in() -> None:
    steps = (
        opening(1, edge=1),
        login(A),
        login(B, 1),
        send(BatchSend(B, (b"1", b""))),
    )
    with bench("edge_drops_empty", edges=2) as planted:
        examiner = Examiner(planted.rig, Budget())
        (first,) = examiner.findings(Case(steps))
        assert first.fingerprint == FINGERPRINTS["lost_in_batch"]
        _, plain = examiner.plainest(Case(steps), first)
        assert plain.fingerprint == FINGERPRINTS["edge_drops_empty"]


@pytest.mark.parametrize(
    "defect", ["offline_lost", "relogin_state", "restart_forgets", "reply_length"]
)
def test_what_takes_that_way_keeps_it(defect: str) -> None:
    case = CASES[defect][1]
    with bench(defect) as planted:
        examiner = Examiner(planted.rig, Budget())
        (finding,) = examiner.findings(case)
        assert examiner.plainest(case, finding) == (case, finding)
        assert finding.fingerprint == FINGERPRINTS[defect]
