"""Two workers, each at an embedded target of its own, find a planted defect once."""

from __future__ import annotations

import shutil
from pathlib import Path

from fuzz.finding import Kind
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.store.corpus import load_seeds
from fuzz.store.journal import Journal, journal_of
from fuzz.store.sidecar import read_sidecar
from tests.integration.support import ROOT, SEEDS, kinds_of, run_campaign

PLANT = "crash_alone"
#: What shows it is a seed, so that both come across it at the same time.
TRIGGER = ROOT / "corpus" / "regressions" / "reserved-opcode-34"
CASES = 300


def test_two_workers_find_a_defect_once_and_their_totals_add_up(tmp_path: Path) -> None:
    near = tmp_path / "near"
    near.mkdir()
    for seed in (SEEDS / "op-70-typing-start", TRIGGER):
        shutil.copy(seed, near)
    target = TargetSettings(port=0, plants=(PLANT,))
    with Journal.open(journal_of(tmp_path / "journal", 2)) as journal:
        # A third worker was killed.
        journal.begin([data for _, data in load_seeds((near,)).seeds])
    summary = run_campaign(
        FuzzSettings(target, tmp_path, (near,), cases=CASES, random_seed=1, jobs=2)
    )
    assert summary.reason == "all cases are played"
    assert summary.progress.cases >= CASES
    assert kinds_of(summary) == [Kind.PROCESS_CRASH.value]
    (seen,) = summary.findings.values()
    sidecar = read_sidecar(Path(seen.path))
    assert sidecar is not None
    assert (sidecar.hits, seen.new) == (seen.hits, True)
    assert len(list((tmp_path / "crashes").iterdir())) == 2
    # What one has covered is told of each module, and counted once.
    covered = sum(hit for hit, _ in summary.modules.values())
    assert (covered, summary.progress.points_total) == (
        summary.progress.points_covered,
        sum(size for _, size in summary.modules.values()),
    )
    assert len(list((tmp_path / "evolved").iterdir())) <= summary.progress.corpus
    assert summary.started is not None
    assert summary.started.workers == 2
    told = "worker 1: 2 cases were not judged when the last run ended: they come first"
    assert told in summary.started.notes
    assert not journal_of(tmp_path / "journal", 2).exists()
    for number in range(2):
        with Journal.open(journal_of(tmp_path / "journal", number)) as journal:
            assert journal.unjudged() == []
            assert journal.tail(CASES), "each has played"
