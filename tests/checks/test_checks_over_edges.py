"""Checks on a cluster: users are on different edges, and what breaks only there is found."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from fuzz.checks import Check, Ground, model
from fuzz.checks.model import MODEL
from fuzz.checks.rate import RATE
from fuzz.clock import Deadline, FakeClock
from fuzz.finding import Finding
from fuzz.triage.reduce import Budget
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.support import bench

#: Examples, or questions, among which a defect must show.
_MOST = 200


def found(check: Check, plant: str) -> tuple[tuple[Finding, ...], str]:
    """Return the first findings of ``check``, and what was asked then."""
    with bench(plant, edges=2) as planted:
        deadline = Deadline.after(FakeClock(), 1.0, "the check")  # which never is over
        trials = islice(check.run(Ground(planted.rig, deadline, Random(1))), _MOST)
        for trial in trials:
            if trial.findings:
                return trial.findings, trial.name
    return (), ""


def test_the_model_has_users_on_different_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    # That it is made small is asked elsewhere, on one node.
    monkeypatch.setattr(model, "_BUDGET", Budget(plays=1, seconds=60.0))
    findings, _ = found(MODEL, "edge_drops_empty")
    assert {finding.cause.what for finding in findings} == {"lost"}
    # On another edge, or away: what waited for them crosses too.
    assert all(finding.cause.reason.startswith("to a user") for finding in findings)


def test_a_bucket_of_each_edge_is_found() -> None:
    (finding,), question = found(RATE, "bucket_per_edge")
    assert finding.fingerprint == FINGERPRINTS["bucket_per_edge"]
    assert question == "two edges share a bucket"
