"""A campaign on a target without a defect finds nothing, and gets deep into it."""

from __future__ import annotations

from pathlib import Path

from fuzz.settings import FuzzSettings, TargetSettings
from tests.integration.support import SEEDS, run_campaign

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
    fresh = {"node": summary.dismissed.total()} if summary.dismissed else {}
    assert (summary.reason, dict(summary.recoveries)) == ("all cases are played", fresh)
    assert summary.progress.cases >= CASES
    shares = {module: covered / total for module, (covered, total) in summary.modules.items()}
    assert all(shares[module] > SHARE for module in DEEP), shares
