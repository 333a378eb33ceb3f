"""Captures out of what is said: packets with checksums, handshakes and numbers that are right.

One machine speaks to another over Ethernet; both have addresses of the documentation (RFC 5737).
Each connection has a client's port of its own. What a client sends at once is pushed, so that it
is known where it ends however many packets it takes. All that is sent is acknowledged.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dpkt

from fuzz.errors import UnplayableError
from fuzz.formats.spoken import Said, Saying

_CLIENT, _SERVER = socket.inet_aton("192.0.2.2"), socket.inet_aton("192.0.2.1")
_CLIENT_LINK, _SERVER_LINK = b"\x02\x00\x00\x00\x00\x02", b"\x02\x00\x00\x00\x00\x01"
#: The first of the ports that systems give to clients (RFC 6335).
_FIRST_PORT = 49_152
_LAST_PORT = 65_535
#: Bytes in one packet: what Ethernet carries, less the headers.
_SEGMENT = 1_460
#: As the maximum segment size is announced in a SYN.
_OPTIONS = b"\x02\x04" + _SEGMENT.to_bytes(2, "big")
#: Seconds between two packets.
_TICK = 0.0001
_SNAPLEN = 262_144
_FIN, _SYN, _RST = dpkt.tcp.TH_FIN, dpkt.tcp.TH_SYN, dpkt.tcp.TH_RST
_PUSH, _ACK = dpkt.tcp.TH_PUSH, dpkt.tcp.TH_ACK


@dataclass(slots=True)
class _Side:
    """One end of a connection: ``next`` is the sequence number of its next byte."""

    link: bytes
    address: bytes
    port: int
    next: int
    closed: bool = False


class _Link:
    """A connection, which turns what is said into packets."""

    def __init__(self, number: int, port: int) -> None:
        # The numbers differ from connection to connection, as they do anywhere.
        start = 1_000_000 * (number + 1)
        self.client = _Side(_CLIENT_LINK, _CLIENT, _FIRST_PORT + number, start)
        self.server = _Side(_SERVER_LINK, _SERVER, port, start + 500_000_000)
        self.packets: list[bytes] = []

    def shake_hands(self) -> None:
        self._send(self.client, self.server, _SYN)
        self._send(self.server, self.client, _SYN | _ACK)
        self._acknowledge(self.client, self.server)

    def say(self, source: _Side, data: bytes) -> None:
        target = self._other(source)
        for start in range(0, len(data), _SEGMENT):
            part = data[start : start + _SEGMENT]
            last = start + _SEGMENT >= len(data)
            self._send(source, target, _ACK | (_PUSH if last else 0), part)
            self._acknowledge(target, source)

    def end(self, source: _Side) -> None:
        if not source.closed:
            source.closed = True
            self._send(source, self._other(source), _FIN | _ACK)
            self._acknowledge(self._other(source), source)

    def cut(self, source: _Side) -> None:
        source.closed = self._other(source).closed = True
        self._send(source, self._other(source), _RST | _ACK)

    def _other(self, side: _Side) -> _Side:
        return self.server if side is self.client else self.client

    def _acknowledge(self, source: _Side, target: _Side) -> None:
        self._send(source, target, _ACK)

    def _send(self, source: _Side, target: _Side, flags: int, data: bytes = b"") -> None:
        tcp = dpkt.tcp.TCP(
            sport=source.port,
            dport=target.port,
            seq=source.next,
            ack=target.next if flags & _ACK else 0,
            flags=flags,
            win=65_535,
            data=data,
        )
        if flags & _SYN:
            tcp.opts = _OPTIONS
            tcp.off += len(_OPTIONS) // 4
        ip = dpkt.ip.IP(
            src=source.address, dst=target.address, p=dpkt.ip.IP_PROTO_TCP, df=1, data=tcp
        )
        ip.len = len(ip)
        frame = dpkt.ethernet.Ethernet(
            dst=target.link, src=source.link, type=dpkt.ethernet.ETH_TYPE_IP, data=ip
        )
        self.packets.append(bytes(frame))
        grown = len(data) + bool(flags & (_SYN | _FIN))
        source.next = (source.next + grown) % 2**32


def written(said: Iterable[Said], ports: Sequence[int], began: float) -> bytes:
    """Return what was ``said`` as a pcap file.

    ``ports`` are those of the edges, counted from the first again where there are fewer; the
    WebSocket port of each is the next one. ``began`` is the time of the first packet, in seconds
    since 1970. A connection that the server did not end is ended by it in answer to its client.
    Raises :class:`UnplayableError` where a WebSocket port would be behind the last.
    """
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, snaplen=_SNAPLEN, linktype=dpkt.pcap.DLT_EN10MB)
    links: dict[int, _Link] = {}
    now = began
    told = list(said)
    ending = {one.connection for one in told if one.saying in (Saying.LEFT, Saying.THROWN_OUT)}
    for one in told:
        if one.saying is Saying.PAUSED:
            now += one.value / 1000
            continue
        if one.saying is Saying.OPENED:
            port = ports[one.value % len(ports)] + one.web
            if port > _LAST_PORT:
                raise UnplayableError(f"it comes over WebSocket, and no port is behind {port - 1}")
            links[one.connection] = _Link(one.connection, port)
        link = links[one.connection]
        _packets_of(one, link, answers=one.connection not in ending)
        for packet in link.packets:
            writer.writepkt(packet, now)
            now += _TICK
        link.packets.clear()
    return file.getvalue()


def _packets_of(one: Said, link: _Link, answers: bool) -> None:
    """Add the packets of one saying to its link; ``answers`` lets the server end as we do."""
    match one.saying:
        case Saying.OPENED:
            link.shake_hands()
        case Saying.SENT:
            link.say(link.client, one.data)
        case Saying.HEARD:
            link.say(link.server, one.data)
        case Saying.ENDED:
            link.end(link.client)
            if answers:
                link.end(link.server)
        case Saying.CUT:
            link.cut(link.client)
        case Saying.LEFT:
            link.end(link.server)
        case Saying.THROWN_OUT:
            link.cut(link.server)
