"""Several agents as one: a cluster, of which the first node is an edge that owns a port.

Theory of operation. A case is said to one edge, and what follows goes on to the core, to another
edge and back. So it is not enough that each node was at rest when it was asked: the last one may
have given the first one something to do since. All are asked, one after the other, in *rounds*,
until a whole round goes by in which every node was at rest and its traffic over the distribution
was what it had been the last time. Then the cluster is at rest:

- All answers of the round before were in when this one began. Call that moment *t*. A node that
  was asked at *p* before *t* and at *q* after it, with the same traffic, has sent and received
  nothing between *p* and *q*.
- Nothing is on its way at *t*. It would have been sent before *p* of its sender; on the loopback
  it was in the buffer of its receiver at once; and a node says that it is at rest only when it has
  read what was in its buffers (iris_fuzz_quiet), so it would have been received, and counted,
  between *p* and *q* of the receiver.
- Each node was at rest at its *q*. To become busy again it would have to receive something, which
  one of the others would have to send after its own *q*, when it was at rest as well. None can be
  the first.

The answers of the last call count as the round before: where nothing was exchanged since, one round
is enough. What comes from outside, timers and clients, is not part of this; nor is a node without
an agent.

Names of things get their node where there is more than one ("ETS rows of presence on iris_edge1").
A fleet of one is like its only agent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from fuzz.beam import sums
from fuzz.beam.agent import (
    DECODE_SECONDS,
    INSTRUMENT_SECONDS,
    QUIET_SECONDS,
    RESTLESS_SECONDS,
    Agent,
)
from fuzz.beam.members import Member, labels, said_by
from fuzz.beam.sums import Heard
from fuzz.clock import Clock, Deadline, SystemClock
from fuzz.decoding import Batch, Candidates, Decoder
from fuzz.errors import AgentError, AgentRefusalError
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.node import (
    DURABLE,
    Detached,
    Gate,
    Holding,
    Instrumentation,
    NodeInfo,
    Reading,
    Rest,
    Suspect,
    Vitals,
    off_node,
    on_node,
)

T = TypeVar("T")


class Fleet:
    """An :class:`fuzz.beam.agent.Agent` that is several. ``members`` has the first edge first.

    An agent that is silent or gone is *lost*, and the others stay usable: :attr:`Reading.lost`
    names it, and whatever needs all of them raises :class:`AgentError` that names it too.
    :meth:`take_back` puts another in its place. ``cores`` tells whether nodes that are no edges are
    instrumented too.
    """

    def __init__(
        self, members: Sequence[Member], cores: bool = True, clock: Clock | None = None
    ) -> None:
        if not members:
            raise AgentError("a fleet needs an agent at least")
        self._members = tuple(members)
        self._cores = cores
        self._clock = clock or SystemClock()
        self._restless = False
        #: Who was asked for a decoder the last time.
        self._decoding: dict[Decoder, Member] = {}
        self._selection: tuple[Sequence[str], Sequence[str]] = ((), ())
        self._instrumented = Instrumentation((), ())
        for member, label in zip(
            members, labels([m.agent.info.name for m in members]), strict=True
        ):
            member.label = label

    @property
    def info(self) -> NodeInfo:
        """Return the first node, with the applications of all: those of the cores come first."""
        if len(self._members) == 1:
            return self._members[0].agent.info
        ranked = sorted(self._members, key=lambda member: member.edge)
        applications = tuple(
            replace(app, name=on_node(app.name, member.label))
            for member in ranked
            for app in member.agent.info.applications
        )
        return replace(self._members[0].agent.info, applications=applications)

    @property
    def members(self) -> tuple[Member, ...]:
        """Return all of them, the lost ones included."""
        return self._members

    def lost(self) -> tuple[Member, ...]:
        """Return those whose agent was silent, or is gone."""
        return tuple(member for member in self._members if member.lost)

    def take_back(self, agent: Agent) -> bool:
        """Put ``agent`` in the place of the lost one of its node; tell whether there is such.

        It is instrumented as that was. Raises :class:`AgentError` if it cannot be, or if its node
        has other points now.
        """
        for member in self.lost():
            if member.agent.info.name == agent.info.name:
                if member.numbers:
                    points = agent.instrument(*self._selection).points
                    known = self._instrumented.points
                    if points != tuple(known[number] for number in member.numbers):
                        raise AgentError(f"{member.label} has other coverage points than before")
                member.agent.close()
                member.agent, member.lost, member.traffic, member.reductions = agent, "", None, 0
                return True
        return False

    def instrument(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        seconds: float = INSTRUMENT_SECONDS,
    ) -> Instrumentation:
        """See :meth:`fuzz.beam.agent.Agent.instrument`.

        What is the same on two nodes is one point. A node that cannot be instrumented is among the
        failures; it is an error only if that goes for all.
        """
        own: list[tuple[Member, Instrumentation]] = []
        failures: list[tuple[str, str]] = []
        native: list[tuple[str, str]] = []
        errors: list[AgentError] = []
        # Where no edge is known, as behind a proxy, nobody is left out.
        asked = [m for m in self._members if m.edge or self._cores] or [*self._members]

        def instrumented(member: Member) -> Instrumentation | AgentError:
            try:
                return self._ask(member, lambda m: m.agent.instrument(include, exclude, seconds))
            except AgentError as error:
                return error

        # Side by side: each node compiles for a second, and waits for no other.
        with ThreadPoolExecutor(len(asked)) as pool:
            outcomes = list(pool.map(instrumented, asked))
        for member, done in zip(asked, outcomes, strict=True):
            if isinstance(done, AgentError):
                failures.append((member.label or "the node", str(done)))
                errors.append(done)
                continue
            failures += ((on_node(module, member.label), why) for module, why in done.failures)
            native += ((on_node(module, member.label), why) for module, why in done.native)
            own.append((member, done))
        if len(errors) == len(asked):
            raise errors[0]
        union = dict.fromkeys(point for _, told in own for point in told.points)
        points = tuple(sorted(union, key=lambda point: point.module))
        numbers = {point: number for number, point in enumerate(points)}
        gates: dict[Gate, None] = {}
        for member, told in own:
            member.numbers = tuple(numbers[point] for point in told.points)
            gates |= dict.fromkeys(gate.renumbered(member.numbers) for gate in told.gates)
        self._selection = include, exclude
        self._instrumented = Instrumentation(points, tuple(failures), tuple(native), tuple(gates))
        return self._instrumented

    def read(self) -> Reading:
        """See :meth:`fuzz.beam.agent.Agent.read`."""
        heard = self._nothing()
        for member in self._living():
            self._hear(member, heard, lambda m: m.agent.read())
        return self._reading(heard, True)

    def quiet(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> bool:
        """See :meth:`fuzz.beam.agent.Agent.quiet`; an :class:`AgentError` names who is lost."""
        return self.rest(seconds, meanwhile).quiet

    def rest(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> Rest:
        """See :meth:`fuzz.beam.agent.Agent.rest`; an :class:`AgentError` names who is lost."""

        def ask(member: Member, left: float) -> bool:
            rest = self._ask(member, lambda m: m.agent.rest(left, meanwhile))
            return self._note(member, rest.quiet, rest.traffic)

        self._raise_lost()
        quiet = self._rounds(ask, seconds)
        self._raise_lost()
        return Rest(quiet, sum(member.traffic or 0 for member in self._members))

    def settle(self, seconds: float | None = None) -> Reading:
        """See :meth:`fuzz.beam.agent.Agent.settle`."""
        heard = self._nothing()

        def ask(member: Member, left: float) -> bool:
            reading = self._hear(member, heard, lambda m: m.agent.settle(left))
            return reading is None or self._note(member, reading.quiet, reading.traffic)

        return self._reading(heard, self._rounds(ask, seconds))

    def vitals(self) -> Vitals:
        """See :meth:`fuzz.beam.agent.Agent.vitals`: the sums, and how long the youngest is up."""
        return sums.vitals_of(
            [(m.label, self._ask(m, lambda m: m.agent.vitals())) for m in self._living()]
        )

    def resources(self) -> tuple[Holding, ...]:
        """See :meth:`fuzz.beam.agent.Agent.resources`. What is durable is one sum: it may move."""
        durable, held = 0, []
        for member in self._living():
            for holding in self._ask(member, lambda m: m.agent.resources()):
                if holding.what == DURABLE:
                    durable += holding.amount
                else:
                    held.append(replace(holding, node=member.label))
        return (*held, Holding(DURABLE, "", durable)) if durable else tuple(held)

    def suspects(self) -> tuple[Suspect, ...]:
        """See :meth:`fuzz.beam.agent.Agent.suspects`."""
        found = (
            replace(suspect, node=member.label)
            for member in self._living()
            for suspect in self._ask(member, lambda m: m.agent.suspects())
        )
        return tuple(sorted(found, key=lambda suspect: -suspect.reductions))

    def find_decoder(self, decoder: Decoder) -> Candidates:
        """See :meth:`fuzz.beam.agent.Agent.find_decoder`: what any of the nodes has."""
        return sums.candidates_of(found for _, found in self._candidates(decoder))

    def decode(
        self, decoder: Decoder, inputs: Sequence[bytes], seconds: float = DECODE_SECONDS
    ) -> Batch:
        """See :meth:`fuzz.beam.agent.Agent.decode`: the first node that has it is asked."""
        owner = self._decoding.get(decoder)
        if owner is None or owner.lost:
            able = (m for m, found in self._candidates(decoder) if 1 in found.arities)
            owner = next(able, None)
            if owner is None:
                raise AgentRefusalError(f"no node has the decoder {decoder}")
            self._decoding[decoder] = owner
        batch = self._ask(owner, lambda m: m.agent.decode(decoder, inputs, seconds))
        return replace(
            batch, coverages=tuple(sums.renumbered(c, owner.numbers) for c in batch.coverages)
        )

    def _candidates(self, decoder: Decoder) -> Iterator[tuple[Member, Candidates]]:
        for member in self._living():
            yield member, self._ask(member, lambda m: m.agent.find_decoder(decoder))

    def applications(self) -> tuple[str, ...]:
        """See :meth:`fuzz.beam.agent.Agent.applications`: each with its node, of those alive."""
        return tuple(
            on_node(name, member.label)
            for member in self._living()
            for name in self._ask(member, lambda m: m.agent.applications())
        )

    def stop_app(self, name: str, seconds: float) -> None:
        """See :meth:`fuzz.beam.agent.Agent.stop_app`; ``name`` is as it is told, with its node."""
        member, app = self._owner(name)
        self._ask(member, lambda m: m.agent.stop_app(app, seconds))

    def start_app(self, name: str, seconds: float) -> None:
        """See :meth:`fuzz.beam.agent.Agent.start_app`; ``name`` is as it is told, with its node."""
        member, app = self._owner(name)
        self._ask(member, lambda m: m.agent.start_app(app, seconds))

    def restart_app(self, name: str, seconds: float, hard: bool = False) -> None:
        """See :meth:`fuzz.beam.agent.Agent.restart_app`; ``name`` is as it is told."""
        member, app = self._owner(name)
        self._ask(member, lambda m: m.agent.restart_app(app, seconds, hard))

    def detach(self) -> Detached:
        """See :meth:`fuzz.beam.agent.Agent.detach`: all of them leave."""
        left = [(m.label, self._ask(m, lambda m: m.agent.detach())) for m in self._living()]
        restored = (on_node(name, label) for label, gone in left for name in gone.restored)
        kept = ((on_node(name, label), why) for label, gone in left for name, why in gone.kept)
        return Detached(tuple(restored), tuple(kept))

    def close(self) -> None:
        """See :meth:`fuzz.beam.agent.Agent.close`."""
        for member in self._members:
            member.agent.close()

    def _living(self) -> Iterator[Member]:
        """Yield those that are not lost when their turn comes; raise if all are."""
        if all(member.lost for member in self._members):
            self._raise_lost()
        return (member for member in self._members if not member.lost)

    def _raise_lost(self) -> None:
        if self.lost():
            raise AgentError("; ".join(said_by(m, m.lost) for m in self.lost()))

    def _ask(self, member: Member, question: Callable[[Member], T]) -> T:
        """Ask one of them; an error names it, and whoever does not answer is lost."""
        try:
            return question(member)
        except AgentRefusalError as error:
            raise AgentRefusalError(said_by(member, str(error))) from None
        except AgentError as error:
            member.lost = str(error)
            raise AgentError(said_by(member, member.lost)) from None

    def _rounds(self, ask: Callable[[Member, float], bool], seconds: float | None) -> bool:
        """Ask all in rounds until one finds nothing new; tell whether that came in time.

        ``ask`` tells whether a node is at rest and has exchanged nothing since it was asked last.
        """
        if seconds is None:
            # What goes from node to node takes its time on each.
            seconds = RESTLESS_SECONDS if self._restless else QUIET_SECONDS
            seconds *= len(self._members)
        deadline = Deadline.after(self._clock, seconds, "the cluster to be at rest")
        while True:
            still = [ask(member, deadline.left()) for member in self._living()]
            if all(still) or deadline.expired():
                self._restless = not all(still)
                return all(still)

    def _note(self, member: Member, quiet: bool, traffic: int) -> bool:
        """Note the traffic of a node; tell whether it is at rest, with the traffic that it had."""
        before, member.traffic = member.traffic, traffic
        return quiet and (before == traffic or len(self._members) == 1)

    def _nothing(self) -> Heard:
        labels = {member.agent.info.name: member.label for member in self._members}
        return Heard(labels, {m.agent.info.name for m in self._members if not m.lost})

    def _hear(
        self, member: Member, heard: Heard, look: Callable[[Member], Reading]
    ) -> Reading | None:
        """Add a reading of one node; None if it is lost."""
        try:
            reading = self._ask(member, look)
        except AgentError:
            if not member.lost:
                raise
            return None
        worked = reading.vitals.reductions - member.reductions
        member.reductions = reading.vitals.reductions
        heard.add(reading, member.label, member.numbers, worked)
        return reading

    def _reading(self, heard: Heard, quiet: bool) -> Reading:
        self._living()  # raises if none is left
        lost = tuple(member.label or member.agent.info.name for member in self.lost())
        traffic = sum(member.traffic or 0 for member in self._members)
        return heard.reading(quiet and not lost, traffic, lost)

    def _owner(self, name: str) -> tuple[Member, str]:
        app, label = off_node(name)
        for member in self._members:
            if member.label == label:
                return member, app
        raise AgentRefusalError(f"no node is known of the application {name}")
