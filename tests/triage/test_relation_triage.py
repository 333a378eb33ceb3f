"""A finding of a relation is asked for by its relation: in replay, judge and examiner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fuzz.case import USER_TOKENS, Case, Step, StepKind, encode_case
from fuzz.finding import Cause, Finding, Kind
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.store.crashes import Context, CrashStore
from fuzz.triage.dossier import Examiner
from fuzz.triage.judge import RigJudge
from fuzz.triage.reduce import Budget
from fuzz.triage.replay import Replayed, Replayer, Verdict
from grammar import TypingRelay, encode
from tests.watchdog.fake_rig import FakeRig

A = USER_TOKENS[0]
DIALOGUE = Case((Step(StepKind.LOGIN, 0, A), Step(StepKind.WAIT)))
BROKEN = Cause("relation", "stranger: TYPING_RELAY: another number of them")
FOUND = Finding(Kind.SEMANTIC, "it makes a difference", BROKEN)


def hears(count: int) -> Callable[[FakeRig], Observation]:
    data = encode(TypingRelay(b"ann", 1)) * count
    return lambda _rig: Observation((ConnectionTrace(0, Ending.CLOSED, (data,), left=9),), 0.01)


def broken() -> FakeRig:
    """A server that tells one notice more while a stranger is there."""
    return FakeRig({A.decode(): hears(1), "<user:s>": hears(2)})


def sound() -> FakeRig:
    return FakeRig({A.decode(): hears(1)})


def replayed(rig: FakeRig, folder: Path, finding: Finding = FOUND) -> Replayed:
    context = Context("fake", "25")
    path = CrashStore(folder).save(encode_case(DIALOGUE), finding, context).path
    return Replayer(rig.as_rig()).replay(path, 2)


def test_a_replay_derives_the_variants_again(tmp_path: Path) -> None:
    result = replayed(broken(), tmp_path)
    assert (result.verdict, result.shown, result.plays) == (Verdict.FAILED, 2, 2)
    assert [found.cause for found in result.findings] == [BROKEN]


def test_a_relation_that_holds_is_fixed(tmp_path: Path) -> None:
    assert replayed(sound(), tmp_path).verdict is Verdict.FIXED


def test_a_relation_of_another_harness_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    other = Finding(Kind.SEMANTIC, "it makes a difference", Cause("relation", "mirror: whatever"))
    result = replayed(broken(), tmp_path, other)
    assert (result.verdict, result.plays) == (Verdict.ERROR, 0)
    assert result.note == "this harness knows no relation 'mirror'"


def test_a_judge_asks_for_the_relation_of_its_finding_only() -> None:
    assert RigJudge(broken().as_rig(), FOUND).shows(DIALOGUE)
    assert not RigJudge(sound().as_rig(), FOUND).shows(DIALOGUE)
    recut = Finding(Kind.SEMANTIC, "", Cause("relation", "recut: TYPING_RELAY: another number"))
    assert not RigJudge(broken().as_rig(), recut).shows(DIALOGUE)


def test_an_examiner_is_told_what_to_ask_for_and_makes_the_dialogue_small() -> None:
    budget = Budget(seconds=1e9)
    assert Examiner(broken().as_rig(), budget).findings(DIALOGUE) == ()
    examiner = Examiner(broken().as_rig(), budget)
    (found,) = examiner.findings(DIALOGUE, BROKEN)
    known = examiner.minimise(DIALOGUE, found)
    assert (known.shown.cause, known.failure) == (BROKEN, None)
    assert known.case == Case(DIALOGUE.steps[:1])
