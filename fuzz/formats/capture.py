"""Connections out of a capture (pcap or pcapng), whatever links and losses it went over.

Read are IPv4 and IPv6 over Ethernet (VLAN tags included), loopback, raw IP and Linux's cooked
headers. What is no TCP to or from the ports asked for is passed over, and so are fragments of IP.
The file is read packet by packet, and no more of it is kept than :data:`MAX_KEPT` bytes.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import BinaryIO

import dpkt

from fuzz.errors import CaseFileError
from fuzz.formats.tcp import Direction

#: Bytes kept of one capture, and connections: sixty times what one case may hold, and several
#: hundred cases.
MAX_KEPT = 256 * 1024 * 1024
MAX_CONNECTIONS = 32_768
#: What an event takes besides its bytes: so many segments of one byte would fill a memory too.
_EVENT_BYTES = 128
#: The longest packet or block that any capture program writes is 256 KiB; what is said to be longer
#: than this is not believed.
_MAX_READ = 16 * 1024 * 1024

_MAGICS = (
    b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
)  # fmt: skip
_ETHERNET, _LOOPBACK, _COOKED, _COOKED_2 = 1, (0, 108), 113, 276
_RAW = (12, 14, 101, 228, 229)
#: What dpkt lets out when a packet is not what it says.
_DAMAGED = (dpkt.Error, ValueError, IndexError, KeyError, AttributeError, struct.error)


class What(Enum):
    """What happened on a connection."""

    OPENED = "opened"
    SENT = "sent"  # by the client
    HEARD = "heard"
    ENDED = "ended"  # the client has nothing more to send
    CUT = "cut"  # the client has reset it


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with its ``data`` if it is bytes; ``order`` is that of time."""

    order: tuple[float, int]
    what: What
    data: bytes = b""
    pushed: bool = False


@dataclass(slots=True)
class Flow:
    """A connection to a server's port: the ``edge`` counts the ports asked for.

    ``beside`` tells that it went to the port next to one, where WebSocket is expected; ``late``
    that its beginning was not captured, and ``missing`` that bytes of the client were not.
    """

    client: str
    edge: int
    beside: bool
    events: list[Event] = field(default_factory=list)
    late: bool = False
    missing: bool = False


@dataclass(slots=True)
class _Open:
    """A connection while it is read."""

    flow: Flow
    begun: int | None
    sent: Direction = field(default_factory=Direction)
    heard: Direction = field(default_factory=Direction)
    #: The client has nothing more to send, and nobody has.
    ended: bool = False
    over: bool = False


def is_capture(data: bytes) -> bool:
    """Tell whether a file that begins with ``data`` is a capture, by its magic."""
    return data.startswith(_MAGICS)


def connections(path: Path, ports: Sequence[int]) -> list[Flow]:
    """Return the connections to ``ports``, and to those next to them, in the order of time.

    Raises :class:`CaseFileError` with the reason for a file that is no capture, or is damaged, or
    holds none.
    """
    try:
        with path.open("rb") as file:
            reassembly = _Reassembly(ports)
            for at, number, segment, ends in _segments(file):
                reassembly.take((at, number), segment, ends)
    except OSError as error:
        raise CaseFileError(f"it cannot be read: {error.strerror}") from None
    return reassembly.finished()


