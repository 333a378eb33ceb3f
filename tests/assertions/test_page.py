"""A page of metrics: what is read off it, from where, and what is none."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import replace
from itertools import chain, count, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.assertions import page as page_module
from fuzz.assertions.page import page_of, read_page, source_of
from fuzz.errors import SettingsError, TargetError
from tests.assertions.http_support import metrics_server

PAGE = """\
# HELP iris_errors Errors.
# TYPE iris_errors counter
iris_errors 3
# TYPE iris_sent_total counter
iris_sent_total{edge="1"} 5
iris_sent_total{edge="2"} 7
# TYPE iris_sessions gauge
iris_sessions 4
# TYPE iris_seconds histogram
iris_seconds_bucket{le="1"} 2
iris_seconds_bucket{le="+Inf"} 3
iris_seconds_sum 1.5
iris_seconds_count 3
# TYPE iris_never counter
untyped_total 9
untyped 8
"""


def test_counters_and_gauges_are_told_apart() -> None:
    told = {(one.name, one.labels): (one.value, one.counts) for one in page_of(PAGE).samples}
    assert told[("iris_errors", ())] == (3.0, True)
    assert told[("iris_errors_total", ())] == (3.0, True)
    assert told[("iris_sent_total", (("edge", "2"),))] == (7.0, True)
    assert told[("iris_sent", (("edge", "1"),))] == (5.0, True)
    assert told[("iris_sessions", ())] == (4.0, False)
    assert told[("iris_seconds_count", ())] == (3.0, True)
    assert told[("iris_seconds_bucket", (("le", "1"),))] == (2.0, True)
    assert told[("untyped_total", ())] == (9.0, True)
    assert told[("untyped", ())] == (8.0, False)


def test_a_metric_without_samples_is_known_by_its_name() -> None:
    assert {"iris_never", "iris_never_total", "iris_errors"} <= page_of(PAGE).names


def test_a_counter_does_not_hide_a_gauge_of_its_name() -> None:
    page = page_of("# TYPE x gauge\nx 1\n# TYPE x_total counter\nx_total 5\n")
    assert [(one.name, one.value) for one in page.samples] == [("x", 1.0), ("x_total", 5.0)]


@given(st.text(alphabet='ab_{}="\\#, \n1.eNa+-TYPEHELcountrg', max_size=80) | st.text(max_size=40))
def test_any_text_is_a_page_or_a_value_error(text: str) -> None:
    try:
        page = page_of(text)
    except ValueError:
        return
    assert {sample.name for sample in page.samples} <= page.names


def test_a_page_is_fetched_with_its_query() -> None:
    with metrics_server(PAGE) as server:
        page = read_page(source_of(f"{server.url}?name=iris", ()))
        assert ("iris_sessions" in page.names, server.asked) == (True, ["/metrics?name=iris"])


@pytest.mark.parametrize("status", [404, 500, 302])
def test_another_status_is_no_page_and_is_not_followed(status: int) -> None:
    with metrics_server(PAGE) as server:
        server.status = status
        with pytest.raises(TargetError, match=f"answers {status}"):
            read_page(source_of(server.url, ()))
        assert len(server.asked) == 1


def test_silence_is_waited_for_so_long_and_named() -> None:
    with metrics_server(PAGE) as server:
        server.silent = True
        with pytest.raises(TargetError, match=r"did not answer within 0\.2 s"):
            read_page(source_of(server.url, ()), seconds=0.2)


def test_a_server_that_never_ends_its_answer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "_MOST_BYTES", 100)
    with (
        metrics_server(PAGE) as server,
        pytest.raises(TargetError, match="over 100 bytes"),
    ):
        read_page(source_of(server.url, ()))
    with metrics_server(PAGE) as server:
        late = chain([0.0], repeat(9.0))
        monkeypatch.setattr(page_module, "_MOST_BYTES", 10**6)
        monkeypatch.setattr(page_module.time, "monotonic", lambda: next(late))
        with pytest.raises(TargetError, match="did not answer within 1 s"):
            read_page(source_of(server.url, ()), seconds=1.0)


@pytest.mark.parametrize("endless", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_head_that_drips_without_end_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, endless: bytes
) -> None:
    """The time goes on by a second with each look at it, and the socket is never silent."""
    seconds = count()
    monkeypatch.setattr(page_module.time, "monotonic", lambda: float(next(seconds)))
    done = threading.Event()

    def drip(server: socket.socket) -> None:
        with server.accept()[0] as peer, suppress(OSError):
            peer.sendall(endless)
            while not done.wait(0.001):
                peer.sendall(endless if endless.endswith(b"\n") else b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            source = source_of(f"http://127.0.0.1:{server.getsockname()[1]}/", ())
            with pytest.raises(TargetError, match="did not answer within 9 s"):
                read_page(source, seconds=9.0)
        finally:
            done.set()
            thread.join()


def test_what_is_no_page_and_a_port_where_nobody_is() -> None:
    with (
        metrics_server("{} no metrics {") as server,
        pytest.raises(TargetError, match="is no page of metrics"),
    ):
        read_page(source_of(server.url, ()))
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with pytest.raises(TargetError, match="cannot be read: Connection refused"):
            read_page(source_of(url, ()))


def test_what_is_no_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = source_of(f"http://127.0.0.1:{server.getsockname()[1]}/", ())
        with pytest.raises(TargetError, match="did not answer"):
            read_page(source, seconds=0.1)
    with pytest.raises(TargetError, match="cannot be read"):
        read_page(replace(source, path="/\x00"))


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:9", "https://127.0.0.1/", "http://", "http://127.0.0.1:x/", "http://[/",
            "http://127.0.0.1/a b", "http://127.0.0.1:1/m\u00e9triques", "http://m\u00e9trique/", "http://127.0.0.1/\n"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="--metrics-url is http://HOST:PORT/PATH"):
        source_of(url, ())


def test_a_host_elsewhere_must_be_allowed() -> None:
    with pytest.raises(SettingsError, match=r"--allow-host 192\.0\.2\.7"):
        source_of("http://192.0.2.7:9/metrics", ())
    source = source_of("http://192.0.2.7/metrics", ("192.0.2.7",))
    assert (source.address, source.port, source.path) == ("192.0.2.7", 80, "/metrics")
    assert source_of("http://localhost:9", ()).path == "/"
