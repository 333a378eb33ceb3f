"""Where to connect, and how long to wait for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fuzz.case import Transport
from fuzz.settings import transport_name
from fuzz.tls import ClientTls


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An edge: its raw TCP port and, where it has one, its WebSocket port.

    ``further`` are the other edges of the same cluster. ``name`` is that of its node, or what else
    tells it from the others; empty where there are none. ``defers`` is that of its address.
    ``tls`` is how clients speak TLS to the raw port, ``websocket_tls`` to the other; None where
    that is plain. ``usual`` is how a connection comes of which the case says nothing else.
    """

    host: str
    port: int
    websocket_port: int | None = None
    further: tuple[Endpoint, ...] = ()
    name: str = ""
    defers: bool = False
    tls: ClientTls | None = None
    websocket_tls: ClientTls | None = None
    usual: Transport = Transport.TCP

    def edges(self) -> tuple[Endpoint, ...]:
        """Return all edges of the cluster, this one first."""
        return (self, *self.further)

    def edge(self, number: int) -> Endpoint:
        """Return the edge of a case's OPEN step; see :attr:`fuzz.case.Step.edge`."""
        return self.edges()[number % (1 + len(self.further))] if number else self

    def named(self, names: Sequence[str]) -> Endpoint:
        """Return it with ``names`` for its edges; several without one are numbered."""
        edges = self.edges()
        if not names:
            numbers = range(1, len(edges) + 1)
            names = [f"edge {number}" for number in numbers] if self.further else [""]
        first, *others = (replace(e, name=name) for e, name in zip(edges, names, strict=True))
        return replace(first, further=tuple(others))

    def tls_of(self, transport: Transport) -> ClientTls | None:
        """Return how TLS is spoken where connections of ``transport`` go."""
        return self.tls if transport is Transport.TCP else self.websocket_tls

    @property
    def transport(self) -> str:
        """Return over what the usual connection comes: one of the transports of the settings."""
        return transport_name(
            self.tls_of(self.usual) is not None, self.usual is Transport.WEBSOCKET
        )


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that each wait may take before it counts as silence.

    While searching, waits are short: silence there is only a suspicion, confirmed by a
    play with :data:`CONFIRMING` patience before anybody is told.
    """

    connect: float
    reply: float
    close: float


#: A healthy node answers in a millisecond; a loaded machine may take a few hundred.
SEARCHING = Patience(connect=1.0, reply=1.0, close=1.0)
#: Nothing but a stuck process makes a client on the same machine wait this long.
CONFIRMING = Patience(connect=3.0, reply=3.0, close=3.0)
