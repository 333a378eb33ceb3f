"""A rig without a target: what a case does is said by the words in its bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast

from fuzz.beam.fake import FakeAgent
from fuzz.case import Case, Step, StepKind
from fuzz.clock import FakeClock
from fuzz.evidence import Pulse
from fuzz.executor import Endpoint, Finished, Names, Patience, unheard
from fuzz.executor.endpoint import SEARCHING
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.node import Application, Event, Gate, Point
from fuzz.observation import Ending, NodeExit, Observation
from fuzz.rig import Recovery, Rig
from fuzz.settings import TargetSettings
from fuzz.store.crashes import Context
from tests.oracles.evidence_support import SILENT, STUCK, observed

APPLICATION = Application("iris_ref", "1", False, ())


def case(*words: str) -> Case:
    """Return a case whose bytes hold ``words``."""
    return Case((Step(StepKind.SEND, 0, " ".join(words).encode()),))


class FakeTarget:
    """A node that ends when it is told to; waiting for that moves the clock."""

    name = "a fake"
    restartable = True
    forgets = True

    def __init__(self, clock: FakeClock) -> None:
        self.end: NodeExit | None = None
        self.on_wait: Callable[[], None] = lambda: None
        self._clock = clock

    def await_exit(self, seconds: float) -> NodeExit | None:
        if self.end is None:
            self._clock.advance(seconds)
            self.on_wait()
        return self.end


class FakeRig:
    """Does what a :class:`fuzz.rig.Rig` does, and keeps a list of what it was asked for.

    ``words`` maps a word to what a play of a case that holds it does; it may return the
    observation of that case.
    """

    def __init__(
        self,
        words: Mapping[str, Callable[[FakeRig], Observation | None]],
        points: tuple[Point, ...] = (),
        gates: tuple[Gate, ...] = (),
    ) -> None:
        self.clock = FakeClock()
        self.exact = True
        self.endpoint = Endpoint("127.0.0.1", 1)
        self.names = Names(0)
        self.target = FakeTarget(self.clock)
        self.agent: FakeAgent | None = FakeAgent(points, applications=[APPLICATION], gates=gates)
        found = self.agent.instrument()
        self.points, self.gates = found.points, found.gates
        self.node = self.agent.info
        self.births = {"": 0}
        self.ailing = ""
        #: What the silent one of several nodes is called, and one that has ended unseen.
        self.silent_node = self.vanished_node = ""
        self.pulses: list[Pulse] = []
        self.cut: tuple[str, ...] = ()
        self.calls: list[str] = []
        #: How often the bystanders were asked whether they are well.
        self.asked = 0
        self.recoveries = 0
        self.left: tuple[str, ...] = ()
        self.plays: list[tuple[tuple[Case, ...], Patience]] = []
        self._words = words

    def as_rig(self) -> Rig:
        """Return it as the rig that it stands in for."""
        return cast(Rig, self)

    def context(self, settings: TargetSettings) -> Context:
        return Context(self.target.name, "25", settings.plants, settings.switches())

    def play(
        self,
        cases: Sequence[Case],
        patience: Patience = SEARCHING,
        meanwhile: Meanwhile = nothing,
        finished: Finished = unheard,
    ) -> list[Observation]:
        self.plays.append((tuple(cases), patience))
        self.calls.append("play")
        observations = [self._play(case) for case in cases]
        for observation in observations:
            if not observation.cut_short:
                finished(observation)
        return observations

    def _play(self, played: Case) -> Observation:
        text = b" ".join(step.data for step in played.steps).decode(errors="replace")
        seen = observed()
        for word, effect in self._words.items():
            if word in text.split():
                seen = effect(self) or seen
        return seen

    def bystanders_well(self, patience: Patience = SEARCHING) -> bool:
        self.asked += 1
        return not self.cut

    def reconnect(self, seconds: float = 3.0) -> bool:
        """Tell whether the agent answers on a new connection: only if it is not silent."""
        assert self.agent is not None
        return not self.agent.silent

    def edges_served(self, seconds: float) -> tuple[str, ...]:
        return (self.ailing,) if self.pulse(seconds) is Pulse.WELL else ()

    def lost(self) -> str:
        return self.silent_node

    def vanished(self) -> str:
        return self.vanished_node

    def bystanders_cut(self) -> tuple[str, ...]:
        return self.cut

    def pulse(self, seconds: float) -> Pulse:
        """Return the next of ``pulses``; the last one stays."""
        if not self.pulses:
            return Pulse.WELL
        return self.pulses.pop(0) if len(self.pulses) > 1 else self.pulses[0]

    def reseat(self) -> None:
        self.calls.append("reseat")
        self.cut = ()

    def revive(self) -> Recovery | None:
        return None

    def recover(self, fresh_node: bool = False) -> Recovery:
        self.recoveries += 1
        how = "node" if fresh_node else "application"
        self.calls.append(f"recover {how}")
        self.cut, self.pulses, self.target.end = (), [], None
        levels = self.agent.levels if self.agent is not None else None
        self.agent = FakeAgent(self.points, applications=[APPLICATION])
        self.agent.instrument()
        if levels is not None:
            self.agent.levels = levels
        return Recovery(how, 0.5)

    # What cases do.

    def grow(self, atoms: int = 0, processes: int = 0) -> None:
        """Let counts of the node rise."""
        assert self.agent is not None
        levels = self.agent.levels
        self.agent.levels = replace(
            levels, atoms=levels.atoms + atoms, processes=levels.processes + processes
        )


def reports(*events: Event) -> Callable[[FakeRig], None]:
    """Return an effect: the node logs ``events``."""

    def effect(rig: FakeRig) -> None:
        for event in events:
            if rig.agent is not None:
                rig.agent.report(event)

    return effect


def hangs(rig: FakeRig) -> Observation:
    """Be silent, with a process that loops."""
    assert rig.agent is not None
    rig.agent.stuck = (STUCK,)
    return SILENT


def cuts_bystanders(rig: FakeRig) -> None:
    rig.cut = ("a client that is logged in",)


def stops_application(rig: FakeRig) -> Observation:
    rig.pulses = [Pulse.REFUSED]
    cuts_bystanders(rig)
    return observed(Ending.RESET)


def ends_node(rig: FakeRig) -> Observation:
    assert rig.agent is not None
    rig.agent.silent = True
    rig.target.end = NodeExit(None, "SIGABRT")
    return observed(Ending.RESET)


def leaks(rig: FakeRig) -> None:
    rig.grow(atoms=2)
