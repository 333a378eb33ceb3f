"""The first questions to a target: over what do its ports speak?

An address says where a target listens, an :class:`Endpoint` also how. Whether TLS is spoken, and
whether a port that may be that of WebSocket is, shows only when a client comes; so one comes, asks
for a status, and goes.
"""

from __future__ import annotations

from dataclasses import replace

from fuzz.bystanders import Bystander
from fuzz.case import Transport
from fuzz.clock import Clock, Deadline
from fuzz.errors import TargetError
from fuzz.executor import Endpoint, Names
from fuzz.target import Address
from fuzz.tls import ClientTls

#: Seconds for a connection, a handshake, an upgrade and an answer: a client elsewhere, to a server
#: that is busy, needs a few tenths of one.
_SECONDS = 5.0


def greet(address: Address, names: Names, clock: Clock) -> Endpoint:
    """Return how clients come to ``address``.

    Raises :class:`TargetError` for a server whose TLS comes to nothing, and where WebSocket is
    asked for and not spoken.
    """
    further = tuple(greet(edge, names, clock) for edge in address.further)
    host, own = address.host, address.port
    # Over TLS an answer comes in records: the first may be read before the others are sent.
    defers = address.defers or address.tls is not None
    plain = Endpoint(host, own, None, further, defers=defers, tls=address.tls)
    where = f"{host}:{own}"
    if address.tls is not None:
        refusal = _greeted(plain, Transport.TCP, names, clock)
        if refusal:
            raise TargetError(f"{where} is not to be had over TLS: {refusal}")
    endpoint = _with_websocket(plain, address, names, clock)
    if not address.websocket:
        return endpoint
    if endpoint.websocket_port is None:
        port = address.websocket_port
        looked = "" if port is None else f": nobody on port {port} answers an upgrade"
        raise TargetError(
            f"{where} is not to be had over WebSocket{looked}; name its port with --websocket-port"
        )
    return replace(endpoint, usual=Transport.WEBSOCKET)


def _with_websocket(plain: Endpoint, address: Address, names: Names, clock: Clock) -> Endpoint:
    """Return ``plain`` with the WebSocket port of ``address``, if there is one.

    A server with TLS on one of its ports need not have it on the other.
    """
    port = address.websocket_port
    ways: tuple[ClientTls | None, ...] = (None,) if address.tls is None else (address.tls, None)
    candidates = [replace(plain, websocket_port=port, websocket_tls=tls) for tls in ways]
    if port is None:
        return plain
    if address.websocket_certain and address.tls is None:
        return candidates[0]
    for candidate in candidates:
        if not _greeted(candidate, Transport.WEBSOCKET, names, clock):
            return candidate
    if address.websocket_certain:
        raise TargetError(f"{address.host}:{port}: nobody answers an upgrade to WebSocket there")
    return plain


def _greeted(endpoint: Endpoint, transport: Transport, names: Names, clock: Clock) -> str:
    """Be a client once; return why it was not served, and nothing if it was."""
    client = Bystander("greeting", endpoint, None, names.tokens, transport)
    deadline = Deadline.after(clock, _SECONDS, "a client to be greeted")
    try:
        if client.open(deadline):
            client.ask()
            if client.answered(deadline):
                return ""
        return client.refusal or "a client is not answered"
    finally:
        client.close()
