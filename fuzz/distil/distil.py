"""Distilling and merging: which of many cases a corpus needs, and which of others it lacks.

Both go by what cases reach when they are played here, one at a time: coverage points with the
bucket of their count, as libFuzzer has them. So it does not matter which campaign, which machine
or which fuzzer the cases come from. A case that does harm is a finding and no ground to build
upon: it is left out, and told.

To distil is to ask for all that was reached, by chance too, as :func:`fuzz.distil.cover.needed`
says. To merge takes more care, or each merge would add a few: a case is added for what each of
its plays reached and no play of any case before it did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fuzz.case import decode_case
from fuzz.distil.cover import Reach, needed
from fuzz.distil.reader import Harm, Reader
from fuzz.store.corpus import Seeds

#: A case as (path, bytes).
Entry = tuple[Path, bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """A case that is needed, or added: the bytes of the file at ``path``.

    ``features`` counts what it reaches, of what is new at a merge what it adds.
    """

    path: Path
    data: bytes
    features: int


@dataclass(slots=True)
class Distilled:
    """What came of it. ``played`` cases were not ``alike`` any other, ``size`` is their bytes.

    ``features`` counts what they reached together, and ``by_chance`` those of them that no case
    reached in each of its plays. ``harmful`` are those left out.
    """

    kept: list[Kept] = field(default_factory=list)
    harmful: list[tuple[Path, Harm]] = field(default_factory=list)
    played: int = 0
    size: int = 0
    alike: int = 0
    features: int = 0
    by_chance: int = 0


@dataclass(slots=True)
class _Seen:
    """What was reached so far."""

    surely: set[int] = field(default_factory=set)
    at_all: set[int] = field(default_factory=set)

    def learn(self, reach: Reach) -> int:
        """Take in ``reach``; return how much it reached surely that was never seen."""
        new = len(set(reach.surely) - self.at_all)
        self.surely.update(reach.surely)
        self.at_all.update(reach.surely, reach.by_chance)
        return new


class Distiller:
    """Plays cases with ``reader``. ``told`` hears of each before it is played: how many, of what.

    ``harm`` hears of each case that is left out, as soon as that is known.
    """

    def __init__(
        self,
        reader: Reader,
        told: Callable[[int, int, Path], None] = lambda *_: None,
        harm: Callable[[Path, Harm], None] = lambda *_: None,
    ) -> None:
        self._reader = reader
        self._told = told
        self._harm = harm
        self._seen = _Seen()
        self._out = Distilled()

    def distil(self, seeds: Seeds) -> Distilled:
        """Return the cases of ``seeds`` that are needed, the smallest first."""
        entries = self._unlike(sorted(seeds.seeds, key=_smallest_first), set())
        read = [(entry, self._counted(reach)) for entry, reach in list(self._read(entries))]
        for _, reach in read:
            self._seen.learn(reach)
        for at in needed([reach for _, reach in read]):
            (path, data), reach = read[at]
            self._out.kept.append(Kept(path, data, len(reach.surely) + len(reach.by_chance)))
        return self._finished()

    def merge(self, into: Seeds, others: Seeds, keep: Callable[[bytes], object]) -> Distilled:
        """Hand to ``keep`` each case of ``others`` that reaches what is new, the smallest first.

        It is called as soon as that is known. What is alike a case of ``into`` is not played.
        """
        known: set[bytes] = set()
        for _, reach in self._read(self._unlike(into.seeds, known)):
            self._seen.learn(reach)
        entries = self._unlike(sorted(others.seeds, key=_smallest_first), known)
        for (path, data), reach in self._read(entries):
            new = self._seen.learn(self._counted(reach))
            if new:
                keep(data)
                self._out.kept.append(Kept(path, data, new))
        return self._finished()

    def _counted(self, reach: Reach) -> Reach:
        surely, by_chance = map(self._reader.counted, (reach.surely, reach.by_chance))
        return replace(reach, surely=surely, by_chance=by_chance)

    def _unlike(self, seeds: Sequence[Entry], known: set[bytes]) -> list[Entry]:
        """Return those of ``seeds`` that differ from all that are ``known``, which is added to."""
        entries: list[Entry] = []
        for path, data in seeds:
            if data not in known:
                known.add(data)
                entries.append((path, data))
        self._out.alike += len(seeds) - len(entries)
        return entries

    def _read(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Reach]]:
        for number, (path, data) in enumerate(entries, 1):
            self._told(number, len(entries), path)
            reach = self._reader.read(decode_case(data), len(data))
            self._out.played += 1
            self._out.size += len(data)
            if isinstance(reach, Harm):
                self._out.harmful.append((path, reach))
                self._harm(path, reach)
            else:
                yield (path, data), reach

    def _finished(self) -> Distilled:
        self._out.features = len(self._seen.at_all)
        self._out.by_chance = len(self._seen.at_all - self._seen.surely)
        return self._out


def _smallest_first(entry: Entry) -> tuple[int, bytes]:
    return len(entry[1]), entry[1]
