"""The check ``storm``: silent on the clean target, and each planted defect for its reason."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fuzz import descriptors
from fuzz.checks import CHECKS, Trial, check_named, ground_of
from fuzz.checks.storm import ONE_CLIENT, storm
from fuzz.clock import SystemClock
from fuzz.evidence import Pulse
from fuzz.executor.endpoint import CONFIRMING
from fuzz.finding import STORM, Finding, Kind
from fuzz.rig import Rig
from fuzz.target import EmbeddedTarget
from fuzz.target.planted import planted_defects
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.storm_expectations import STORM_EXPECTED

#: Half as many again as the planted defects take for a crowd.
CLIENTS = 300


@contextmanager
def rig_of(*plants: str, auth: bool = False) -> Iterator[Rig]:
    options = {"auth_enabled": "true"} if auth else {}
    rig = Rig(EmbeddedTarget(0, plants, options), SystemClock())
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()


def trials(rig: Rig, clients: int = CLIENTS) -> list[Trial]:
    check = check_named("storm")
    return list(check.run(ground_of(check, rig, 60.0, 1, clients)))


def findings(made: list[Trial]) -> list[Finding]:
    return [finding for trial in made for finding in trial.findings]


@pytest.mark.parametrize("auth", [False, True])
def test_on_a_clean_target_all_are_served_and_nothing_stays(auth: bool) -> None:
    with rig_of(auth=auth) as rig:
        made = trials(rig)
        assert [finding.title for finding in findings(made)] == []
        assert [trial.name for trial in made] == ["one storm", "more of the same users"]
        assert made[0].note.startswith("300 came within ")
        assert made[1].note.count("300 came back within ") >= 2
        assert made[1].note.count("(75 had been written to)") >= 2
        assert rig.recoveries == 0
        assert rig.bystanders_well(CONFIRMING)


@pytest.mark.parametrize("name", sorted(STORM_EXPECTED))
def test_a_planted_defect_is_found_for_its_reason(name: str) -> None:
    (kind,) = (Kind(defect.kind) for defect in planted_defects() if defect.name == name)
    what, reason, says = STORM_EXPECTED[name]
    with rig_of(name) as rig:
        made = trials(rig)
        (finding,) = findings(made)
        assert (finding.kind, finding.cause.what, finding.cause.reason) == (kind, what, reason)
        assert says in finding.title
        assert finding.fingerprint == FINGERPRINTS[name], finding.cause
        told = finding.evidence[STORM]
        assert isinstance(told, dict)
        assert told["clients"] == CLIENTS
        assert made[-1].case == ONE_CLIENT
        # The target is well again.
        assert rig.pulse(CONFIRMING.reply) is Pulse.WELL


@pytest.mark.parametrize("name", sorted(STORM_EXPECTED))
def test_a_smaller_crowd_does_not_set_a_planted_defect_off(name: str) -> None:
    with rig_of(name) as rig:
        assert findings(trials(rig, clients=100)) == []


def test_the_catalogue_names_the_check_of_each() -> None:
    assert {d.name for d in planted_defects() if d.check == "storm"} == set(STORM_EXPECTED)
    assert {check.name for check in CHECKS} >= {"storm"}


def test_a_crowd_that_this_machine_has_no_room_for_is_smaller_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fuzz.checks.storm.open_files", lambda: 220)
    with rig_of() as rig:
        check = check_named("storm")
        first = next(iter(storm(ground_of(check, rig, 60.0, 1, clients=50))))
    assert first.findings == ()
    assert first.note.startswith(
        "20 clients in the place of 50, since a process here may have 220 files open"
    )
    assert "20 came within" in first.note


def test_the_limit_on_open_files_is_raised_to_the_hard_one_and_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = [(100, 5_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, pair: limits.append(pair))
    assert descriptors.open_files() == 5_000
    assert limits[-1] == (5_000, 5_000)
    limits.append((1_024, resource.RLIM_INFINITY))
    assert descriptors.open_files() == 65_536
    assert limits[-1] == (65_536, resource.RLIM_INFINITY)
    limits.append((1 << 30, 1 << 30))
    assert descriptors.open_files() == 65_536
    assert limits[-1] == (1 << 30, 1 << 30)
