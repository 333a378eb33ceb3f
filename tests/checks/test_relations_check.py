"""The check of relations on a real node: it finds its defects for their reason, and only them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from fuzz.case import encode_case
from fuzz.checks import Terms, Trial, check_named, ground_of
from fuzz.finding import Finding
from fuzz.rig import Rig
from fuzz.store.crashes import Context, CrashStore
from fuzz.target.planted import planted_defects
from fuzz.triage.dossier import Examiner
from fuzz.triage.judge import RigJudge
from fuzz.triage.reduce import Budget, size_of
from fuzz.triage.replay import Replayer, Verdict
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.relation_triggers import RELATION_CASES
from tests.planted.support import bench

#: The seeds that are settled, and some dialogues: each is asked for four relations, which takes
#: some four hundred plays.
ASKED = 110
#: No machine comes near it.
SECONDS = 3_600.0
SEED = 4
REGRESSIONS = Path(__file__).parents[2] / "corpus" / "regressions"
PLANTS = sorted(RELATION_CASES)


@pytest.fixture(scope="module")
def clean() -> Iterator[Rig]:
    with bench() as made:
        yield made.rig


def asked(rig: Rig) -> Iterator[Trial]:
    check = check_named("relations")
    return check.run(ground_of(check, rig, Terms(SECONDS, SEED)))


def test_the_catalogue_says_which_defects_are_for_this_check() -> None:
    mine = {defect.name for defect in planted_defects() if defect.engine == "check:relations"}
    assert mine == set(PLANTS)


def test_a_correct_server_breaks_no_relation(clean: Rig) -> None:
    trials = list(islice(asked(clean), ASKED))
    assert len(trials) == ASKED
    wrong = [(trial.name, [f.title for f in trial.findings]) for trial in trials if trial.findings]
    assert wrong == []
    assert clean.recoveries == 0


@pytest.mark.parametrize("name", PLANTS)
def test_each_defect_is_found_and_replays_and_is_gone_without_it(
    name: str, clean: Rig, tmp_path: Path
) -> None:
    with bench(name) as planted:
        # A case of which nothing is known is played by itself: no law speaks, nor another oracle.
        file = REGRESSIONS / RELATION_CASES[name][0]
        assert Replayer(planted.rig).replay(file, 2).verdict is Verdict.FIXED
        trial, finding = _found(planted.rig, FINGERPRINTS[name])
        assert finding.evidence["shown"] == "4 of 4 pairs of plays"
        context = Context("embedded", "25", (name,))
        saved = CrashStore(tmp_path).save(encode_case(trial.case), finding, context)
        result = Replayer(planted.rig).replay(saved.path, 2)
        assert (result.verdict, result.shown) == (Verdict.FAILED, 2), result
        assert [one.fingerprint for one in result.findings] == [FINGERPRINTS[name]]
    assert Replayer(clean).replay(saved.path, 2).verdict is Verdict.FIXED


def _found(rig: Rig, fingerprint: str) -> tuple[Trial, Finding]:
    """Return the first trial that shows a finding, of as many as are made of a correct server."""
    trials = 0
    for trial in islice(asked(rig), ASKED):
        trials += 1
        for finding in trial.findings:
            assert finding.cause.what == "relation", finding
            if finding.fingerprint == fingerprint:
                return trial, finding
    raise AssertionError(f"not found in {trials} trials")


def test_a_case_is_made_small_and_keeps_its_finding() -> None:
    with bench("notice_cut") as planted:
        trial, finding = _found(planted.rig, FINGERPRINTS["notice_cut"])
        examiner = Examiner(planted.rig, Budget(seconds=SECONDS))
        assert finding.fingerprint in {
            one.fingerprint for one in examiner.findings(trial.case, finding.cause)
        }
        known = examiner.minimise(trial.case, finding)
        assert known.failure is None
        assert known.shown.fingerprint == finding.fingerprint
        assert RigJudge(planted.rig, finding).shows(known.case)
        small, by_hand = size_of(known.case), size_of(RELATION_CASES["notice_cut"][1])
        assert (small.connections, small.steps) <= (by_hand.connections, by_hand.steps)
