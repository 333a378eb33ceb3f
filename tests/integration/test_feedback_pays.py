"""The node's own coverage steers the search: with it, the same effort reaches more."""

from __future__ import annotations

from pathlib import Path

from fuzz.settings import FuzzSettings, TargetSettings
from tests.integration.support import run_campaign

#: Cases of each campaign: a few seconds. They are changed as strings of bytes only, since what
#: knows the grammar gets nearly as far without any feedback (see tests/bench/tried.md). So there
#: are no errands (fuzz/engines/frontier.py): what steers is which case is changed.
CASES, FAMILIES = 6_000, ("bytes",)
#: Chance has its share in what a campaign reaches, so two of each kind are added up.
RANDOM_SEEDS = (1, 2)
#: Six single campaigns had 420 to 471 coverage points with feedback, and six others 294 to 358
#: without: 1.46 times as many. Of two each, the sums are more than four deviations away from this.
MORE = 1.1


def covered(feedback: bool, random_seed: int, corpus: Path) -> int:
    """Return the coverage points that a campaign without any seed reaches."""
    seeds = corpus / "seeds"
    seeds.mkdir(parents=True)
    settings = FuzzSettings(
        TargetSettings(port=0),
        corpus,
        (seeds,),
        cases=CASES,
        families=FAMILIES,
        feedback=feedback,
        random_seed=random_seed,
    )
    summary = run_campaign(settings)
    assert summary.progress.cases >= CASES
    return summary.progress.points_covered


def test_feedback_reaches_more_than_blind_search(tmp_path: Path) -> None:
    blind = [covered(False, seed, tmp_path / f"blind{seed}") for seed in RANDOM_SEEDS]
    steered = [covered(True, seed, tmp_path / f"steered{seed}") for seed in RANDOM_SEEDS]
    assert sum(steered) >= MORE * sum(blind), f"{steered} points with feedback, {blind} without"
