"""A target that is already running: seen from outside only, never started or stopped."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping

from fuzz.errors import TargetError
from fuzz.observation import NodeExit
from fuzz.target.base import Address

#: A listener on the same machine accepts at once; one elsewhere within a round trip or two.
_CONNECT_SECONDS = 5.0


class AttachedTarget:
    """An address that somebody else looks after; ``further`` are other edges of its cluster."""

    restartable = False

    def __init__(
        self,
        host: str,
        port: int,
        websocket_port: int | None = None,
        further: tuple[Address, ...] = (),
    ) -> None:
        self.name = f"{host}:{port}"
        self._address = Address(host, port, websocket_port, further=further)
        self._stopped = threading.Event()

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
        """Return None: the node's process is not ours to see."""
        return None

    def await_exit(self, seconds: float) -> NodeExit | None:
        """Return None when the time is over, or it was stopped: the process is not ours to see."""
        self._stopped.wait(seconds)
        return None

    def stop(self) -> None:
        """Leave it as it is, since it was not started here; end a wait for it."""
        self._stopped.set()
