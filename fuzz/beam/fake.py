"""An agent without a node, for tests of what is built on agents.

It does what an :class:`fuzz.beam.agent.Agent` promises, with what the test has put in: hits,
events, a node that is busy, applications that do not start. The same tests run on it and on
a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from fuzz.beam.agent import DECODE_SECONDS, INSTRUMENT_SECONDS
from fuzz.decoding import Batch, Candidates, Decoder, Ended, Outcome, Shape
from fuzz.errors import AgentError, AgentRefusalError
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.node import (
    Application,
    Detached,
    Event,
    Gate,
    Holding,
    Instrumentation,
    NodeInfo,
    Point,
    QuickVitals,
    Reading,
    Rest,
    Suspect,
    Vitals,
)

#: As many events as the real agent keeps between two readings.
MAX_EVENTS = 256

_INFO = NodeInfo("nonode@nohost", "25", "13.1.5", 1, 1, "notice", ())
_LEVELS = QuickVitals(processes=50, ports=5, atoms=14_000, tables=20, memory=20_000_000)


class FakeAgent:
    """An agent of a node that a test makes up. The attributes may be set at any time."""

    def __init__(
        self,
        points: Iterable[Point] = (),
        applications: Iterable[Application] = (),
        failures: Iterable[tuple[str, str]] = (),
        name: str = _INFO.name,
        gates: Iterable[Gate] = (),
    ) -> None:
        """Be the agent of a node with these points, all its applications running.

        ``gates`` go by the numbers of the points as they are ordered by their modules.
        """
        known = tuple(applications)
        self._info = replace(_INFO, name=name, applications=known)
        self._available = tuple(sorted(points, key=lambda p: p.module))
        self._failures = tuple(failures)
        self._gates = tuple(gates)
        self._known = [app.name for app in known]
        self._running = set(self._known)
        self._selection: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._points: tuple[Point, ...] = ()
        self._hits: dict[int, int] = {}
        self._events: list[Event] = []
        self._dropped = 0
        self._closed = False
        self.busy = False
        self.silent = False
        #: How often what is done meanwhile is called for before the node is known to be at rest.
        self.slow = 0
        #: What the node has exchanged with others by now, in bytes.
        self.traffic = 0
        #: Called whenever the node is asked whether it is at rest, before it answers.
        self.on_ask: Callable[[], object] = lambda: None
        self.levels = _LEVELS
        self.stuck: tuple[Suspect, ...] = ()
        self.holdings: list[Holding] = []
        #: Decoders of the node: from an input to what comes of it, with its coverage.
        self.decoders: dict[Decoder, Callable[[bytes], tuple[Outcome, bytes]]] = {}
        #: Applications that refuse to start again.
        self.broken: set[str] = set()

    def hit(self, index: int, count: int = 1) -> None:
        """Let the node pass a point."""
        if index < len(self._points):
            self._hits[index] = self._hits.get(index, 0) + count

    def report(self, event: Event) -> None:
        """Let the node log something that broke."""
        if len(self._events) < MAX_EVENTS:
            self._events.append(event)
        else:
            self._dropped += 1

    @property
    def info(self) -> NodeInfo:
        """See :meth:`fuzz.beam.agent.Agent.info`."""
        return self._info

    def instrument(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        seconds: float = INSTRUMENT_SECONDS,
    ) -> Instrumentation:
        """See :meth:`fuzz.beam.agent.Agent.instrument`."""
        self._answer("instrumentation")
        selection = (tuple(include), tuple(exclude))
        if self._selection not in (None, selection):
            raise AgentRefusalError(
                "the agent refused: the node is instrumented already, with another selection"
            )
        self._selection = selection
        chosen = [n for n, p in enumerate(self._available) if _selected(p.module, *selection)]
        self._points = tuple(self._available[number] for number in chosen)
        numbers = {old: new for new, old in enumerate(chosen)}
        gates = tuple(gate.renumbered(numbers) for gate in self._gates if gate.point in numbers)
        return Instrumentation(self._points, self._failures, gates=gates)

    def read(self) -> Reading:
        """See :meth:`fuzz.beam.agent.Agent.read`."""
        return self._reading(True)

    def quiet(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> bool:
        """See :meth:`fuzz.beam.agent.Agent.quiet`."""
        return self.rest(seconds, meanwhile).quiet

    def rest(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> Rest:
        """See :meth:`fuzz.beam.agent.Agent.rest`."""
        self._answer("the node to be quiet")
        self.on_ask()
        while self.slow and meanwhile():
            self.slow -= 1
        return Rest(not self.busy, self.traffic)

    def settle(self, seconds: float | None = None) -> Reading:
        """See :meth:`fuzz.beam.agent.Agent.settle`."""
        self.on_ask()
        return self._reading(not self.busy)

    def vitals(self) -> Vitals:
        """See :meth:`fuzz.beam.agent.Agent.vitals`."""
        self._answer("vitals")
        levels = self.levels
        memory = {"total": levels.memory}
        return Vitals(
            levels.processes,
            levels.ports,
            levels.atoms,
            (),
            memory,
            0,
            0,
            0,
            self.stuck,
            self.stuck,
        )

    def resources(self) -> tuple[Holding, ...]:
        """See :meth:`fuzz.beam.agent.Agent.resources`."""
        self._answer("resources")
        return tuple(self.holdings)

    def suspects(self) -> tuple[Suspect, ...]:
        """See :meth:`fuzz.beam.agent.Agent.suspects`."""
        self._answer("suspects")
        return self.stuck

    def find_decoder(self, decoder: Decoder) -> Candidates:
        """See :meth:`fuzz.beam.agent.Agent.find_decoder`."""
        self._answer("the names of decoders")
        known = decoder.module in {one.module for one in self.decoders}
        arities = (1,) if decoder in self.decoders else ()
        return Candidates(known, arities, tuple(sorted(map(str, self.decoders))))

    def decode(
        self, decoder: Decoder, inputs: Sequence[bytes], seconds: float = DECODE_SECONDS
    ) -> Batch:
        """See :meth:`fuzz.beam.agent.Agent.decode`."""
        self._answer("a decoder")
        if decoder not in self.decoders:
            raise AgentError("the agent refused: the node has no decoder of that name")
        shapes: dict[Shape, int] = {}
        coverages: dict[bytes, int] = {}
        rows: list[int] = []
        values: list[int] = []
        for data in inputs:
            outcome, coverage = self.decoders[decoder](data)
            shape = shapes.setdefault(outcome.shape, len(shapes))
            rows += (shape, coverages.setdefault(coverage, len(coverages)))
            values += outcome.values
            if outcome.shape.ended in (Ended.KILLED, Ended.LOOPED):
                break
        return Batch(tuple(shapes), tuple(coverages), tuple(rows), tuple(values))

    def applications(self) -> tuple[str, ...]:
        """See :meth:`fuzz.beam.agent.Agent.applications`."""
        self._answer("applications")
        return tuple(name for name in self._known if name in self._running)

    def stop_app(self, name: str, seconds: float) -> None:
        """See :meth:`fuzz.beam.agent.Agent.stop_app`."""
        self._application(name)
        if name not in self._running:
            raise AgentRefusalError(f"the agent refused: {{not_started,{name}}}")
        self._running.discard(name)

    def start_app(self, name: str, seconds: float) -> None:
        """See :meth:`fuzz.beam.agent.Agent.start_app`."""
        self._application(name)
        if name in self.broken:
            raise AgentRefusalError(f"the agent refused: {{{name},...}}")
        self._running.add(name)

    def restart_app(self, name: str, seconds: float, hard: bool = False) -> None:
        """See :meth:`fuzz.beam.agent.Agent.restart_app`."""
        self._application(name)
        self._running.discard(name)
        self.start_app(name, seconds)

    def detach(self) -> Detached:
        """See :meth:`fuzz.beam.agent.Agent.detach`."""
        self._answer("the agent to leave")
        self._closed = True
        return Detached(tuple(sorted({point.module for point in self._points})), ())

    def close(self) -> None:
        """See :meth:`fuzz.beam.agent.Agent.close`."""
        self._closed = True

    def _reading(self, quiet: bool) -> Reading:
        self._answer("a reading")
        pairs = sorted(self._hits.items())
        coverage = b"".join(((i << 8) | min(n, 255)).to_bytes(4, "big") for i, n in pairs)
        hottest = max(self._hits, key=lambda i: (self._hits[i], -i), default=None)
        events = tuple(self._events)
        reading = Reading(
            coverage, events, self.levels, self._dropped, quiet, hottest, self.traffic
        )
        self._hits, self._events, self._dropped = {}, [], 0
        return reading

    def _application(self, name: str) -> None:
        self._answer(name)
        if name not in self._known:
            raise AgentRefusalError("the agent refused: the node knows no application of that name")

    def _answer(self, what: str) -> None:
        if self._closed:
            raise AgentError("the connection to the agent is closed")
        if self.silent:
            self._closed = True
            raise AgentError(f"the agent was silent; awaited {what}")


def _selected(module: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    included = not include or any(fnmatchcase(module, pattern) for pattern in include)
    return included and not any(fnmatchcase(module, pattern) for pattern in exclude)
