"""The page of a campaign while it runs, on the loopback interface of this machine.

Three paths: ``/`` is the whole page, ``/state.json`` says which of its sections have changed, and
``/section/NAME`` is one of them. Who asks by another name than that of this machine is sent away: a
page of elsewhere, whose name was made to lead here, would read what a target said.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fuzz.errors import SettingsError, StoreError
from fuzz.report.html.gather import Gatherer
from fuzz.report.html.render import Section, page_html, sections_of

HOST = "127.0.0.1"
#: A page asks every two seconds; who asks more often gets what was read last.
FRESH_SECONDS = 1.5
#: Reading takes a tenth of a processor at most: a campaign runs beside it.
_REST = 9.0
#: Who connects and says nothing is not waited for any longer.
_IDLE_SECONDS = 30.0
_SECTION = "/section/"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A page as of one moment. ``tag`` is another if anything on it is, but for the time."""

    html: bytes
    title: str
    sections: Mapping[str, Section]
    tag: str


class Desk:
    """Has the latest page of a folder; reads it again when somebody asks and it is old."""

    def __init__(
        self,
        gatherer: Gatherer,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gatherer = gatherer
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._fresh_until = 0.0
        self._latest: Snapshot | None = None

    def latest(self) -> Snapshot:
        """Return the page; raise :class:`StoreError` if the folder cannot be read any more."""
        with self._lock:
            began = self._clock()
            if self._latest is None or began >= self._fresh_until:
                self._latest = self._read()
                ended = self._clock()
                self._fresh_until = ended + max(FRESH_SECONDS, _REST * (ended - began))
            return self._latest

    def _read(self) -> Snapshot:
        page = self._gatherer.gather(self._now()).page
        sections = sections_of(page)
        told = "".join(section.digest for section in sections) + page.verdict
        title = f"{page.verdict} - iris-fuzz - {page.name}"
        return Snapshot(
            page_html(page, live=True).encode(),
            title,
            {section.name: section for section in sections},
            f'"{hashlib.sha256(told.encode()).hexdigest()[:24]}"',
        )


class PageServer(ThreadingHTTPServer):
    """Serves the page of ``desk`` at a port of the loopback interface; 0 lets the system choose."""

    daemon_threads = True

    def __init__(self, desk: Desk, port: int) -> None:
        self.desk = desk
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise SettingsError(
                f"port {port} of {HOST} cannot be used: {error.strerror}; "
                "choose another with --port"
            ) from None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone: only what is wrong here is told."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Return where the page is."""
        return f"http://{HOST}:{self.port}/"

    def names(self) -> frozenset[str]:
        """Return what a request may call this server."""
        own = {f"{host}:{self.port}" for host in (HOST, "localhost")}
        return frozenset(own | ({HOST, "localhost"} if self.port == 80 else set()))


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def version_string(self) -> str:
        """Name the program, and nothing of this machine."""
        return "iris-fuzz"

    def _refuse(self) -> None:
        self._send(
            HTTPStatus.METHOD_NOT_ALLOWED, b"GET and HEAD only\n", "text/plain", Allow="GET, HEAD"
        )

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_CONNECT = _refuse

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a page that asks every two seconds fills a screen."""

    def _answer(self, body: bool) -> None:
        if self.headers.get("Host", "").lower() not in self.server.names():
            self._send(
                HTTPStatus.MISDIRECTED_REQUEST, b"ask for 127.0.0.1 or localhost\n", "text/plain",
                body,
            )  # fmt: skip
            return
        try:
            latest = self.server.desk.latest()
        except StoreError as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n".encode(), "text/plain", body)
            return
        path = self.path.partition("?")[0]
        section = latest.sections.get(path.removeprefix(_SECTION))
        if path == "/":
            self._send(HTTPStatus.OK, latest.html, "text/html", body)
        elif path == "/state.json":
            self._state(latest, body)
        elif path.startswith(_SECTION) and section is not None:
            html = section.html.encode()
            self._send(HTTPStatus.OK, html, "text/html", body, **{"X-Digest": section.digest})
        else:
            self._send(HTTPStatus.NOT_FOUND, b"there is no such page\n", "text/plain", body)

    def _state(self, latest: Snapshot, body: bool) -> None:
        if self.headers.get("If-None-Match") == latest.tag:
            self._send(HTTPStatus.NOT_MODIFIED, b"", "application/json", body, ETag=latest.tag)
            return
        digests = {name: section.digest for name, section in latest.sections.items()}
        state = json.dumps({"title": latest.title, "sections": digests}).encode()
        self._send(HTTPStatus.OK, state, "application/json", body, ETag=latest.tag)

    def _send(
        self, status: HTTPStatus, data: bytes, kind: str, body: bool = True, **headers: str
    ) -> None:
        self.send_response(status)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
        for name, value in {**_HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body and data:
            self.wfile.write(data)


#: The page itself forbids the rest; what cannot be said in it is not to be framed.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
