"""Nodes with names, as somebody else runs them, and a port mapper of the tests' own."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.beam.attach import Attachment
from fuzz.settings import AttachSettings
from tests.beam.nodes import FixtureNode, soon

COOKIE = "an open sesame"

_numbers = itertools.count(1)


@dataclass(slots=True)
class NamedNode:
    """A node with a name, and the file in which its cookie is."""

    fixture: FixtureNode
    name: str
    cookie_file: Path
    _attachments: list[Attachment] = field(default_factory=list)

    def eval(self, expressions: str) -> str:
        """See :meth:`FixtureNode.eval`."""
        return self.fixture.eval(expressions)

    def attachment(self, linger: float = 10.0, name: str | None = None) -> Attachment:
        """Return an attachment to it, by another name if one is given."""
        settings = AttachSettings((name or self.name,), self.cookie_file)
        self._attachments.append(Attachment(settings, linger=linger))
        return self._attachments[-1]

    def detach(self) -> None:
        """Take out what a test that failed has left in it."""
        while self._attachments:
            self._attachments.pop().leave()

    def until(self, expression: str, what: str) -> None:
        """Wait until an expression is true in the node."""
        deadline = soon(what)
        while self.eval(expression) != "true":
            assert not deadline.expired(), f"waited in vain for {what}"


@contextmanager
def named_node(
    folder: Path, host: str = "localhost", *arguments: str, name: str = ""
) -> Iterator[NamedNode]:
    """Run a node, with a new name if none is given; it is long if that of ``host`` is."""
    cookie_file = folder / "cookie"
    cookie_file.write_text(COOKIE + "\n")
    name = name or f"iris{os.getpid()}x{next(_numbers)}@{host}"
    kind = "-name" if "." in host else "-sname"
    loopback = ("-kernel", "inet_dist_use_interface", "{127,0,0,1}", "-start_epmd", "false")
    words = (kind, name, "-setcookie", COOKIE, *loopback, *arguments)
    fixture = FixtureNode({}, words)
    try:
        yield NamedNode(fixture, name, cookie_file)
    finally:
        fixture.stop()


@contextmanager
def port_mapper() -> Iterator[int]:
    """Run an epmd that only those know of who have its port in their environment."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    environment = {**os.environ, "ERL_EPMD_ADDRESS": "127.0.0.1"}
    words = ["epmd", "-port", str(port)]
    with subprocess.Popen(words, env=environment) as process:
        deadline = soon("epmd to answer")
        while subprocess.run([*words, "-names"], env=environment, capture_output=True).returncode:
            assert process.poll() is None
            assert not deadline.expired(), f"waited in vain for {deadline.what}"
        try:
            yield port
        finally:
            process.kill()
