"""What the tests of the executor share: short ways to write cases and to play them."""

from __future__ import annotations

from fuzz.case import Case, Step, StepKind, Transport
from fuzz.clock import Clock, SystemClock
from fuzz.executor import Executor, Names, Patience
from fuzz.observation import ConnectionTrace, Observation
from tests.executor.fake_server import ScriptedServer

#: Patience for plays that are answered: a machine that is busy may still take its time.
AMPLE = Patience(5.0, 5.0, 5.0)
#: Patience for plays that meet silence, which these tests have to sit out.
SCANT = Patience(0.1, 0.1, 0.1)


def open_(connection: int = 0, transport: Transport = Transport.TCP) -> Step:
    return Step(StepKind.OPEN, connection, value=transport)


def login(connection: int = 0, user: bytes = b"<user:A>") -> Step:
    return Step(StepKind.LOGIN, connection, user)


def send(data: bytes, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, data)


def pause(milliseconds: int) -> Step:
    return Step(StepKind.PAUSE, value=milliseconds)


def half_close(connection: int = 0) -> Step:
    return Step(StepKind.HALF_CLOSE, connection)


def reset(connection: int = 0) -> Step:
    return Step(StepKind.RESET, connection)


WAIT = Step(StepKind.WAIT)


def executor(
    server: ScriptedServer, names: Names | None = None, clock: Clock | None = None
) -> Executor:
    names = names or Names(start=0)
    return Executor(server.endpoint, server.quiet, names, clock or SystemClock())


def play(server: ScriptedServer, *steps: Step, patience: Patience = AMPLE) -> Observation:
    """Play one case alone and return what was seen."""
    return executor(server).play([Case(steps)], patience)[0]


def trace_of(server: ScriptedServer, *steps: Step, patience: Patience = AMPLE) -> ConnectionTrace:
    """Play one case with one connection and return its trace."""
    (trace,) = play(server, *steps, patience=patience).traces
    return trace
