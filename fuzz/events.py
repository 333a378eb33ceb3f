"""The frozen events of a run: the engine yields them, reporters subscribe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fuzz.finding import Finding
from fuzz.node import NodeSeen, Point, QuickVitals


@dataclass(frozen=True, slots=True)
class Started:
    """The target is up and the engine begins.

    ``unseen`` names what cannot be seen of it, ``covered`` the applications whose coverage is read,
    ``nodes`` are those with an agent, the first edge first. So many ``workers`` play, each at a
    target of its own like this one. ``judged`` cases were so in earlier runs in the same folder,
    None while not all workers have told. A ``decoder`` is called directly, if one is named: what is
    counted as cases are inputs to it then.
    """

    target: str
    guided_by: str
    points_total: int
    seeds: int
    notes: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    nodes: tuple[NodeSeen, ...] = ()
    workers: int = 1
    judged: int | None = None
    decoder: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Totals so far; sent a few times a second.

    Of several workers all is added up, the time that targets were being brought back as well; but
    ``seconds`` is how long the run has taken, and a point that two have covered is one.
    ``reductions_per_byte`` is what the costliest case costs, each step of it counted as 64 bytes;
    None where nobody seeks it.
    """

    cases: int
    seconds: float
    points_covered: int
    points_total: int
    corpus: int
    restarts: int
    replays: int
    recovering_seconds: float
    reductions_per_byte: int | None = None


@dataclass(frozen=True, slots=True)
class Charted:
    """The coverage points of the target, told once, before anything of them is said to be hit."""

    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Covered:
    """Coverage points that were hit for the first time in this run, by their module.

    They are numbers in the list of all points, which is the same for each worker.
    """

    points: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Gauged:
    """The counts of each node by its name, told once a second at most; the name of one is empty.

    Of several workers, it is the target of the first.
    """

    levels: Mapping[str, QuickVitals]


@dataclass(frozen=True, slots=True)
class Found:
    """A finding was saved; ``new`` is false when its fingerprint was known before.

    ``rate`` is the share of plays, 0 to 1, in which its case has shown it by itself: 0 until that
    was looked at on a fresh node, where it takes one; a :class:`Refined` tells of it then.
    """

    finding: Finding
    path: str
    new: bool
    hits: int = 1
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Refined:
    """A better case has taken the place of that of a finding that was told before.

    It is smaller, or shows it more surely: in the share ``rate`` of plays on a fresh node.
    """

    finding: Finding
    path: str
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A suspicion that a fresh node does not share: no finding."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Recovered:
    """The target was brought back: ``how`` and ``why`` as :class:`fuzz.rig.Recovery` has them."""

    how: str
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoder was called directly, and the run goes on with clients: totals of that part.

    ``seeds`` of the ``inputs`` reached something new in it.
    """

    inputs: int
    seconds: float
    seeds: int


@dataclass(frozen=True, slots=True)
class Faulted:
    """The harness could not do something; a worker may be started anew."""

    sentence: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a run with its last totals, and the coverage of each module.

    ``left`` tells what stays of us in a node that was not started by us, in sentences.
    """

    progress: Progress
    reason: str
    modules: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    left: tuple[str, ...] = ()


Event = (
    Started
    | Progress
    | Charted
    | Covered
    | Gauged
    | Found
    | Refined
    | Dismissed
    | Recovered
    | Decoded
    | Faulted
    | Ended
)
