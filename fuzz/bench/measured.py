"""A campaign that is measured: its rate and its cost between two moments, and its memory.

It is a campaign as any other, in a worker of its own that libFuzzer drives, with coverage, watchdog
and laws; only that its seeds are made here, and that it is stopped when enough was seen. Its
start, and the playing of its seeds one by one, are not measured.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from fuzz.bench.parts import MakeCampaign
from fuzz.campaign import Campaign
from fuzz.case import Case, StepKind, decode_case, encode_case
from fuzz.errors import TargetError
from fuzz.events import Progress
from fuzz.scratch import scratch_prefix
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.store.journal import Journal
from grammar import Direction, frame_bounds

#: Families of mutations that know the grammar and leave the steps of a case as they are.
SHAPELY = ("fields", "items")
#: Cases after the seeds that are not measured, at least: what is new to a campaign comes at its
#: beginning, and is played again one by one.
WARM_CASES = 500
#: By then a campaign has played its seeds, on the busiest machine.
PATIENCE_SECONDS = 300.0
#: Within so much a cost counts as flat.
FLAT = 1.1
#: Cases whose shape is looked at.
_TAIL = 1024
_EMBEDDED = TargetSettings(port=0)
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Used:
    """The ``memory`` of all workers in MiB; the processor time of these, and of their ``nodes``."""

    memory: float
    workers: float
    nodes: float

    @property
    def processor(self) -> float:
        """Return the processor time of all."""
        return self.workers + self.nodes


@dataclass(frozen=True, slots=True)
class Sample:
    """What a campaign had done and used at a moment."""

    progress: Progress
    used: Used


@dataclass(frozen=True, slots=True)
class Stretch:
    """Judged ``cases`` in so many ``seconds``, and how much was played besides them.

    ``frames`` and ``connections`` are those of a case on the mean, ``memory`` is that of the worker
    in MiB at the end, and ``points`` how many coverage points there are. ``processor`` are the
    seconds that worker and node have computed, ``node`` those of the node.
    """

    cases: int
    seconds: float
    replays: int
    frames: float = 0.0
    connections: float = 0.0
    memory: float = 0.0
    points: int = 0
    processor: float = 0.0
    node: float = 0.0

    @property
    def rate(self) -> float:
        """Return judged cases a second."""
        return self.cases / self.seconds

    @property
    def cost(self) -> float:
        """Return the processor seconds that a judged case takes."""
        return self.processor / self.cases

    @property
    def node_cost(self) -> float:
        """Return the processor seconds that the node alone takes for a judged case."""
        return self.node / self.cases


def between(first: Sample, last: Sample) -> Stretch:
    """Return what was done from one moment to another; raise :class:`TargetError` if nothing."""
    a, b = first.progress, last.progress
    if b.cases <= a.cases or b.seconds <= a.seconds:
        raise TargetError(
            f"the campaign judged no case between {a.seconds:.1f} s and {b.seconds:.1f} s of its "
            "time: the machine is too busy for this, or the time too short"
        )
    if last.used.processor <= first.used.processor:
        raise TargetError("the processor time of the campaign's worker and node cannot be seen")
    return Stretch(
        b.cases - a.cases,
        b.seconds - a.seconds,
        b.replays - a.replays,
        memory=last.used.memory,
        points=b.points_total,
        processor=last.used.processor - first.used.processor,
        node=last.used.nodes - first.used.nodes,
    )


def watch(
    cases: Iterable[Case],
    warm: float,
    seconds: float,
    make_campaign: MakeCampaign,
    target: TargetSettings = _EMBEDDED,
    families: Sequence[str] = SHAPELY,
    workers: int = 1,
) -> tuple[list[Sample], tuple[float, float]]:
    """Return samples of ``seconds`` of a campaign, and frames and connections a case.

    The first is taken when the seeds ``cases`` and :data:`WARM_CASES` more were played by each of
    the ``workers``, and ``warm`` seconds have gone by since. Raises :class:`TargetError` if that
    takes too long.
    """
    with tempfile.TemporaryDirectory(prefix=scratch_prefix("bench")) as folder:
        corpus, seeds = Path(folder, "corpus"), Path(folder, "seeds")
        seeds.mkdir()
        number = 0
        for number, case in enumerate(cases, 1):
            (seeds / f"{number:06}").write_bytes(encode_case(case))
        settings = FuzzSettings(
            target=target,
            corpus=corpus,
            seeds=(seeds,),
            seconds=PATIENCE_SECONDS + warm + seconds,
            families=tuple(families),
            jobs=workers,
        )
        begun = workers * (number + WARM_CASES)
        samples = _samples(make_campaign(settings), begun, warm, seconds)
        return samples, _shape(corpus / "journal")


def _samples(campaign: Campaign, cases: int, warm: float, seconds: float) -> list[Sample]:
    samples: list[Sample] = []
    last, begin = Progress(0, 0.0, 0, 0, 0, 0, 0, 0.0), math.inf
    with closing(campaign.events()) as events:
        for event in events:
            if not isinstance(event, Progress):
                continue
            last = event
            if event.cases >= cases:
                begin = min(begin, event.seconds + warm)
            if event.seconds >= begin:
                samples.append(Sample(event, used()))
                if event.seconds >= begin + seconds and len(samples) > 1:
                    campaign.stop()
                    return samples
    raise TargetError(
        f"waited in vain for {warm + seconds:.0f} s of a campaign after its first {cases} cases: "
        f"it ended after {last.seconds:.0f} s with {last.cases}"
    )


def steady(
    cases: Iterable[Case],
    warm: float,
    seconds: float,
    make_campaign: MakeCampaign,
    target: TargetSettings = _EMBEDDED,
    workers: int = 1,
) -> Stretch:
    """Return what a campaign does in ``seconds`` once it is warm; see :func:`watch`."""
    samples, (frames, connections) = watch(
        cases, warm, seconds, make_campaign, target, workers=workers
    )
    whole = between(samples[0], samples[-1])
    return replace(whole, frames=frames, connections=connections)


def used() -> Used:
    """Return what the running campaign uses; 0 of what cannot be seen, since it has just ended."""
    memory = workers = nodes = 0.0
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            # Others of ours are helpers of multiprocessing.
            if "--multiprocessing-fork" in child.cmdline():
                memory += child.memory_info().rss / _MEBIBYTE
                own = child.cpu_times()
                workers += own.user + own.system
                # A node that has ended is counted with its parent from then on.
                nodes += own.children_user + own.children_system
                nodes += sum(map(_processor, child.children(recursive=True)))
    return Used(memory, workers, nodes)


def _processor(process: psutil.Process) -> float:
    """Return the processor seconds of a process and of those of its children that have ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0  # it has ended just now, and is counted with its parent from now on
    return float(times.user + times.system + times.children_user + times.children_system)


def _shape(journal: Path) -> tuple[float, float]:
    """Return frames and connections of a case, on the mean of those that were played last."""
    if not journal.is_dir():
        return 0.0, 0.0
    opened = Journal.open(journal)
    try:
        cases = [decode_case(data) for data in opened.tail(_TAIL)]
    finally:
        opened.close()
    sent = [step.data for case in cases for step in case.steps if step.kind is StepKind.SEND]
    frames = sum(len(frame_bounds(data, Direction.CLIENT)) for data in sent)
    connections = sum(len(case.connections()) for case in cases)
    return frames / max(1, len(cases)), connections / max(1, len(cases))
