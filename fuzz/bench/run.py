"""The run of a benchmark: rounds over all of its parts, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fuzz.bench import rival
from fuzz.bench.parts import Part, Plan, Result
from fuzz.bench.scale import Scale
from fuzz.bench.storm import Storm
from fuzz.bench.strength import Strength
from fuzz.bench.throughput import Throughput
from fuzz.bench.workers import Workers
from fuzz.errors import SettingsError
from fuzz.target.planted import Planted, check_plants, planted_defects

#: The names of the parts, in their order.
PARTS = ("throughput", "scale", "workers", "strength", "storm")
_MISSING = (
    "boofuzz is not installed, so it is not compared with: `pip install iris-fuzz[bench]` brings it"
)


def make_parts(names: Sequence[str], plan: Plan, seeds: Path) -> tuple[Part, ...]:
    """Return the parts of these ``names``; raise :class:`SettingsError` for one that is unknown."""
    unknown = next((name for name in names if name not in PARTS), None)
    if unknown is not None:
        raise SettingsError(f"the benchmark has no part {unknown}; choose of {', '.join(PARTS)}")
    there = rival.installed()
    rivals = {rival.NAME: rival.look_for} if there else {}
    makers: Mapping[str, Callable[[], Part]] = MappingProxyType(
        {
            "throughput": lambda: Throughput(plan),
            "scale": lambda: Scale(plan),
            "workers": lambda: Workers(plan),
            "strength": lambda: Strength(
                plan, _planted(plan.defects), seeds, rivals, notes=() if there else (_MISSING,)
            ),
            "storm": lambda: Storm(plan, _planted(plan.deeper), seeds),
        }
    )
    return tuple(makers[name]() for name in PARTS if name in names)


def _planted(names: Sequence[str]) -> list[Planted]:
    check_plants(tuple(names))
    known = {defect.name: defect for defect in planted_defects()}
    return [known[name] for name in names]


@dataclass(slots=True)
class Bench:
    """Measures ``parts`` in so many ``rounds``; ``tell`` is told what is measured next."""

    parts: Sequence[Part]
    rounds: int
    tell: Callable[[str], None]
    _whole: int = 0
    _measured: int = 0

    def run(self) -> None:
        """Measure all rounds; raise :class:`IrisFuzzError` when a part can't be measured."""
        try:
            for number in range(self.rounds):
                self._measured = 0
                for part in self.parts:
                    self.tell(f"round {number + 1} of {self.rounds}: {part.name}")
                    part.measure(number)
                    self._measured += 1
                self._whole += 1
        finally:
            for part in self.parts:
                part.close()

    def results(self) -> list[Result]:
        """Return what came of each part that was measured at least once, also when cut short."""
        known = self.parts if self._whole else self.parts[: self._measured]
        return [part.result() for part in known]
