"""What the rest of the harness may ask of an agent, real or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fuzz.node import Detached, Holding, Instrumentation, NodeInfo, Reading, Suspect, Vitals

#: Compiling some hundred modules on a busy machine.
INSTRUMENT_SECONDS = 300.0
#: A healthy node is at rest within a millisecond; on a loaded machine it may not get to run for
#: hundreds. One that has work for longer is looked at, not waited for.
QUIET_SECONDS = 0.5
#: A node that was not at rest after that has a process that loops, and serves everybody else:
#: until it comes to rest again, it is given only so long.
RESTLESS_SECONDS = 0.25
#: A node that cannot tell its counts for this long is stuck or dead.
REPLY_SECONDS = 5.0


class Agent(Protocol):
    """A helper inside a BEAM node.

    Every call ends in time, and raises :class:`fuzz.errors.AgentError` when the agent is
    silent, gone, or cannot do what it was asked. After silence the agent is unusable: a
    late answer must not be taken for the answer to the next question.
    """

    @property
    def info(self) -> NodeInfo:
        """Return the node as it was at the hello."""
        ...

    def instrument(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        seconds: float = INSTRUMENT_SECONDS,
    ) -> Instrumentation:
        """Put coverage points into the target's modules, while they run.

        Patterns (``*``, ``?``) match the name of a module or of its application. Without
        any, these are the modules of running applications that are not part of OTP. The
        same selection gives the same points, in the same order, at any time.
        """
        ...

    def read(self) -> Reading:
        """Return what happened since the last reading, and start anew."""
        ...

    def quiet(self, seconds: float | None = None) -> bool:
        """Return True as soon as the node has nothing left to do, False if it was not in time.

        None is :data:`QUIET_SECONDS`, or :data:`RESTLESS_SECONDS` if the node was not at rest
        the last time either.

        What was sent to the node before has been received and handled when it is True. A
        report of it may still be on its way to the log: :meth:`settle` waits for that too.
        """
        ...

    def settle(self, seconds: float | None = None) -> Reading:
        """Wait as :meth:`quiet`, then for what is being logged, and :meth:`read`.

        :attr:`Reading.quiet` tells whether the node came to rest in time; if so, every
        crash that what was sent led to is in this reading.
        """
        ...

    def vitals(self) -> Vitals:
        """Return the long look at the node."""
        ...

    def resources(self) -> tuple[Holding, ...]:
        """Collect the target's garbage, and return what it still holds."""
        ...

    def suspects(self) -> tuple[Suspect, ...]:
        """Return the processes that are busy or wait for an answer, the busiest first."""
        ...

    def applications(self) -> tuple[str, ...]:
        """Return the names of the applications that run now."""
        ...

    def stop_app(self, name: str, seconds: float) -> None:
        """Stop an application."""
        ...

    def start_app(self, name: str, seconds: float) -> None:
        """Start an application and what it needs."""
        ...

    def restart_app(self, name: str, seconds: float) -> None:
        """Stop an application if it runs, and start it."""
        ...

    def detach(self) -> Detached:
        """Put the original code back and leave the node without a trace; closes the agent."""
        ...

    def close(self) -> None:
        """Hang up. The agent stays in the node, and what is instrumented stays so."""
        ...
