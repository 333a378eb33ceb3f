"""The time line of a campaign: one SQLite file with all that happened over all of its runs.

One process writes it (:class:`TimelineWriter`), and any may read it while that goes on
(:func:`read_timeline`). Cases are no part of it: they are files beside it.

=================== ===============================================================================
table               a row for each
=================== ===============================================================================
``about``           fact about the campaign: ``key`` and ``value``
``runs``            start with the same folder
``samples``         moment: the totals of the campaign by then; they thin out as it gets older
``vitals``          sample and node: the counts of the node just then
``findings``        defect, by its fingerprint
``recoveries``      time that the target was brought back, the latest ones
``recovery_totals`` way in which it was brought back, and why: how often, and for how long
``points``          coverage point, and whether it was ever hit
``faults``          thing that the harness could not do, the latest ones
=================== ===============================================================================
"""

from fuzz.store.timeline.reader import Timeline, read_timeline
from fuzz.store.timeline.rows import (
    FaultRow,
    FindingRow,
    ModuleRow,
    NodeRow,
    PointRow,
    RecoveryRow,
    RecoveryTotal,
    Run,
    Sample,
)
from fuzz.store.timeline.schema import FILE_NAME
from fuzz.store.timeline.writer import TimelineWriter

__all__ = [
    "FILE_NAME",
    "FaultRow",
    "FindingRow",
    "ModuleRow",
    "NodeRow",
    "PointRow",
    "RecoveryRow",
    "RecoveryTotal",
    "Run",
    "Sample",
    "Timeline",
    "TimelineWriter",
    "read_timeline",
]
