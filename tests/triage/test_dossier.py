"""What an examination keeps: chance, the evidence of the small case, and what it has so far."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fuzz.errors import AgentError, TargetError
from fuzz.finding import Kind
from fuzz.observation import Observation
from fuzz.report.finding import as_markdown
from fuzz.rig import Recovery
from fuzz.triage.dossier import Dossier, Examiner
from fuzz.triage.judge import SEEN_ONCE, TargetLostError
from fuzz.triage.reduce import Budget
from tests.oracles.evidence_support import STATEM, observed
from tests.watchdog.fake_rig import FakeRig, case, reports, stops_application

NOISE = case("flaky", "and", "much", "else")
BUDGET = Budget(plays=2_000)


def by_chance(rig: FakeRig) -> None:
    """Crash in two of three plays."""
    if len(rig.plays) % 3:
        reports(STATEM)(rig)


def says_what_was_sent(rig: FakeRig) -> None:
    (played,), _ = rig.plays[-1]
    reports(replace(STATEM, text=f"got {played.steps[-1].data!r}"))(rig)


def gone(fresh_node: bool = False) -> Recovery:
    raise TargetError("it serves nobody any more")


def attached(**words: object) -> FakeRig:
    """Return a rig whose target cannot be brought back."""
    rig = FakeRig(words)  # type: ignore[arg-type]
    rig.target.restartable = False
    rig.recover = gone  # type: ignore[method-assign]
    return rig


def examined(rig: FakeRig) -> Dossier:
    examiner = Examiner(rig.as_rig(), BUDGET)
    return examiner.examine(NOISE, examiner.findings(NOISE)[0])


def test_what_shows_by_chance_is_made_small_and_varied_all_the_same() -> None:
    known = examined(FakeRig({"flaky": by_chance}))
    assert known.confidence.by_chance
    assert known.minimised.shown
    assert known.case == case("flaky")
    assert "did not show" not in known.needed()


def test_a_finding_that_is_known_to_show_is_waited_for() -> None:
    quiet = FakeRig({})
    Examiner(quiet.as_rig(), BUDGET).findings(NOISE)
    later = len(quiet.plays) + 3
    rig = FakeRig({"flaky": lambda rig: reports(STATEM)(rig) if len(rig.plays) >= later else None})
    wanted = examined(FakeRig({"flaky": reports(STATEM)})).finding.cause
    found = Examiner(rig.as_rig(), BUDGET).findings(NOISE, wanted)
    assert [one.cause for one in found] == [wanted]


def test_log_and_evidence_are_those_of_the_smallest_case() -> None:
    known = examined(FakeRig({"flaky": says_what_was_sent}))
    told = as_markdown(known, "iris-fuzz replay case")
    assert "got b'flaky'" in told
    assert "much" not in told


def test_an_effect_that_came_by_chance_is_told_beside_what_the_smallest_case_shows() -> None:
    rig = FakeRig({"flaky": reports(STATEM)})
    examiner = Examiner(rig.as_rig(), BUDGET)
    (crash,) = examiner.findings(NOISE)
    worse = replace(crash, kind=Kind.LISTENER_RESTART)
    known = examiner.examine(NOISE, worse)
    assert (known.finding.kind, known.shown.kind) == (Kind.LISTENER_RESTART, Kind.PROCESS_CRASH)
    assert "process_crash: the effect on others comes by chance" in as_markdown(known, "replay")


def test_a_target_that_is_gone_leaves_what_was_seen_once() -> None:
    rig = attached(flaky=stops_application)
    with pytest.raises(TargetLostError) as lost:
        Examiner(rig.as_rig(), BUDGET).findings(NOISE)
    assert [found.kind for found in lost.value.findings] == [Kind.APP_DOWN]
    assert len(rig.plays) == 1


def test_a_target_that_is_lost_on_the_way_leaves_the_finding_and_what_ended_it() -> None:
    def crashes_and_stops(rig: FakeRig) -> Observation:
        reports(STATEM)(rig)
        return stops_application(rig) if len(rig.plays) > 8 else observed()

    rig = attached(flaky=crashes_and_stops)
    known = examined(rig)
    assert isinstance(known.failure, TargetLostError)
    assert len(rig.plays) == 9
    assert (known.confidence, known.needed()) == (SEEN_ONCE, "the case was not varied")
    assert known.case == known.failure.case


def test_an_error_on_the_way_keeps_what_was_known() -> None:
    rig = FakeRig({"flaky": reports(STATEM)})
    examiner = Examiner(rig.as_rig(), BUDGET)
    (finding,) = examiner.findings(NOISE)

    def breaks(fresh_node: bool = False) -> Recovery:
        raise AgentError("the agent stopped answering")

    rig.recover = breaks  # type: ignore[method-assign]
    known = examiner.examine(NOISE, finding)
    assert (known.finding, known.case, known.confidence) == (finding, NOISE, SEEN_ONCE)
    assert "the agent stopped answering" in as_markdown(known, "replay")