class _Bounded:
    """A file that hands out no more at once than a packet can hold."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.name = ""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAX_READ:
            raise ValueError(f"a packet or block is said to have {size} bytes")
        data = self._file.read(size)
        if 0 < len(data) < size:
            raise EOFError
        return data


def _segments(file: BinaryIO) -> Iterator[tuple[float, int, dpkt.tcp.TCP, tuple[bytes, bytes]]]:
    """Yield (time, number, TCP segment, addresses) of each packet that has one.

    A last packet that is cut short is passed over: a capture that was killed ends like that.
    """
    magic = file.read(4)
    file.seek(0)
    if not is_capture(magic):
        raise CaseFileError("it is no capture: neither pcap nor pcapng begins like this")
    kind = dpkt.pcapng.Reader if magic == _MAGICS[-1] else dpkt.pcap.Reader
    try:
        reader = kind(_Bounded(file))
        link = reader.datalink()
    except EOFError:
        raise CaseFileError("the capture is cut short: it ends within its header") from None
    except _DAMAGED as error:
        raise CaseFileError(f"the capture is damaged: {error}") from None
    try:
        for number, (at, packet) in enumerate(reader):
            found = _tcp(packet, link)
            if found is not None:
                yield float(at), number, *found
    except EOFError:
        return
    except _DAMAGED as error:
        raise CaseFileError(f"the capture is damaged: {error}") from None


def _tcp(packet: bytes, link: int) -> tuple[dpkt.tcp.TCP, tuple[bytes, bytes]] | None:
    """Return the TCP segment in a packet with its addresses, None if there is none."""
    try:
        ip = _ip(packet, link)
        if not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(ip.data, dpkt.tcp.TCP):
            return None
        if isinstance(ip, dpkt.ip.IP) and ip.mf:
            return None
        return ip.data, (ip.src, ip.dst)
    except _DAMAGED:
        return None  # somebody else's packet, or one of a fuzzer


def _ip(packet: bytes, link: int) -> object:
    if link == _ETHERNET:
        return dpkt.ethernet.Ethernet(packet).data
    if link in _LOOPBACK:
        return dpkt.loopback.Loopback(packet).data
    if link == _COOKED:
        return dpkt.sll.SLL(packet).data
    if link == _COOKED_2:
        return dpkt.sll2.SLL2(packet).data
    if link in _RAW:
        return dpkt.ip6.IP6(packet) if packet[0] >> 4 == 6 else dpkt.ip.IP(packet)
    raise CaseFileError(
        f"its link layer (number {link}) is not read; Ethernet, loopback, raw IP and Linux's "
        "cooked headers are"
    )


class _Reassembly:
    """Puts segments together to connections."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._edges = {port + 1: (edge, True) for edge, port in enumerate(ports)}
        self._edges |= {port: (edge, False) for edge, port in enumerate(ports)}
        self._open: dict[tuple[bytes, int, bytes, int], _Open] = {}
        self._flows: list[_Open] = []
        self._kept = 0
        #: Ports that others were connected to, for who has named the wrong one.
        self._others: Counter[int] = Counter()

    def take(self, order: tuple[float, int], tcp: dpkt.tcp.TCP, ends: tuple[bytes, bytes]) -> None:
        source, target = (ends[0], tcp.sport), (ends[1], tcp.dport)
        if tcp.dport in self._edges:
            self._from_client(order, tcp, (*source, *target))
        elif tcp.sport in self._edges:
            one = self._open.get((*target, *source))
            if one is not None and not one.over:
                self._from_server(order, tcp, one)
        elif tcp.flags & dpkt.tcp.TH_SYN and not tcp.flags & dpkt.tcp.TH_ACK:
            self._others[tcp.dport] += 1

    def finished(self) -> list[Flow]:
        if not self._flows:
            named = " or ".join(str(port) for port in self._edges if port in self._ports)
            seen = ", ".join(str(port) for port, _ in self._others.most_common(5))
            raise CaseFileError(
                f"it holds no connection to port {named}, nor to the next one"
                + (f"; there are some to {seen}: --port names the server's" if seen else "")
            )
        for one in self._flows:
            one.flow.missing = one.sent.missing
        flows = [one.flow for one in self._flows]
        return sorted(flows, key=lambda flow: flow.events[0].order)

    def _from_client(
        self, order: tuple[float, int], tcp: dpkt.tcp.TCP, key: tuple[bytes, int, bytes, int]
    ) -> None:
        flags = tcp.flags
        one = self._open.get(key)
        syn = bool(flags & dpkt.tcp.TH_SYN)
        if syn and (one is None or one.begun != tcp.seq):
            one = self._begin(order, key, tcp.seq)  # the port may be another client's by now
            one.sent.begin(tcp.seq)
        elif one is None:
            if not tcp.data:
                return  # the last words of a connection from before the capture
            one = self._begin(order, key, None)
        if syn or one.over:
            return
        fin = bool(flags & dpkt.tcp.TH_FIN)
        for chunk in one.sent.take(tcp.seq, tcp.data, bool(flags & dpkt.tcp.TH_PUSH), fin):
            self._keep(one, Event(order, What.SENT, chunk.data, chunk.pushed))
        if flags & dpkt.tcp.TH_RST:
            one.over = True
            self._keep(one, Event(order, What.CUT))
        elif one.sent.ended and not one.ended:
            one.ended = True
            self._keep(one, Event(order, What.ENDED))

    def _from_server(self, order: tuple[float, int], tcp: dpkt.tcp.TCP, one: _Open) -> None:
        if tcp.flags & dpkt.tcp.TH_SYN:
            one.heard.begin(tcp.seq)
            return
        for chunk in one.heard.take(tcp.seq, tcp.data, True, bool(tcp.flags & dpkt.tcp.TH_FIN)):
            self._keep(one, Event(order, What.HEARD, chunk.data))
        one.over = one.over or bool(tcp.flags & dpkt.tcp.TH_RST)

    def _begin(
        self, order: tuple[float, int], key: tuple[bytes, int, bytes, int], begun: int | None
    ) -> _Open:
        if len(self._flows) >= MAX_CONNECTIONS:
            raise CaseFileError(
                f"it holds more than {MAX_CONNECTIONS} connections; cut it into several by time"
            )
        edge, beside = self._edges[key[3]]
        flow = Flow(f"{dpkt.utils.inet_to_str(key[0])}:{key[1]}", edge, beside, late=begun is None)
        one = self._open[key] = _Open(flow, begun)
        self._flows.append(one)
        self._keep(one, Event(order, What.OPENED))
        return one

    def _keep(self, one: _Open, event: Event) -> None:
        self._kept += _EVENT_BYTES + len(event.data)
        if self._kept > MAX_KEPT:
            raise CaseFileError(
                f"its connections take more than {MAX_KEPT} bytes; cut it into several by time"
            )
        one.flow.events.append(event)
