"""What the rest of the harness may ask of an agent, real or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fuzz.decoding import Batch, Candidates, Decoder
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.node import Detached, Holding, Instrumentation, NodeInfo, Reading, Rest, Suspect, Vitals

#: Compiling some hundred modules on a busy machine.
INSTRUMENT_SECONDS = 300.0
#: A healthy node is at rest within a millisecond; on a loaded machine it may not get to run for
#: hundreds. One that has work for longer is looked at, not waited for.
QUIET_SECONDS = 0.5
#: A node that was not at rest after that has a process that loops, and serves everybody else:
#: until it comes to rest again, it is given only so long.
RESTLESS_SECONDS = 0.25
#: A decoder that takes longer for one input loops: the largest takes some milliseconds. A batch
#: ends after as long, and what is left of it is asked for again.
DECODE_SECONDS = 0.25
#: Inputs of one request, whose numbers in the answer have 16 bits, and their bytes: the agent takes
#: requests of twice as many.
MAX_INPUTS = 65_535
MAX_INPUT_BYTES = 4 * 1024 * 1024
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
        any, these are the modules of the project's own applications (see iris_fuzz_select). The
        same selection gives the same points, in the same order, at any time.
        """
        ...

    def read(self) -> Reading:
        """Return what happened since the last reading, and start anew."""
        ...

    def quiet(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> bool:
        """Return True as soon as the node has nothing left to do, False if it was not in time.

        None is :data:`QUIET_SECONDS`, or :data:`RESTLESS_SECONDS` if the node was not at rest
        the last time either. ``meanwhile`` is called until there is an answer, or nothing to do.

        What was sent to the node before has been received and handled when it is True. A
        report of it may still be on its way to the log: :meth:`settle` waits for that too.
        """
        ...

    def rest(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> Rest:
        """Wait as :meth:`quiet`, and tell what the node has exchanged with other nodes."""
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

    def find_decoder(self, decoder: Decoder) -> Candidates:
        """Return what the node has by the name of ``decoder``, and what looks like one."""
        ...

    def decode(
        self, decoder: Decoder, inputs: Sequence[bytes], seconds: float = DECODE_SECONDS
    ) -> Batch:
        """Call ``decoder`` with inputs, one after the other, in one fresh process of the node.

        At least the first has an outcome, and as many more as are done in ``seconds``; of more
        than :data:`MAX_INPUTS` or :data:`MAX_INPUT_BYTES` the rest is left out. The outcomes end
        with an input that killed the process or took as long by itself.
        """
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

    def restart_app(self, name: str, seconds: float, hard: bool = False) -> None:
        """Stop an application if it runs, and start it.

        A supervisor waits for a child that is stuck, seconds by default; ``hard`` kills such a
        child at once. What is then still busy may not have written what it holds.
        """
        ...

    def detach(self) -> Detached:
        """Put the original code back and leave the node without a trace; closes the agent."""
        ...

    def close(self) -> None:
        """Hang up. The agent stays in the node, and what is instrumented stays so."""
        ...
