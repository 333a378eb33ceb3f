"""A page of metrics in the text format of Prometheus, read from a server."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from fuzz.errors import SettingsError, TargetError
from fuzz.target.base import loopback_only

#: A server that is being fuzzed may be slow, or hang; the run must go on meanwhile.
READ_SECONDS = 2.0
#: Many times the page of a large node; what is longer is no page of metrics.
_MOST_BYTES = 16 * 1024 * 1024
_CHUNK = 65_536
_HTTP_PORT = 80
#: How names of samples end that count, where the page does not say what they are.
_COUNTS = ("_total", "_count", "_sum", "_bucket")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a page is: its ``url``, and the address behind it, which was looked up once."""

    url: str
    address: str
    port: int
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page; ``counts`` tells that its value only ever grows, but for restarts."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float
    counts: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The samples of a page, and the ``names`` that it has, with or without samples."""

    samples: tuple[Sample, ...]
    names: frozenset[str]


def source_of(url: str, allowed: Collection[str]) -> Source:
    """Return the place that ``url`` names; hosts elsewhere must be among the ``allowed``.

    Raises :class:`SettingsError`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme != "http" or not _is_plain(url):
        raise SettingsError(f"--metrics-url is http://HOST:PORT/PATH, not {url!r}")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Source(url, loopback_only(host, allowed), port or _HTTP_PORT, host, path)


def _is_plain(url: str) -> bool:
    """Tell whether a request can hold ``url`` as it is."""
    return url.isascii() and url.isprintable() and " " not in url


def read_page(source: Source, seconds: float = READ_SECONDS) -> Page:
    """Return the page at ``source``; raise :class:`TargetError` if there is none in time."""
    try:
        text = _fetch(source, time.monotonic() + seconds, seconds)
    except TimeoutError:
        raise TargetError(f"{source.url} did not answer within {seconds:g} s") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TargetError(f"{source.url} cannot be read: {reason}") from None
    try:
        return page_of(text)
    except ValueError as error:
        raise TargetError(f"{source.url} is no page of metrics: {error}") from None


def page_of(text: str) -> Page:
    """Return what is in the text of a page; raise :class:`ValueError` if it is none."""
    try:
        families = list(text_string_to_metric_families(text))
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its text cannot be taken apart ({error})") from None
    own = {family.name for family in families if family.type != "counter"}
    samples = tuple(sample for family in families for sample in _samples(family, own))
    names = {family.name for family in families} | {sample.name for sample in samples}
    totals = {f"{family.name}_total" for family in families if family.type == "counter"}
    return Page(samples, frozenset(names | totals))


def _samples(family: Metric, own: Collection[str]) -> Iterator[Sample]:
    """Yield the samples of a family; a counter is known with ``_total`` and without."""
    for sample in family.samples:
        counts = sample.name.endswith(_COUNTS) and family.type != "gauge"
        labels = tuple(sorted(_texts(sample.labels).items()))
        yield Sample(sample.name, labels, float(sample.value), counts)
        if family.type == "counter" and counts and family.name not in own:
            yield Sample(family.name, labels, float(sample.value), counts)


def _texts(labels: Mapping[str, str]) -> dict[str, str]:
    return {str(key): str(value) for key, value in labels.items()}


class _Timely(io.RawIOBase):
    """What comes through a socket until a deadline, however slowly it drips."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)


def _fetch(source: Source, deadline: float, seconds: float) -> str:
    connection = HTTPConnection(source.address, source.port, timeout=seconds)
    try:
        headers = {"Host": source.host, "Accept": "text/plain; version=0.0.4"}
        connection.request("GET", source.path, headers=headers)
        response = HTTPResponse(connection.sock, method="GET")
        # A timeout of the socket begins anew with each byte.
        response.fp.close()
        response.fp = io.BufferedReader(_Timely(connection.sock, deadline))
        response.begin()
        if response.status != 200:  # not followed either: it may lead to another host
            raise TargetError(f"{source.url} answers {response.status} {response.reason}")
        data = bytearray()
        while chunk := response.read1(_CHUNK):
            data += chunk
            if len(data) > _MOST_BYTES:
                raise TargetError(f"{source.url} is over {_MOST_BYTES} bytes: no page of metrics")
        return data.decode("utf-8", "replace")
    finally:
        connection.close()
