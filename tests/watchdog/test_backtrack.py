"""A late effect is put to the cases that cause it, as one case that shows it by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from fuzz.case import Case, StepKind
from fuzz.finding import Kind
from fuzz.observation import Observation
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.watchdog import Watchdog
from tests.oracles.evidence_support import STATEM
from tests.watchdog.fake_rig import FakeRig, case, reports

Effect = Callable[[FakeRig], Observation | None]

PLAIN = [case(f"plain{n}") for n in range(300)]


class LateRig(FakeRig):
    """A node whose timer, or counter, crashes a process some time after the case that set it.

    ``fires`` is the number of ``odd`` frames it takes, ``delay`` the seconds from the last;
    ``kinds`` is how many different ones must be among them.
    """

    def __init__(
        self, fires: int, delay: float, kinds: int = 1, words: Mapping[str, Effect] | None = None
    ) -> None:
        super().__init__(words or {})
        self.fires, self.delay, self.kinds = fires, delay, kinds
        self.odd: list[tuple[float, bytes]] = []
        self.target.on_wait = self._tick

    def _play(self, played: Case) -> object:  # type: ignore[override]
        self.clock.advance(0.001)
        for step in played.steps:
            if step.data.startswith(b"odd"):
                self.odd.append((self.clock.now(), step.data))
            if step.kind is StepKind.PAUSE:
                self.clock.advance(step.value / 1000)
        seen = super()._play(played)
        self._tick()
        return seen

    def _tick(self) -> None:
        enough = len(self.odd) >= self.fires
        kinds = len({data for _, data in self.odd})
        if enough and kinds >= self.kinds and self.clock.now() >= self.odd[-1][0] + self.delay:
            self.odd.clear()
            reports(STATEM)(self)

    def recover(self, fresh_node: bool = False) -> object:  # type: ignore[override]
        self.odd.clear()
        return super().recover(fresh_node)


def told_of(
    rig: LateRig, recent: list[Case], overdue: Callable[[], bool] = lambda: False
) -> tuple[list[Attributed], Investigator]:
    """Let the effect of ``recent`` show in a batch of innocents, and investigate that."""
    watchdog = Watchdog(rig.as_rig())
    investigator = Investigator(
        rig.as_rig(), watchdog, lambda _: False, lambda _: None, lambda: recent, overdue
    )
    watchdog.glance([])
    reports(STATEM)(rig)
    batch = PLAIN[:16]
    observations = rig.play(batch)
    glance = watchdog.glance(observations)
    assert glance.alarmed
    return list(investigator.investigate(batch, observations, glance)), investigator


def test_what_fell_upon_an_innocent_case_that_was_played_alone_is_traced_too() -> None:
    fallen: list[float] = []

    def once(at: FakeRig) -> Observation | None:
        if len(at.plays[-1][0]) > 1 or fallen:
            return None
        fallen.append(at.clock.now())
        return reports(STATEM)(at)

    recent = list(PLAIN)
    recent[40] = case("odd")
    found, _ = told_of(LateRig(1, 0.4, words={"plain5": once}), recent)
    innocent, unconfirmed, traced = found
    assert (innocent.case, innocent.reproduced) == (PLAIN[5], 1)
    assert (unconfirmed.reproduced, unconfirmed.confirms) == (0, True)
    assert (traced.reproduced, traced.plays, traced.confirms) == (3, 3, True)
    assert traced.case is not None
    assert any(step.data.startswith(b"odd") for step in traced.case.steps)


def test_the_search_ends_with_the_run() -> None:
    rig = LateRig(3, 0.0, kinds=3)
    recent = list(PLAIN)
    for number in range(3):
        recent[40 + 90 * number] = case("odd", str(number))
    enough = len(PLAIN)
    found, investigator = told_of(rig, recent, lambda: played_by(rig) > enough)
    assert [(one.reproduced, one.confirms) for one in found] == [(0, False)]
    assert played_by(rig) <= enough + 16
    assert investigator.lost is None


def played_by(rig: LateRig) -> int:
    """Return how many cases were played."""
    return sum(len(cases) for cases, _ in rig.plays)


@pytest.mark.parametrize(("fires", "delay"), [(1, 2.0), (1, 0.4), (3, 0.0), (2, 1.5)])
def test_the_cause_of_a_late_effect_is_found(fires: int, delay: float) -> None:
    rig = LateRig(fires, delay, kinds=fires)
    recent = list(PLAIN)
    for number in range(fires):
        recent[40 + 90 * number] = case("odd", str(number))
    found, _ = told_of(rig, recent)
    first, last = found[0], found[-1]
    assert (first.finding.kind, first.reproduced, first.confirms) == (Kind.PROCESS_CRASH, 0, False)
    assert (last.reproduced, last.plays, last.confirms) == (3, 3, True)
    assert last.case is not None
    sends = [step for step in last.case.steps if step.kind is StepKind.SEND]
    assert [step.data for step in sends] == [b"odd %d" % n for n in range(fires)]
    pause = sum(step.value for step in last.case.steps if step.kind is StepKind.PAUSE)
    assert pause >= delay * 1000


def test_what_builds_up_over_many_cases_is_one_of_them_several_times() -> None:
    rig = LateRig(fires=12, delay=0.5)
    recent = list(PLAIN)
    for number in range(14):
        recent[10 + 20 * number] = case("odd", str(number))
    found, _ = told_of(rig, recent)
    assert (found[-1].reproduced, found[-1].confirms) == (3, True)
    assert found[-1].case is not None
    sends = {step.data for step in found[-1].case.steps if step.kind is StepKind.SEND}
    assert len(sends) == 1
    assert len(found[-1].case.connections()) == 12


def test_what_no_earlier_case_causes_stays_as_it_was_told() -> None:
    rig = LateRig(fires=10_000, delay=0.0)
    found, _ = told_of(rig, list(PLAIN))
    assert [(one.reproduced, one.plays, one.confirms) for one in found] == [(0, 1, False)]


def test_a_search_is_made_once_for_each_finding() -> None:
    rig = LateRig(fires=10_000, delay=0.0)
    _, investigator = told_of(rig, list(PLAIN))
    made = investigator.replays
    reports(STATEM)(rig)
    watchdog = investigator._watchdog
    observations = rig.play(PLAIN[:16])
    list(investigator.investigate(PLAIN[:16], observations, watchdog.glance(observations)))
    assert investigator.replays - made <= 16 + 1
