"""What several workers have done, as if it were one: each defect, point and case counts once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from fuzz.campaign.seat import Seat, added, check_alike, highest
from fuzz.events import Charted, Covered, Ended, Found, Progress, Refined, Started
from fuzz.finding import Finding
from fuzz.store.crashes import SavedFinding


@dataclass(slots=True)
class _Told:
    finding: Finding
    path: str
    rate: float


class Totals:
    """The totals of the workers that sit on ``seats``.

    ``before`` are the fingerprints that were known before the run. With one seat, all is as its
    worker tells it.
    """

    def __init__(self, seats: list[Seat], before: frozenset[str]) -> None:
        self._seats = seats
        self._before = before
        self._alone = len(seats) == 1
        self._started: dict[Seat, Started] = {}
        self._untold: set[Seat] = set()
        self._begun = False
        #: The points of the target, and those that were covered, as far as that was not told yet.
        self._chart: Charted | None = None
        self._charted = False
        self._fresh: dict[str, list[int]] = {}
        self._covered: dict[str, set[int]] = {}
        self._told: dict[str, _Told] = {}
        self._ended: list[Ended] = []
        self._reason = ""

    # The start of a run is told once all workers have started, or before the first finding.

    @property
    def waiting(self) -> bool:
        """Tell whether the start of the run was not told yet, for not all have started."""
        return not self._alone and len(self._started) < len(self._seats) and not self._begun

    def started(self, seat: Seat, event: Started) -> Iterator[Started]:
        """Take in that a worker has started; yield what is to be told of it."""
        self._started[seat] = event
        self._untold.add(seat)
        if len(self._started) == len(self._seats):
            yield from self.start()

    def start(self) -> Iterator[Started]:
        """Yield the start of those whose start was not told yet."""
        if not self._untold:
            return
        events = [self._started[seat] for seat in self._seats if seat in self._untold]
        self._untold.clear()
        self._begun = True
        yield replace(
            events[0],
            seeds=max(event.seeds for event in events),
            notes=self._notes(),
            workers=len(self._seats),
            judged=self._judged(),
        )

    def _judged(self) -> int | None:
        """Return how many cases were judged before this run, if all workers have told."""
        told = [seat.judged_before for seat in self._seats]
        known = [count for count in told if count is not None]
        return sum(known) if len(known) == len(told) else None

    def _notes(self) -> tuple[str, ...]:
        """Return what the workers have to say: what all do once, and else who does."""
        notes = {seat: event.notes for seat, event in self._started.items()}
        common = [
            note for note in next(iter(notes.values())) if all(note in n for n in notes.values())
        ]
        own = (
            f"{seat.name}: {note}"
            for seat in self._seats
            for note in notes.get(seat, ())
            if note not in common
        )
        return (*common, *own)

    def charted(self, event: Charted) -> None:
        """Take in the points of the target: those of all workers are the same."""
        if not self._charted:
            self._charted, self._chart = True, event

    def covered(self, event: Covered) -> None:
        """Take in what a worker has covered."""
        for module, points in event.points.items():
            known = self._covered.setdefault(module, set())
            fresh = [point for point in points if point not in known]
            known.update(fresh)
            if fresh:
                self._fresh.setdefault(module, []).extend(fresh)

    def news(self) -> Iterator[Charted | Covered]:
        """Yield what is not told yet of the points, once the start of the run was."""
        if self.waiting:
            return
        if self._chart is not None:
            yield self._chart
            self._chart = None
        if self._fresh:
            yield Covered({module: tuple(points) for module, points in self._fresh.items()})
            self._fresh = {}

    def progress(self) -> Progress:
        """Return the totals as they are known."""
        first, *others = (seat.progress for seat in self._seats)
        if not others:
            return first
        check_alike(self._seats)
        everybody = [first, *others]
        total = first
        for one in others:
            total = added(total, one)
        return replace(
            total,
            seconds=max(one.seconds for one in everybody),
            points_covered=sum(map(len, self._covered.values())),
            points_total=max(one.points_total for one in everybody),
            reductions_per_byte=highest(tuple(one.reductions_per_byte for one in everybody)),
        )

    def found(self, seat: Seat, event: Found) -> Found:
        """Take in a finding of a worker's; return it as one of all workers."""
        finding, path = event.finding, event.path
        fingerprint = finding.fingerprint
        seat.hit(fingerprint, event.hits)
        if self._alone:
            return replace(event, hits=seat.hits(fingerprint))
        told = self._told.get(fingerprint)
        if told is None:
            told = self._told[fingerprint] = _Told(finding, path, event.rate)
        elif finding.kind.rank < told.finding.kind.rank:
            told.finding, told.path, told.rate = finding, path, event.rate
        hits = sum(seat.hits(fingerprint) for seat in self._seats)
        return replace(event, path=told.path, new=fingerprint not in self._before, hits=hits)

    def refined(self, event: Refined) -> None:
        """Take in that a finding has a better case."""
        told = self._told.get(event.finding.fingerprint)
        if told is not None:
            told.path, told.rate = event.path, event.rate

    def settled(self, known: Mapping[str, SavedFinding]) -> Iterator[Refined]:
        """Yield what lies elsewhere than was told last, since two workers wrote at once."""
        for fingerprint, told in self._told.items():
            saved = known.get(fingerprint)
            if saved is not None and str(saved.path) != told.path:
                told.path = str(saved.path)
                yield Refined(told.finding, told.path, told.rate)

    def ended(self, seat: Seat, event: Ended) -> None:
        """Take in the end of a worker."""
        seat.takes(event.progress)
        self._ended.append(event)

    def ends_by(self, reason: str) -> None:
        """Take in why the run ends, where its workers are only told to stop."""
        self._reason = reason

    def end(self, reason: str) -> Ended:
        """Return the end of the run; ``reason`` is why, if no worker has said that."""
        progress, ends = self.progress(), self._ended
        if self._alone and ends:
            return replace(ends[0], progress=progress, reason=self._reason or ends[0].reason)
        sizes = {name: size for end in ends for name, (_, size) in end.modules.items()}
        return Ended(
            progress,
            self._reason or (ends[0].reason if ends else reason),
            {name: (len(self._covered.get(name, ())), sizes[name]) for name in sorted(sizes)},
            tuple(dict.fromkeys(sentence for end in ends for sentence in end.left)),
        )
