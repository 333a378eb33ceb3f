"""What the agents tell of their nodes, as samples beside those of a page of metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from fuzz.assertions.page import Sample
from fuzz.node import QuickVitals

#: The names by which an assertion asks for them; each has the label ``node``.
VITALS: Mapping[str, Callable[[QuickVitals], int]] = {
    "beam_processes": lambda vitals: vitals.processes,
    "beam_ports": lambda vitals: vitals.ports,
    "beam_atoms": lambda vitals: vitals.atoms,
    "beam_tables": lambda vitals: vitals.tables,
    "beam_memory_bytes": lambda vitals: vitals.memory,
}


def samples_of(levels: Mapping[str, QuickVitals]) -> Iterator[Sample]:
    """Yield the samples of all nodes; of none, one that is no number, so that nothing is judged."""
    for name, read in VITALS.items():
        for node, vitals in levels.items():
            yield Sample(name, (("node", node),), float(read(vitals)), counts=False)
        if not levels:
            yield Sample(name, (), math.nan, counts=False)
