"""Agents in nodes that run already, brought in over distribution and taken out at the end.

A hidden node of ours, the envoy, connects for a second, loads the agent's modules, starts it,
and is gone; what follows is said over the agent's loopback port. Nothing is written to the
disk of the node or into its environment, and no folder is added to its code path. An agent whose
harness was killed notices that nobody is connected any more, and leaves by itself.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fuzz.beam import decode
from fuzz.beam.client import AgentClient
from fuzz.beam.cookie import read_cookie
from fuzz.beam.handshake import Found, find
from fuzz.beam.inject import NAME, SOURCES, Announcement
from fuzz.clock import Deadline
from fuzz.erlang import clean_environment, compile_erlang
from fuzz.errors import AgentError
from fuzz.node import Detached
from fuzz.settings import AttachSettings

ENVOY_SOURCES = Path(__file__).parent / "envoy"
ENVOY_NAME = "iris_fuzz_envoy"

#: A connection that is lost is made anew within a second or two, or never.
LINGER_SECONDS = 10.0
#: An agent that is about to leave a node is waited for; this often it is looked whether it has.
_LOOK_SECONDS = 0.2
#: A busy node finishes what was sent before its code is put back; longer is of no use.
_REST_SECONDS = 1.0

#: What the envoy's one line of output begins with.
_ANSWER = "IRIS_FUZZ "
#: Characters that are told of what erl says when it does not get that far: a sentence stays one.
_WORDS = 300


@dataclass(slots=True)
class _Guest:
    """An agent that is in a node, and our connection to it if there is one."""

    where: Announcement
    agent: AgentClient | None = None


class Attachment:
    """An :class:`fuzz.beam.injection.Injection` into the nodes that ``settings`` name.

    ``met`` is told of each agent that was brought in. ``linger`` is for how many seconds an agent
    stays that nobody is connected to.
    """

    def __init__(
        self,
        settings: AttachSettings,
        met: Callable[[Announcement], None] = lambda _: None,
        linger: float = LINGER_SECONDS,
    ) -> None:
        self._settings = settings
        self._met = met
        self._linger = linger
        self._token = secrets.token_hex(16)
        self._guests: dict[str, _Guest] = {}

    def environment(self) -> Mapping[str, str]:
        """Return nothing: a node that runs cannot be given an environment."""
        return {}

    def nodes(self, started: Sequence[int]) -> tuple[str, ...]:
        """See :meth:`fuzz.beam.injection.Injection.nodes`: those of the settings."""
        return self._settings.nodes

    def connect(self, node: str, deadline: Deadline) -> AgentClient:
        """See :meth:`fuzz.beam.injection.Injection.connect`."""
        guest = self._guests.get(node)
        if guest is not None:
            if guest.agent is not None:
                guest.agent.close()
            # Else the node was started anew, or the agent has left.
            with suppress(AgentError):
                guest.agent = AgentClient.connect(guest.where, self._token, deadline)
                return guest.agent
        where = self._bring_in(node, deadline)
        guest = self._guests[node] = _Guest(where)
        self._met(where)
        guest.agent = AgentClient.connect(where, self._token, deadline)
        return guest.agent

    def leave(self) -> tuple[str, ...]:
        """See :meth:`fuzz.beam.injection.Injection.leave`."""
        guests, self._guests = self._guests, {}
        return tuple(sentence for guest in guests.values() for sentence in self._take_out(guest))

    def _bring_in(self, node: str, deadline: Deadline) -> Announcement:
        pause = threading.Event()
        cookie = read_cookie(self._settings.cookie_file)
        while True:
            found = find(node, ENVOY_NAME, deadline)
            verdict, said, port, os_pid = self._send_envoy(found, cookie, deadline)
            if verdict == "in":
                return Announcement(port, found.name, os_pid, said)
            if verdict != "wait" or deadline.expired():
                raise AgentError(f"the node {found.name} takes no agent: {said}")
            pause.wait(min(_LOOK_SECONDS, deadline.left()))

    def _send_envoy(
        self, found: Found, cookie: str, deadline: Deadline
    ) -> tuple[str, str, int, int]:
        """Return what the envoy tells; see :func:`fuzz.beam.decode.arrival`."""
        ebin = str(compile_erlang(SOURCES, NAME))
        words = map(decode.text, (found.name, found.address, cookie, ebin, self._token))
        request = (decode.atom("bring"), *words, int(self._linger * 1000))
        return _asked_of_envoy(_command(found), request, deadline)

    def _take_out(self, guest: _Guest) -> list[str]:
        """Have an agent leave its node; return what stays there."""
        node = guest.where.node
        try:
            kept = self._detached(guest).kept
        except AgentError as error:
            if not Path(f"/proc/{guest.where.os_pid}").exists():
                return []
            return [
                f"the agent was not seen to leave the node {node} ({error}); it leaves by itself "
                f"when nobody is connected for {self._linger:.0f} to {2 * self._linger:.0f} s"
            ]
        return [f"{module} stays instrumented in the node {node}: {why}" for module, why in kept]

    def _detached(self, guest: _Guest) -> Detached:
        if guest.agent is not None:
            with suppress(AgentError):  # the connection may be lost, and the agent well
                return _detach(guest.agent)
        return _detach(AgentClient.connect(guest.where, self._token))


def _detach(agent: AgentClient) -> Detached:
    try:
        agent.quiet(_REST_SECONDS)
        return agent.detach()
    finally:
        agent.close()


def _command(found: Found) -> list[str]:
    """Return the command of a node that nobody can connect to, and that reads no cookie file."""
    name = f"{ENVOY_NAME}_{os.getpid()}@{found.host}"
    hidden = ("-hidden", "-dist_listen", "false", "-start_epmd", "false", "-nocookie")
    ebin = str(compile_erlang(ENVOY_SOURCES, ENVOY_NAME))
    naming = ("-name" if found.long else "-sname", name)
    return ["erl", "-noshell", "-pa", ebin, *hidden, *naming, "-s", ENVOY_NAME, "main"]


def _asked_of_envoy(
    command: list[str], request: object, deadline: Deadline
) -> tuple[str, str, int, int]:
    try:
        result = subprocess.run(
            command,
            input=base64.b64encode(decode.encode(request)) + b"\n",
            capture_output=True,
            check=False,
            timeout=max(deadline.left(), 0.001),
            env={**clean_environment(), "ERL_EPMD_ADDRESS": "127.0.0.1"},
            start_new_session=True,  # an interrupt is for us: erl would ask what to do
        )
    except FileNotFoundError:
        raise AgentError("erl is not installed, which brings the agent into a node") from None
    except subprocess.TimeoutExpired:
        raise AgentError(f"no node could be reached in time for {deadline.what}") from None
    lines = (result.stdout + result.stderr).decode(errors="replace").splitlines()
    answer = next((line.removeprefix(_ANSWER) for line in lines if line.startswith(_ANSWER)), None)
    if answer is None:
        words = " ".join(lines)[:_WORDS]
        raise AgentError(f"erl did not bring the agent into a node, and said: {words}")
    return decode.shaped(decode.arrival, base64.b64decode(answer))
