"""The node's own coverage steers the search: with it, the same effort reaches more."""

from __future__ import annotations

from pathlib import Path

from fuzz.settings import FuzzSettings, TargetSettings
from tests.integration.support import run_campaign

#: Cases of each campaign: a few seconds. The dialogues that the mutator makes up get far without
#: any feedback, and after ten times as many cases little is left that blind search did not reach.
CASES = 2_500
#: Chance has its share in what a campaign reaches, so four of each kind are added up: of some
#: twenty campaigns one gets stuck twenty or thirty points below the others.
RANDOM_SEEDS = (1, 2, 3, 4)
#: Coverage points, of some 780 that blind search reaches in each campaign. Seven pairs of single
#: campaigns in a row had 11 to 25 more with feedback, 17 on the mean.
MARGIN = 3


def covered(feedback: bool, random_seed: int, corpus: Path) -> int:
    """Return the coverage points that a campaign without any seed reaches."""
    seeds = corpus / "seeds"
    seeds.mkdir(parents=True)
    settings = FuzzSettings(
        TargetSettings(port=0),
        corpus,
        (seeds,),
        cases=CASES,
        feedback=feedback,
        random_seed=random_seed,
    )
    summary = run_campaign(settings)
    assert summary.progress.cases >= CASES
    return summary.progress.points_covered


def test_feedback_reaches_more_than_blind_search(tmp_path: Path) -> None:
    blind = [covered(False, seed, tmp_path / f"blind{seed}") for seed in RANDOM_SEEDS]
    steered = [covered(True, seed, tmp_path / f"steered{seed}") for seed in RANDOM_SEEDS]
    assert sum(steered) >= sum(blind) + MARGIN, f"{steered} points with feedback, {blind} without"
