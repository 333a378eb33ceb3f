"""What a BEAM node tells about itself, as values: points, readings, events, vitals.

Everything here was said by the agent and is only a fact; what follows from it is for the
oracles. A stack is a tuple of frames ``module:function/arity``, the innermost first.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

#: What a node calls itself that is not distributed.
NAMELESS = "nonode@nohost"


@dataclass(frozen=True, slots=True)
class Application:
    """A running OTP application; ``part_of_otp`` tells that it comes with Erlang itself."""

    name: str
    version: str
    part_of_otp: bool
    modules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """A node as it was at the hello.

    ``log_level`` is the level of the node's primary logger. Above ``error`` no crash is
    reported at all, above ``notice`` no application's end. ``born`` is when the agent was
    started, in nanoseconds: another time means that the node was started anew.
    ``applications`` are in the order in which they were started.
    """

    name: str
    otp: str
    erts: str
    os_pid: int
    schedulers: int
    log_level: str
    applications: tuple[Application, ...]
    born: int = 0

    def target_applications(self) -> tuple[str, ...]:
        """Return the names of the applications that are not part of OTP."""
        return tuple(app.name for app in self.applications if not app.part_of_otp)


#: What the emulator counts in code that cannot be instrumented.
NATIVE_FUNCTION, NATIVE_LINE = "native_function", "native_line"


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node of the target as a person is told of it.

    ``port`` is where clients are sent to it, None if they are not; ``others`` are ports on which
    a node that no client is sent to listens all the same, those of Erlang and of ours left out.
    """

    name: str
    otp: str
    os_pid: int
    applications: tuple[str, ...]
    port: int | None = None
    others: tuple[int, ...] = ()

    def told(self) -> str:
        """Return its name and its part."""
        part = "core" if self.port is None else f"edge, port {self.port}"
        if self.others:
            part = f"no client goes there; --edge {self.others[0]} sends some, if it is an edge"
        return f"{self.name} ({part})"


@dataclass(frozen=True, slots=True)
class Point:
    """A coverage point: the start of a body in the source; ``kind`` is what begins there.

    Kinds: function, fun, case, if, receive, after, of, catch, else, andalso, orelse, and
    the comprehensions lc, bc, mc. What the emulator counts by itself is a native_function, of which
    the line is not known, or a native_line, of which the function is not.
    """

    module: str
    function: str
    arity: int
    line: int
    kind: str

    @property
    def native(self) -> bool:
        """Tell whether the emulator counts it, and no code of ours."""
        return self.kind in (NATIVE_FUNCTION, NATIVE_LINE)

    @property
    def place(self) -> str:
        """Return where it is, as a frame of a stack is written; only the module of a line."""
        return f"{self.module}:{self.function}/{self.arity}" if self.function else self.module


#: What the pattern or the guard of a branch compares with: a number, or bytes.
Constant = int | bytes


@dataclass(frozen=True, slots=True)
class Gate:
    """A branch that constants decide about.

    ``point`` is the number of the coverage point that stands in it, and ``around`` that of the body
    which the branch is in; None for a clause of a function. ``constants`` are those of its pattern,
    its guard, and of what is looked at to choose between it and others; ``context`` those in
    variables of the body around, or what its function is called with. One of the two may be empty.
    """

    point: int
    around: int | None
    constants: tuple[Constant, ...]
    context: tuple[Constant, ...] = ()

    def renumbered(self, numbers: Mapping[int, int] | Sequence[int]) -> Gate:
        """Return the same, where points have other ``numbers``."""
        around = None if self.around is None else numbers[self.around]
        return Gate(numbers[self.point], around, self.constants, self.context)


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """The points by number, and the modules that have none, with the reason.

    ``native`` are the modules that could not be instrumented, with the reason, and that the
    emulator counts by itself. Code that was instrumented has ``gates``.
    """

    points: tuple[Point, ...]
    failures: tuple[tuple[str, str], ...]
    native: tuple[tuple[str, str], ...] = ()
    gates: tuple[Gate, ...] = ()


class EventKind(StrEnum):
    """What a log event tells of."""

    CRASH = "crash"  # a process ended with an error
    SUPERVISOR = "supervisor"  # a supervisor lost a child, could not start one, or gave up
    APPLICATION = "application"  # an application has stopped
    ERROR = "error"  # anything else that was logged as an error
    AGENT = "agent"  # a fault of the agent itself


@dataclass(frozen=True, slots=True)
class Event:
    """One report of something that broke; what is not known is empty.

    One crash gives several, which share the ``pid``: the behaviour's, proc_lib's, and the
    supervisor's, whose ``pid`` and ``process`` are those of the child. ``class_name`` is
    error, exit or throw; ``reason`` is the shape of the reason, without the input's data.
    ``process`` is the registered name, else the initial call, else the child's id;
    ``time_ms`` is the node's system time. ``node`` names the node where there are several,
    or another one that the report came from.
    """

    kind: EventKind
    class_name: str
    reason: str
    stack: tuple[str, ...]
    process: str
    behaviour: str
    supervisor: str
    application: str
    text: str
    pid: str
    time_ms: int
    node: str = ""


