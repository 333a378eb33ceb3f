"""Erlang nodes for the tests: started with the fixture application, spoken to by a pipe."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fuzz.beam import AgentClient, AgentFiles, Announcement, Event
from fuzz.clock import Deadline, SystemClock
from fuzz.erlang import clean_environment, compile_erlang

FIXTURE = Path(__file__).parent / "fixture_app"

#: A node boots in a third of a second on an idle machine.
BOOT_SECONDS = 30.0


def soon(what: str, seconds: float = BOOT_SECONDS) -> Deadline:
    """Return a deadline for something that happens at once on an idle machine."""
    return Deadline.after(SystemClock(), seconds, what)


class FixtureNode:
    """A node that evaluates expressions, and ends with its standard input."""

    def __init__(
        self, environment: Mapping[str, str], arguments: tuple[str, ...] = (), start: bool = True
    ) -> None:
        ebin = compile_erlang(FIXTURE, "fixture")
        command = ("erl", "-noshell", "+S", "2:2", "-pa", str(ebin), *arguments)
        self.process = subprocess.Popen(
            [*command, "-eval", "fixture_ctl:start()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**clean_environment(), **environment},
        )
        self._buffer = b""
        assert self._answer() == "ready"
        if start:
            assert self.eval("application:start(fixture)") == "ok"

    def eval(self, expressions: str) -> str:
        """Return the value of expressions, as Erlang text in one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{expressions}.\n".encode())
        self.process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        """End the node, by its standard input if it still listens."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        deadline = soon("the node's answer")
        while not deadline.expired():
            line, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                if line.startswith(b"=> "):
                    return line[3:].decode("latin-1")
                continue
            ready, _, _ = select.select([self.process.stdout], [], [], deadline.left())
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if ready and not data:
                raise AssertionError(f"the node ended: {self._buffer.decode()}")
            self._buffer += data
        raise AssertionError(f"waited in vain for {deadline.what}")


@dataclass(frozen=True, slots=True)
class AgentNode:
    """A node, the client of its agent, and how they found each other."""

    fixture: FixtureNode
    agent: AgentClient
    files: AgentFiles
    where: Announcement

    def eval(self, expressions: str) -> str:
        """See :meth:`FixtureNode.eval`."""
        return self.fixture.eval(expressions)

    def until(self, expression: str, what: str) -> None:
        """Wait until an expression is true in the node."""
        deadline = soon(what)
        while self.eval(expression) != "true":
            assert not deadline.expired(), f"waited in vain for {what}"

    def events_of(self, expressions: str) -> tuple[Event, ...]:
        """Return the events that expressions lead to."""
        self.eval(expressions)
        reading = self.agent.settle(5)
        assert reading.quiet
        return reading.events
