"""A decoder is looked for, and asked for what a case sends."""

from __future__ import annotations

import pytest

from fuzz.case import Case, Step, StepKind
from fuzz.decoding import Decoder, Ended, Outcome, Shape
from fuzz.errors import SettingsError
from fuzz.finding import Cause, Kind
from fuzz.oracles.decoder import DECODER
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.decoding import find
from fuzz.watchdog.watchdog import Watchdog
from grammar import GetStatus, encode
from tests.watchdog.fake_rig import FakeRig

NAMED = Decoder("iris", "decode")
STATUS = encode(GetStatus(b"bob"))
CAUSE = Cause(DECODER, "", str(NAMED))


def rig_with(text: str, *values: int) -> FakeRig:
    """Return a rig with a decoder that always returns the same."""
    rig = FakeRig({})
    assert rig.agent is not None
    outcome = Outcome(Shape(Ended.RETURNED, text, len(values)), values)
    rig.agent.decoders[NAMED] = lambda _: (outcome, b"")
    return rig


def judge(rig: FakeRig, case: Case, **known: object) -> list[Kind]:
    """Return the kinds of what the decoder shows."""
    investigator = Investigator(rig.as_rig(), Watchdog(rig.as_rig()))
    return [found.kind for found in investigator.judge_as(case, CAUSE, known)]


def test_each_segment_is_handed_to_the_decoder_by_itself() -> None:
    sends = (Step(StepKind.SEND, 0, data) for data in (STATUS, STATUS[:-1]))
    case = Case((Step(StepKind.LOGIN, 0, b"<user:A>"), *sends))
    assert judge(rig_with("more"), case) == [Kind.CONFORMANCE]
    rig = rig_with("{ok,frame,<binary>}", 0)
    assert judge(rig, case) == [Kind.CONFORMANCE]
    assert rig.calls == []  # no client plays


def test_what_an_answer_means_is_kept_with_the_finding() -> None:
    case = Case((Step(StepKind.SEND, 0, STATUS),))
    rig = rig_with("{frame,<number>}", 6)
    with pytest.raises(SettingsError, match="no pattern fits"):
        judge(rig, case)
    assert judge(rig, case, meaning={"frame": "{frame, Size}"}) == []
    assert judge(rig, case, meaning={"need_more": "{frame, _}"}) == [Kind.CONFORMANCE]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("iris:decode/1", ""),
        ("iris:encode/1", "iris exports no function encode; try iris:decode/1"),
        ("irs:decode/1", "the node has no module irs; try iris:decode/1"),
    ],
)
def test_a_decoder_that_is_not_there_is_told(name: str, says: str) -> None:
    module, _, function = name.removesuffix("/1").partition(":")
    rig = rig_with("more").as_rig()
    if not says:
        find(rig, Decoder(module, function))
        return
    with pytest.raises(SettingsError) as told:
        find(rig, Decoder(module, function))
    assert str(told.value) == says


def test_a_target_without_an_agent_has_no_decoder_to_call() -> None:
    rig = FakeRig({})
    rig.agent = None
    with pytest.raises(SettingsError, match="seen from outside only"):
        find(rig.as_rig(), NAMED)
