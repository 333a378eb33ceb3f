"""Captures for tests: packets of one's own, over any link, in any order."""

from __future__ import annotations

import io
import socket
from collections.abc import Sequence
from pathlib import Path

import dpkt

SYN, FIN, RST, PUSH, ACK = 0x02, 0x01, 0x04, 0x08, 0x10
ETHERNET, NULL, RAW, COOKED, COOKED_2, RAW_IPV6 = 1, 0, 101, 113, 276, 229
PORT = 8085
#: The number of the client's SYN: its first byte has the next one.
START = 0xFFFF_FFF0


def tcp(
    data: bytes = b"",
    at: int = 0,
    flags: int = ACK | PUSH,
    client: int = 50_000,
    server: int = PORT,
    down: bool = False,
) -> dpkt.tcp.TCP:
    """Return a segment ``at`` an offset of a stream, from the client, or ``down`` to it."""
    ports = {"sport": server, "dport": client} if down else {"sport": client, "dport": server}
    number = START if flags & SYN else START + 1 + at
    return dpkt.tcp.TCP(seq=number % 2**32, flags=flags, data=data, **ports)


def over(link: int, segment: dpkt.tcp.TCP, six: bool = False) -> bytes:
    """Return a packet with ``segment``, over IPv4 or IPv6."""
    if six:
        here = socket.inet_pton(socket.AF_INET6, "::1")
        ip = dpkt.ip6.IP6(src=here, dst=here, nxt=6, hlim=64, data=segment, plen=len(segment))
    else:
        here = socket.inet_aton("127.0.0.1")
        ip = dpkt.ip.IP(src=here, dst=here, p=6, data=segment)
    kind = dpkt.ethernet.ETH_TYPE_IP6 if six else dpkt.ethernet.ETH_TYPE_IP
    if link == ETHERNET:
        return bytes(dpkt.ethernet.Ethernet(data=ip, type=kind, src=b"s" * 6, dst=b"d" * 6))
    if link == NULL:
        return (30 if six else 2).to_bytes(4, "little") + bytes(ip)
    if link == COOKED:
        return bytes(dpkt.sll.SLL(ethtype=kind, hdr=b"h" * 8)) + bytes(ip)
    if link == COOKED_2:
        return bytes(dpkt.sll2.SLL2(ethtype=kind, hdr=b"h" * 8)) + bytes(ip)
    return bytes(ip)


def capture(packets: Sequence[bytes], link: int = ETHERNET) -> bytes:
    """Return ``packets``, a second apart, as a pcap file."""
    file = io.BytesIO()
    writer = dpkt.pcap.Writer(file, linktype=link)
    for second, packet in enumerate(packets):
        writer.writepkt(packet, second)
    return file.getvalue()


def captured(
    folder: Path, *segments: dpkt.tcp.TCP, link: int = ETHERNET, six: bool = False
) -> Path:
    """Write a capture of ``segments``; return its path."""
    path = folder / "capture"
    path.write_bytes(capture([over(link, segment, six) for segment in segments], link))
    return path


def whole(data: bytes, client: int = 50_000, server: int = PORT) -> list[dpkt.tcp.TCP]:
    """Return a connection on which ``data`` is sent at once, and which the client ends."""
    ends = {"client": client, "server": server}
    return [
        tcp(flags=SYN, **ends),
        tcp(data, **ends),
        tcp(at=len(data), flags=FIN | ACK, **ends),
    ]
