"""A server of metrics on the loopback interface that answers what a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(slots=True)
class Answers:
    """What is answered next: the last of ``pages`` for ever, each before it once."""

    url: str = ""
    pages: list[bytes] = field(default_factory=list)
    status: int = 200
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    silent: bool = False

    def next(self) -> bytes:
        return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]


@contextmanager
def metrics_server(*pages: str) -> Iterator[Answers]:
    """Serve ``pages`` of metrics, one after the other."""
    answers = Answers(pages=[page.encode() for page in pages])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.asked.append(self.path)
            if answers.silent:
                answers.released.wait(30)
                return
            self.send_response(answers.status)
            if answers.status == 302:
                self.send_header("Location", answers.url)
            self.end_headers()
            self.wfile.write(answers.next())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    answers.url = f"http://127.0.0.1:{server.server_port}/metrics"
    try:
        yield answers
    finally:
        answers.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
