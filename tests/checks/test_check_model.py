"""The check ``model``: it finds what is wrong with a server that is up, and else nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, Case, Step, StepKind
from fuzz.checks import CHECKS, Ground, Trial
from fuzz.checks.model import MODEL, FoundError, Table, without_restarts
from fuzz.clock import Deadline, FakeClock
from fuzz.finding import Cause, Finding, Kind
from fuzz.triage.reduce import size_of
from grammar import Direction, Stream
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.support import bench
from tests.planted.triggers import CASES

#: Examples of a search: each of the defects below shows within a tenth of them.
_MOST = 600


def trials(*plants: str) -> Iterator[Trial]:
    """Yield the trials on a target with these defects, the same on each run."""
    with bench(*plants) as target:
        # It ends with the number of examples, and not by the clock.
        deadline = Deadline(FakeClock(), 1.0, "the end of a check")
        yield from islice(MODEL.run(Ground(target.rig, deadline, Random(1))), _MOST)


# Those of a restart take a minute, and are for `iris-fuzz planted run`.
@pytest.mark.parametrize("name", ["reordered", "offline_lost", "before_login"])
def test_a_defect_is_found_and_its_dialogue_is_small(name: str) -> None:
    # Some show in another way as well, which may come first.
    found = next(trial for trial in trials(name) if FINGERPRINTS[name] in fingerprints(trial))
    assert size_of(found.case).steps <= size_of(CASES[name][1]).steps + 2


def fingerprints(trial: Trial) -> set[str]:
    return {finding.fingerprint for finding in trial.findings}


@pytest.fixture(scope="module")
def clean() -> list[Trial]:
    return list(islice(trials(), 150))


def test_a_server_without_defects_is_told_nothing(clean: list[Trial]) -> None:
    assert [trial.findings for trial in clean] == [()] * len(clean)


def test_what_users_say_is_whole_and_speaks_of_what_they_know(clean: list[Trial]) -> None:
    cut = 0
    for trial in clean:
        streams: dict[int, Stream] = {}
        for place, step in enumerate(trial.case.steps):
            if step.kind is StepKind.SEND:
                stream = streams.setdefault(step.connection, Stream(Direction.CLIENT))
                stream.feed(step.data)
                assert stream.fault is None
            if GROUP_TOKEN in step.data or MSGID_TOKEN in step.data:
                assert Step(StepKind.WAIT) in trial.case.steps[:place] or place == 0
        cut += sum(stream.pending > 0 for stream in streams.values())
    assert cut > 0, "some users are cut off within a frame"


class Asked:
    """Stands in for a ground: each case is a crash but the ``innocent`` ones, and is counted."""

    def __init__(self, innocent: frozenset[Case] = frozenset()) -> None:
        self.asked = 0
        self._innocent = innocent

    def ask(self, name: str, case: Case) -> Trial:
        self.asked += 1
        if case in self._innocent:
            return Trial(name, case)
        finding = Finding(
            Kind.PROCESS_CRASH, "a crash", Cause("crash", case.steps[0].data.decode())
        )
        return Trial(name, case, (finding,))


def test_a_case_is_played_once_and_a_known_finding_is_passed_over() -> None:
    ground = Asked()
    table = Table(ground)  # type: ignore[arg-type]
    one, other = (Case((Step(StepKind.SEND, 0, data),)) for data in (b"one", b"other"))
    for _ in range(2):
        with pytest.raises(FoundError, match="a crash"):
            table.play(one)
    assert (ground.asked, len(table.trials)) == (1, 1)
    assert table.found is not None
    table.known.update(finding.fingerprint for finding in table.found.findings)
    table.clear()
    table.play(one)
    assert table.found is None
    with pytest.raises(FoundError):
        table.play(other)


def test_what_goes_wrong_without_a_restart_too_is_told_of_a_case_without_one() -> None:
    user, sends, again = (
        Step(StepKind.LOGIN, 0, b"one"),
        Step(StepKind.SEND, 1),
        Step(StepKind.LOGIN, 2),
    )
    case = Case((user, sends, Step(StepKind.RESTART), again))
    plain = Case((user, sends, Step(StepKind.HALF_CLOSE, 0), Step(StepKind.HALF_CLOSE, 1), again))
    assert without_restarts(case) == plain
    for innocent, told in ((frozenset(), plain), (frozenset({plain}), case)):
        table = Table(Asked(innocent))  # type: ignore[arg-type]
        with pytest.raises(FoundError):
            table.play(case)
        assert table.found is not None
        assert table.found.case == told


def test_it_is_one_of_the_checks() -> None:
    assert MODEL in CHECKS
