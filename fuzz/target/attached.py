"""A target that is already running: never started or stopped by us.

It is seen from outside. Where an agent in its node has told which process that is, on this
machine, the end of the process is seen as well.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from fuzz.errors import TargetError
from fuzz.observation import NodeExit
from fuzz.target.base import Address, Manner

#: A listener on the same machine accepts at once; one elsewhere within a round trip or two.
_CONNECT_SECONDS = 5.0
_LAST_PORT = 65_535


class AttachedTarget:
    """An address that somebody else looks after; ``further`` are other edges of its cluster.

    ``websocket_port`` is its port for that, unless ``manner`` says how clients come.
    """

    restartable = False
    forgets = False

    def __init__(
        self,
        host: str,
        port: int,
        websocket_port: int | None = None,
        manner: Manner | None = None,
        further: tuple[Address, ...] = (),
    ) -> None:
        self.name = f"{host}:{port}"
        manner = manner or Manner(websocket_port=websocket_port)
        edges = tuple(_guessed(edge.host, edge.port) for edge in further)
        self._address = manner.applied(replace(_guessed(host, port), further=edges))
        self._stopped = threading.Event()
        #: The processes of nodes by name, as descriptors: a number could become another's.
        self._followed: dict[str, int] = {}

    def follow(self, node: str, os_pid: int, port: int) -> None:
        """Take ``os_pid`` for the process of a node, whose agent listens on ``port``.

        One that is gone is not followed; nor is one that cannot be it: a node in a container has a
        number there that may be a stranger's here.
        """
        self._let_go(node)
        with suppress(OSError):
            process = os.pidfd_open(os_pid)
            if _may_listen(os_pid, port):
                self._followed[node] = process
            else:
                os.close(process)

    def start(self, environment: Mapping[str, str]) -> Address:
        """Return the address; a running node cannot be given an environment.

        Raises :class:`TargetError` when nobody listens there.
        """
        self._stopped.clear()
        address = (self._address.host, self._address.port)
        try:
            socket.create_connection(address, _CONNECT_SECONDS).close()
        except OSError as error:
            raise TargetError(
                f"{self.name} cannot be reached ({error.strerror or error}); is it running?"
            ) from None
        return self._address

    def nodes(self) -> tuple[int, ...]:
        """Return none: nothing was started here."""
        return ()

    def poll(self) -> NodeExit | None:
        """Return which node ended, if that was seen; how it did is told to whoever started it."""
        return self._first_ended(0)

    def await_exit(self, seconds: float) -> NodeExit | None:
        """Return at the end of a node if that is seen, None when time is over or it was stopped.

        A stop does not cut short a wait for a process that is followed.
        """
        if not self._followed:
            self._stopped.wait(seconds)
        return self._first_ended(seconds)

    def stop(self) -> None:
        """Leave it as it is, since it was not started here; end a wait for it."""
        self._stopped.set()
        for node in tuple(self._followed):
            self._let_go(node)

    def retire(self) -> None:
        """See :meth:`fuzz.target.base.Target.retire`; it is not ours to start."""
        self.stop()

    def _let_go(self, node: str) -> None:
        if node in self._followed:
            os.close(self._followed.pop(node))

    def _first_ended(self, seconds: float) -> NodeExit | None:
        names = {process: node for node, process in self._followed.items()}
        poll = select.poll()
        for process in names:
            poll.register(process, select.POLLIN)
        ended = poll.poll(seconds * 1000) if names else []
        # What else there may be is that the descriptor was closed meanwhile.
        node = next((names[one] for one, event in ended if event & select.POLLIN), None)
        return None if node is None else NodeExit(status=None, signal=None, node=node)


def _may_listen(os_pid: int, port: int) -> bool:
    """Tell whether a process listens on a TCP port, or is somebody's whose sockets are not told."""
    import psutil  # here, since each verb imports this module, and few attach

    try:
        found = psutil.Process(os_pid).net_connections(kind="tcp")
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False
    return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in found)


def _guessed(host: str, port: int) -> Address:
    """Return the address of an edge: the next port may be that of WebSocket."""
    following = port + 1 if port < _LAST_PORT else None
    return Address(host, port, following, websocket_certain=False)
