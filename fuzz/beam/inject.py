"""Carry the agent into nodes through the environment, and learn where it listens.

Flags in ``ERL_ZFLAGS`` reach every ``erl`` that a start command launches, unchanged start
scripts included. The agent is loaded by ``-eval`` and not by ``-run``: a release runs in
embedded mode, where ``-run`` of a module that is not yet loaded ends the node.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fuzz.announced import AGENTS_FOLDER, announcement_files, facts_of
from fuzz.beam.compiled import compiled_folder
from fuzz.clock import Deadline
from fuzz.erlang import compile_erlang
from fuzz.errors import AgentError

#: The Erlang sources of the agent, and its name as an application.
SOURCES = Path(__file__).parent / "agent"
NAME = "iris_fuzz"

#: The version of the protocol that :mod:`fuzz.beam.client` speaks.
PROTOCOL_VERSION = 5

_START = "-eval catch(code:load_file(iris_fuzz_agent)),catch(iris_fuzz_agent:start())"

#: A node boots in a quarter of a second; its file is looked for a hundred times a second.
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Announcement:
    """Where an agent listens: a port of 127.0.0.1, and the node that it is in."""

    port: int
    node: str
    os_pid: int
    otp: str


class AgentFiles:
    """The folder in which agents announce themselves, and the secret that opens them."""

    def __init__(
        self,
        directory: Path | str,
        token: str | None = None,
        ebin: Path | None = None,
        compiled: Path | None = None,
    ) -> None:
        """Compile the agent if that is still to be done; raise :class:`TargetError` if it fails.

        ``ebin`` names a folder with the agent's compiled modules, ``compiled`` one for what agents
        compile, each in place of our own cache.
        """
        self.directory = Path(directory).resolve()
        self.token = token or secrets.token_hex(16)
        self.ebin = (ebin or compile_erlang(SOURCES, NAME)).resolve()
        self.compiled = compiled or compiled_folder()

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the variables to add to the environment of a start command.

        Flags that ``base`` already has in ``ERL_ZFLAGS`` are kept, in front of ours.
        """
        flags = f"-pa {_quoted(str(self.ebin))} {_START}"
        return {
            "ERL_ZFLAGS": f"{base.get('ERL_ZFLAGS', '')} {flags}".strip(),
            AGENTS_FOLDER: str(self.directory),
            "IRIS_FUZZ_COMPILED": str(self.compiled),
            "IRIS_FUZZ_TOKEN": self.token,
        }

    def announced(self) -> tuple[Announcement, ...]:
        """Return the agents that announced themselves; raise AgentError for one that failed."""
        try:
            files = announcement_files(self.directory)
            return tuple(_parse(path.name, path.read_text("utf-8")) for path in files)
        except OSError as error:
            raise AgentError(f"the agents' folder cannot be read: {error}") from None

    def forget(self) -> None:
        """Remove what agents have announced whose nodes have ended."""
        try:
            for path in announcement_files(self.directory):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise AgentError(f"the agents' folder cannot be cleared: {error}") from None

    def wait(
        self, deadline: Deadline, node: str | None = None, os_pid: int | None = None
    ) -> Announcement:
        """Return the first agent announced; raise :class:`AgentError` at the deadline.

        ``node`` asks for the agent of the node with that name, or with that name before
        the ``@``; ``os_pid`` for the one in that process.
        """
        pause = threading.Event()
        while True:
            for found in self.announced():
                named = node is None or node in (found.node, found.node.partition("@")[0])
                if named and os_pid in (None, found.os_pid) and _is_alive(found.os_pid):
                    return found
            if deadline.expired():
                raise AgentError(
                    f"no agent announced itself in time for {deadline.what}; "
                    "does the start command pass its environment on to erl?"
                )
            pause.wait(min(_LOOK_SECONDS, deadline.left()))


def _is_alive(os_pid: int) -> bool:
    """Tell whether a process runs: a node that was killed leaves its announcement behind.

    One that has ended and was not collected yet has a number still, and a state of its own.
    """
    try:
        facts = Path(f"/proc/{os_pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # The state stands behind the name, which may hold anything, in parentheses.
    return facts.rpartition(b")")[2].split()[:1] != [b"Z"]


def _quoted(path: str) -> str:
    """Quote a path for ``erl``, which splits the variable at white space."""
    return f'"{path}"' if any(char.isspace() for char in path) else path


def _parse(name: str, content: str) -> Announcement:
    facts = facts_of(content)
    if "error" in facts:
        raise AgentError(f"the agent did not start in {facts.get('node')}: {facts['error']}")
    if facts.get("version") != str(PROTOCOL_VERSION):
        raise AgentError(
            f"the agent in {facts.get('node')} speaks version {facts.get('version')} "
            f"of the protocol; this harness speaks {PROTOCOL_VERSION}"
        )
    try:
        return Announcement(int(facts["port"]), facts["node"], int(facts["os_pid"]), facts["otp"])
    except (KeyError, ValueError):
        raise AgentError(f"{name} is no announcement of an agent") from None
