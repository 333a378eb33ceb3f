"""A campaign on a target without a defect finds nothing, and gets deep into it."""

from __future__ import annotations

from pathlib import Path

from fuzz.case import ALL_USER_TOKENS, Case, Step, StepKind
from fuzz.settings import FuzzSettings, TargetSettings
from tests.integration.support import SEEDS, run_campaign
from tests.planted.support import bench

CASES = 4_000
#: A full minute covers more than 70 % of these.
SHARE = 0.6
DEEP = ("iris_ref_proto", "iris_ref_session", "iris_ref_conn")


def test_a_clean_target_has_no_finding_and_is_covered(tmp_path: Path) -> None:
    target = TargetSettings(port=0)
    summary = run_campaign(FuzzSettings(target, tmp_path, (SEEDS,), cases=CASES))
    assert [seen.finding.title for seen in summary.findings.values()] == []
    assert not any((tmp_path / "crashes").iterdir())
    # A suspicion costs a fresh node, and that is all: a node that is full may raise one or two.
    assert summary.dismissed.total() <= 6
    assert summary.reason == "all cases are played"
    # Where nobody answered for a second, as on a machine that stood still, it is healed first.
    assert set(summary.recoveries) <= {"node", "application"}
    assert summary.recoveries["node"] == summary.dismissed.total()
    assert summary.progress.cases >= CASES
    shares = {module: covered / total for module, (covered, total) in summary.modules.items()}
    assert all(shares[module] > SHARE for module in DEEP), shares


def test_many_users_who_come_once_each_leave_nothing_behind() -> None:
    """A fresh node has room for whom it has seen: what fills up must not look like a leak."""
    crowd = [Step(StepKind.LOGIN, number, user) for number, user in enumerate(ALL_USER_TOKENS[:16])]
    with bench() as clean:
        assert clean.judge(Case(tuple(crowd))) == ()