@dataclass(frozen=True, slots=True)
class QuickVitals:
    """The counts that cost nothing to read. ``memory`` is in bytes, up to 100 ms old.

    ``reductions`` are all that the node has done since its start.
    """

    processes: int
    ports: int
    atoms: int
    tables: int
    memory: int
    reductions: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """What happened since the last reading.

    ``coverage`` holds four bytes, big-endian, for each point that was hit: its number in
    24 bits and the count, at most 255, in 8. ``dropped`` counts events beyond those kept.
    ``quiet`` tells, for a reading that waited for it, that the node was at rest. ``hottest`` is
    the number of the point that was hit most often, the first of several, None if none was.

    ``traffic`` is what the node had exchanged with other nodes by then, as in :class:`Rest`. A
    reading of several nodes has the sums, ``nodes`` the counts of each by its name, ``lost`` the
    names of those whose agent is gone, of which it tells nothing, and ``hardest`` the name of the
    one that worked hardest, which ``hottest`` is of.
    """

    coverage: bytes
    events: tuple[Event, ...]
    vitals: QuickVitals
    dropped: int = 0
    quiet: bool = True
    hottest: int | None = None
    traffic: int = 0
    nodes: tuple[tuple[str, QuickVitals], ...] = ()
    lost: tuple[str, ...] = ()
    hardest: str = ""

    def hits(self) -> tuple[tuple[int, int], ...]:
        """Return ``(number of the point, count)`` for each point that was hit."""
        words = struct.unpack(f">{len(self.coverage) // 4}I", self.coverage)
        return tuple((word >> 8, word & 0xFF) for word in words)


@dataclass(frozen=True, slots=True)
class Rest:
    """Whether a node was at rest, and how much it had exchanged with other nodes just then.

    ``traffic`` is in bytes, of the connections that there are: another number means that
    something went out or came in.
    """

    quiet: bool
    traffic: int


class Doing(StrEnum):
    """Why a process does not get to its next message, told by two looks at it."""

    LOOP = "loop"  # it works, or waits for native code that does
    MAILBOX = "mailbox"  # it works, and more comes in than it gets done
    CALL = "call"  # it waits for an answer, and does nothing


@dataclass(frozen=True, slots=True)
class Suspect:
    """A process and what it is doing. ``reductions`` are since its start.

    One look does not tell ``doing``. ``node`` names the node where there are several.
    """

    pid: str
    name: str
    initial_call: str
    reductions: int
    mailbox: int
    status: str
    stack: tuple[str, ...]
    doing: Doing | None = None
    node: str = ""

    @property
    def process(self) -> str:
        """Return the registered name, or the initial call of a process without one."""
        return self.name or self.initial_call


@dataclass(frozen=True, slots=True)
class Table:
    """The ETS tables of one name, together: how many, with how many rows and bytes."""

    name: str
    tables: int
    rows: int
    size: int


#: What a :class:`Holding` tells of that is meant to stay.
DURABLE = "durable rows"


@dataclass(frozen=True, slots=True)
class Holding:
    """An amount of something that the node holds when all garbage is collected.

    ``what`` is ``processes``, ``ports``, ``ETS tables``, ``ETS rows``, ``ETS bytes``,
    ``mailbox`` (messages), ``binaries`` (bytes), ``heap`` (bytes that are alive) or ``durable
    rows`` (of Mnesia, meant to stay); ``name`` that of the table or the process, or the kind of
    port. Without a name it is the sum of all. What is not told of is none. ``node`` names the node
    where there are several.
    """

    what: str
    name: str
    amount: int
    node: str = ""

    @property
    def title(self) -> str:
        """Return what it is called in a sentence."""
        held = f"{_PLURAL.get(self.what, self.what)} of {self.name}" if self.name else self.what
        return on_node(held, self.node)


#: A thing and its node, whose name has no space; no table or process is called like this.
_ON_NODE = re.compile(r"(.+) on (\S+)", re.DOTALL)


def on_node(thing: str, node: str) -> str:
    """Return ``thing`` with the node that it is on, where there is more than one."""
    return f"{thing} on {node}" if thing and node else thing


def off_node(thing: str) -> tuple[str, str]:
    """Return what :func:`on_node` has put together: a thing, and a node or nothing."""
    found = _ON_NODE.fullmatch(thing)
    return (found[1], found[2]) if found else (thing, "")


_PLURAL = {"mailbox": "messages in the mailbox", "heap": "bytes on the heap"}


@dataclass(frozen=True, slots=True)
class Vitals:
    """The long look at a node: ``memory`` in bytes by kind, ``uptime_ms`` in milliseconds.

    ``busiest`` and ``fullest`` are the first five processes by reductions and by mailbox.
    """

    processes: int
    ports: int
    atoms: int
    tables: tuple[Table, ...]
    memory: dict[str, int]
    run_queue: int
    reductions: int
    uptime_ms: int
    busiest: tuple[Suspect, ...]
    fullest: tuple[Suspect, ...]

    def longest_mailbox(self) -> tuple[str, int]:
        """Return the process with the longest mailbox, and that mailbox's length."""
        return (self.fullest[0].process, self.fullest[0].mailbox) if self.fullest else ("", 0)


@dataclass(frozen=True, slots=True)
class Detached:
    """Which modules run their original code again, and which could not, with the reason.

    In neither is one that the target itself has loaded anew meanwhile: it runs that.
    """

    restored: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]
