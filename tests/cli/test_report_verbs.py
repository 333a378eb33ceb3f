"""``iris-fuzz report`` and ``serve``: where the page goes, and what is said if it cannot."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from fuzz.store.timeline import FILE_NAME
from tests.cli.support import Run
from tests.report.html.stand_ins import finding_of, save, timeline

ROOT = Path(__file__).resolve().parents[2]
#: What takes a second on an idle machine.
PATIENCE = 60.0


def test_the_page_is_written_into_the_folder(run: Run, tmp_path: Path) -> None:
    save(tmp_path, finding_of("a"))
    ran = run("report", tmp_path)
    assert (ran.code, ran.out, ran.err) == (0, f"{tmp_path / 'report.html'}\n", "")
    assert "1 defect found" in (tmp_path / "report.html").read_text()


def test_the_page_is_written_where_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    save(tmp_path / "night", finding_of("a"))
    timeline(tmp_path / "night")
    page = tmp_path / "page.html"
    assert run("report", tmp_path / "night", "--out", page).code == 0
    assert '<figure class="plot" id="plot-coverage">' in page.read_text()
    assert not (tmp_path / "night" / "report.html").exists()


def test_a_folder_of_crashes_will_do_and_the_page_goes_beside_it(run: Run, tmp_path: Path) -> None:
    save(tmp_path, finding_of("a"))
    before = sorted((tmp_path / "crashes").iterdir())
    ran = run("report", tmp_path / "crashes")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'report.html'}\n")
    assert "1 defect found" in (tmp_path / "report.html").read_text()
    assert sorted((tmp_path / "crashes").iterdir()) == before, "a replay of it plays cases alone"


def test_the_page_of_an_empty_folder_is_in_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "night").mkdir()
    assert run("report", tmp_path / "night").code == 0
    assert "No defect found" in (tmp_path / "night" / "report.html").read_text()


def test_a_known_issue_is_told_as_one(run: Run, tmp_path: Path) -> None:
    finding = finding_of("a")
    save(tmp_path, finding)
    known = tmp_path / "known.toml"
    known.write_text(
        f'[[issue]]\nfingerprint = "{finding.fingerprint}"\nreason = "<b>later</b>"\n'
        "expires = 9999-01-31\n"
    )
    assert run("report", tmp_path, "--known", known).code == 0
    page = (tmp_path / "report.html").read_text()
    assert "known until 9999-01-31: &lt;b&gt;later&lt;/b&gt;" in page


@pytest.mark.parametrize("verb", ["report", "serve"])
def test_a_folder_that_is_not_there_is_one_sentence(run: Run, verb: str, tmp_path: Path) -> None:
    ran = run(verb, tmp_path / "gone")
    assert (ran.code, ran.out) == (2, "")
    assert ran.sentence().startswith(
        f"iris-fuzz: {tmp_path / 'gone'} is not there: name the folder"
    )


def test_a_file_is_no_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    ran = run("report", tmp_path / "file")
    assert ran.code == 2
    assert "is no folder" in ran.sentence()


@pytest.mark.parametrize("out", ["missing/page.html", "file/page.html"])
def test_a_page_that_cannot_be_written_is_one_sentence(run: Run, out: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    ran = run("report", tmp_path, "--out", tmp_path / out)
    assert (ran.code, ran.out) == (2, "")
    assert f"{tmp_path / out} cannot be written" in ran.sentence()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_damaged_time_line_is_said_and_the_rest_is_written(run: Run, tmp_path: Path) -> None:
    save(tmp_path, finding_of("a"))
    (tmp_path / FILE_NAME).write_bytes(b"no database at all, and longer than its head" * 9)
    ran = run("report", tmp_path)
    assert ran.code == 2
    assert FILE_NAME in ran.sentence()
    assert ran.sentence().endswith("(the report is written, without its time line)")
    assert "1 defect found" in (tmp_path / "report.html").read_text()


def test_a_port_in_use_is_one_sentence(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", tmp_path, "--port", port)
    assert (ran.code, ran.out) == (2, "")
    assert f"port {port} of 127.0.0.1 cannot be used" in ran.sentence()
    assert "--port" in ran.sentence()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    save(tmp_path, finding_of("a"))
    command = [sys.executable, "-c", "from fuzz.cli import main; main()", "serve", str(tmp_path)]
    serving = subprocess.Popen(
        [*command, "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout is not None
        told = serving.stdout.readline()
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+/", told)
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            assert b"1 defect found" in answer.read()
        serving.send_signal(number)
        out, err = serving.communicate(timeout=PATIENCE)
    finally:
        serving.kill()
        serving.wait()
    assert (serving.returncode, out, err) == (0, "", "")


def test_ctrl_c_right_after_the_address_is_an_end_like_any_other(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fuzz.cli.report.click.echo", interrupted)
    assert run("serve", tmp_path, "--port", 0).code == 0
