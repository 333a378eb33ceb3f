"""What the rest of the harness knows of a target."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from fuzz.errors import SettingsError
from fuzz.observation import NodeExit
from fuzz.tls import ClientTls


@dataclass(frozen=True, slots=True)
class Address:
    """Where an edge listens: host, raw TCP port, WebSocket port where there is one.

    ``secret`` signs the tokens that LOGIN needs; None where it needs none, or nobody told.
    ``revoked`` are the values of ``jti`` that it was told to refuse. ``further`` are the other
    edges of the same cluster. It ``defers`` if LOGIN may be answered before all is done that it
    leads to, such as the messages that waited: as a rule, for another node has them.

    ``tls`` is how clients speak TLS to it, None where it is plain. ``websocket`` asks that a
    connection comes over WebSocket where a case does not say how it comes. ``websocket_certain``
    is false where nobody knows whether there is such a port, and it is to be found out.
    """

    host: str
    port: int
    websocket_port: int | None = None
    secret: bytes | None = None
    revoked: frozenset[str] = frozenset()
    further: tuple[Address, ...] = ()
    defers: bool = True
    tls: ClientTls | None = None
    websocket: bool = False
    websocket_certain: bool = True


@dataclass(frozen=True, slots=True)
class Manner:
    """How clients come to a server that is not the embedded one; see :class:`Address`."""

    tls: ClientTls | None = None
    websocket: bool = False
    websocket_port: int | None = None

    def applied(self, address: Address) -> Address:
        """Return ``address`` with this; its further edges get the same, but for the port."""
        others = replace(self, websocket_port=None)
        changed = replace(
            address,
            tls=self.tls,
            websocket=self.websocket,
            further=tuple(others.applied(edge) for edge in address.further),
        )
        if self.websocket_port is None:
            return changed
        return replace(changed, websocket_port=self.websocket_port, websocket_certain=True)


class Target(Protocol):
    """A server under test.

    ``start`` returns when the target says that it accepts connections, and raises
    :class:`fuzz.errors.TargetError` with its own last words when it does not come up.
    ``poll`` returns how the node ended, or None while it lives (or cannot be seen).
    A target that the harness did not start is never stopped, and ``restartable`` is false. One
    that ``forgets`` has nothing of what it stored when it has been started again.
    """

    name: str
    restartable: bool
    forgets: bool

    def start(self, environment: Mapping[str, str]) -> Address:
        """Bring it up with ``environment`` added to the harness's own."""
        ...

    def nodes(self) -> tuple[int, ...]:
        """Return the operating system's numbers of the nodes that it started and that live."""
        ...

    def poll(self) -> NodeExit | None:
        """Return how the node ended, or None."""
        ...

    def await_exit(self, seconds: float) -> NodeExit | None:
        """Wait at most ``seconds`` for the node to end."""
        ...

    def stop(self) -> None:
        """End what ``start`` started, and nothing else."""
        ...

    def retire(self) -> None:
        """End the nodes as ``stop`` does; they are to be started again at once."""
        ...


def is_loopback(address: str) -> bool:
    """Tell whether ``address``, as :func:`loopback_only` returns one, is this machine's own."""
    return ipaddress.ip_address(address).is_loopback


def loopback_only(host: str, allowed: Collection[str]) -> str:
    """Return the address of ``host`` if it may be fuzzed.

    Raises :class:`SettingsError` for a name that does not resolve, and for every host
    that is neither on the loopback interface nor in ``allowed``.
    """
    try:
        address = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError) as error:
        # A name that is no name (an empty or endless part) does not even get to the resolver.
        reason = error.strerror if isinstance(error, OSError) else "it is no host name"
        raise SettingsError(f"the host {host} cannot be resolved: {reason}") from None
    if is_loopback(str(address)) or host in allowed:
        return str(address)
    raise SettingsError(
        f"{host} is not on the loopback interface; name it with --allow-host {host} "
        "if it is yours to fuzz"
    )
