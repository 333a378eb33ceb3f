"""The live page: what is answered, to whom, and what has changed."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fuzz.errors import SettingsError, StoreError
from fuzz.report.html.gather import Gatherer
from fuzz.report.html.server import FRESH_SECONDS, Desk, PageServer
from tests.report.html.stand_ins import NOW, finding_of, save, timeline

#: Each answer takes some milliseconds: a machine that is busy gets a thousand times as long.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Live:
    """A server of a folder, and the time that it goes by."""

    server: PageServer
    folder: Path
    clock: list[float]

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        try:
            told = {name.replace("_", "-"): value for name, value in headers.items()}
            link.request(method, path, headers=told)
            answer = link.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            link.close()

    def later(self) -> None:
        """Let what was read be old."""
        self.clock[0] += FRESH_SECONDS


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Serve a folder with one finding."""
    folder = tmp_path / "night"
    save(folder, finding_of("a"))
    clock = [0.0]
    desk = Desk(Gatherer(folder, "0.1"), now=lambda: NOW + clock[0], clock=lambda: clock[0])
    with PageServer(desk, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Live(server, folder, clock)
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_the_page_is_there_and_knows_that_it_is_live(live: Live) -> None:
    answer = live.ask()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"1 defect found" in answer.body
    assert b"<body data-live>" in answer.body
    assert b"connect-src &#39;self&#39;" in answer.body


def test_head_gives_the_head_alone(live: Live) -> None:
    answer = live.ask(method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 10_000


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_nothing_but_get_and_head_is_done(live: Live, method: str) -> None:
    answer = live.ask(method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/other", "/section/none", "/../etc/passwd", "/section/"])
def test_there_is_nothing_else(live: Live, path: str) -> None:
    assert live.ask(path).status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "[::1]", ""])
def test_who_asks_by_another_name_is_sent_away(live: Live, host: str) -> None:
    answer = live.ask(Host=host.format(port=live.server.port))
    assert answer.status == 421
    assert b"defect" not in answer.body


def test_localhost_is_a_name_of_this_machine(live: Live) -> None:
    assert live.ask(Host=f"localhost:{live.server.port}").status == 200


def test_the_state_tells_what_has_changed(live: Live) -> None:
    first = live.ask("/state.json")
    state = json.loads(first.body)
    assert state["title"].startswith("1 defect found")
    assert list(state["sections"]) == ["summary", "trends", "findings", "matrix"]
    again = live.ask("/state.json", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    live.later()
    assert live.ask("/state.json", If_None_Match=first.headers["ETag"]).status == 304

    save(live.folder, finding_of("b"))
    assert live.ask("/state.json", If_None_Match=first.headers["ETag"]).status == 304, "still fresh"
    live.later()
    changed = live.ask("/state.json", If_None_Match=first.headers["ETag"])
    sections = json.loads(changed.body)["sections"]
    assert sections["findings"] != state["sections"]["findings"]
    assert sections["trends"] == state["sections"]["trends"]
    part = live.ask("/section/findings")
    assert part.headers["X-Digest"] == sections["findings"]
    assert part.body.count(b'<details class="finding') == 2


def test_a_folder_that_goes_and_comes_back_is_said_and_seen(live: Live, tmp_path: Path) -> None:
    assert live.ask().status == 200
    live.folder.rename(tmp_path / "elsewhere")
    live.later()
    gone = live.ask()
    assert gone.status == 503
    assert b"night is not there" in gone.body
    shutil.copytree(tmp_path / "elsewhere", live.folder)
    assert live.ask().status == 200


def test_nothing_in_the_folder_is_changed(live: Live) -> None:
    timeline(live.folder)

    def seen() -> list[tuple[Path, int]]:
        # The files by which readers and the writer of SQLite agree are its own affair.
        files = (path for path in live.folder.rglob("*") if path.is_file())
        own = (path for path in files if not path.name.endswith(("-shm", "-wal")))
        return sorted((path, path.stat().st_mtime_ns) for path in own)

    before = seen()
    for path in ("/", "/state.json", "/section/findings"):
        assert live.ask(path).status == 200
        live.later()
    assert seen() == before


def test_it_listens_on_the_loopback_interface_alone(live: Live) -> None:
    assert live.server.socket.getsockname()[0] == "127.0.0.1"


def test_a_port_in_use_is_one_sentence(live: Live) -> None:
    with pytest.raises(SettingsError, match=r"port \d+ of 127.0.0.1 cannot be used: Address"):
        PageServer(live.server.desk, live.server.port)


def test_a_client_that_says_nothing_keeps_nobody_waiting(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", live.server.port), PATIENCE):
        assert live.ask("/state.json").status == 200


def test_a_folder_that_is_slow_to_read_is_read_less_often(tmp_path: Path) -> None:
    clock = [0.0]
    reads = []

    def now() -> float:  # asked for once with each reading, which takes two seconds here
        reads.append(clock[0])
        clock[0] += 2.0
        return NOW

    desk = Desk(Gatherer(tmp_path, "0.1"), now=now, clock=lambda: clock[0])
    for _ in range(60):
        desk.latest()
        clock[0] += 1.0
    assert reads == [0.0, 20.0, 40.0, 60.0]


def test_a_desk_of_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not there"):
        Desk(Gatherer(tmp_path / "gone", "0.1")).latest()


def test_a_client_that_is_gone_is_no_word_and_a_fault_is(
    live: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, told in ((ConnectionResetError(), False), (ValueError("a fault"), True)):
        try:
            raise error
        except (OSError, ValueError):
            with socket.socket() as request:
                live.server.handle_error(request, ("127.0.0.1", 9))
        assert ("Traceback" in capsys.readouterr().err) == told
