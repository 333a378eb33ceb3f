"""A child process is read while it runs, ends with its group, and leaves its last words."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import TargetError
from fuzz.target.process import ChildProcess

Start = Callable[..., ChildProcess]

#: Goes on until its standard input ends.
WAITS = "import sys; sys.stdin.read()"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a Python program as a child; all are ended."""
    children: list[ChildProcess] = []

    def started(program: str, **environment: str) -> ChildProcess:
        command = [sys.executable, "-c", program]
        children.append(ChildProcess(command, environment, str(tmp_path)))
        return children[-1]

    yield started
    for child in children:
        child.kill()


def soon(seconds: float = 10.0) -> Deadline:
    return Deadline.after(SystemClock(), seconds, "a line")


def test_a_line_is_found_whether_it_comes_before_or_after_asking(start: Start) -> None:
    child = start(
        "import sys; print('noise'); print('READY 1', flush=True); sys.stdin.read();"
        "print('DONE', flush=True)"
    )
    assert child.wait_for_line(("READY", "ERROR"), soon()) == "READY 1"
    assert child.wait_for_line(("READY",), soon()) == "READY 1"
    child.close_input()
    assert child.wait_for_line(("DONE",), soon()) == "DONE"


def test_a_line_that_does_not_come_is_waited_for_until_the_deadline(start: Start) -> None:
    child = start(WAITS)
    deadline = soon(0.05)
    assert child.wait_for_line(("READY",), deadline) is None
    assert deadline.expired()
    assert child.returncode() is None


def test_the_end_of_the_output_ends_the_wait_early(start: Start) -> None:
    deadline = soon()
    assert start("print('bye')").wait_for_line(("READY",), deadline) is None
    assert not deadline.expired()


def test_standard_error_is_output_too_and_bad_bytes_do_no_harm(start: Start) -> None:
    child = start(r"import os; os.write(2, b'ERROR \xff\xfe\n')")
    assert child.wait_for_line(("ERROR",), soon()) == "ERROR \ufffd\ufffd"


def test_only_the_tail_is_kept_and_the_last_words_are_in_it(start: Start) -> None:
    child = start("for n in range(1000): print('line', n)")
    assert child.wait(10.0) == 0
    assert len(child.lines) == 400
    assert child.lines[-1] == "line 999"


def test_a_line_that_is_far_too_long_is_cut_and_the_next_one_is_whole(start: Start) -> None:
    child = start("print('x' * 100_000); print('READY')")
    assert child.wait_for_line(("READY",), soon()) == "READY"
    assert child.lines == ("x" * 2000, "READY")


def test_a_child_is_read_on_when_nobody_listens_to_it_any_more(tmp_path: Path) -> None:
    heard: list[str] = []

    def hangs_up(line: str) -> None:
        heard.append(line)
        raise BrokenPipeError

    child = ChildProcess(
        [sys.executable, "-c", "print('one'); print('two')"], {}, str(tmp_path), hangs_up
    )
    assert child.wait(10.0) == 0
    child.kill()
    assert (heard, child.lines) == (["one"], ("one", "two"))


def test_a_last_line_without_an_end_counts(start: Start) -> None:
    child = start("print('slogan', end='')")
    assert child.wait(10.0) == 0
    assert child.lines == ("slogan",)


def test_the_exit_code_is_told(start: Start) -> None:
    child = start("raise SystemExit(3)")
    assert child.wait(10.0) == 3
    assert child.returncode() == 3


def test_the_signal_is_told(start: Start) -> None:
    child = start("import os, signal; os.kill(os.getpid(), signal.SIGABRT)")
    assert child.wait(10.0) == -signal.SIGABRT


def test_waiting_has_a_limit(start: Start) -> None:
    assert start(WAITS).wait(0.05) is None


def test_closing_the_input_is_how_a_child_is_asked_to_end(start: Start) -> None:
    child = start(WAITS)
    child.close_input()
    child.close_input()
    assert child.wait(10.0) == 0


def test_the_environment_is_added_to_our_own(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "one")
    child = start("import os; print('SEEN', os.environ['OURS'], os.environ['ADDED'])", ADDED="two")
    assert child.wait_for_line(("SEEN",), soon()) == "SEEN one two"


def test_it_runs_in_the_folder_it_is_given(start: Start, tmp_path: Path) -> None:
    child = start("import os; print('IN', os.getcwd())")
    assert child.wait_for_line(("IN",), soon()) == f"IN {tmp_path.resolve()}"


def test_killing_ends_the_whole_group(start: Start, tmp_path: Path) -> None:
    """The grandchild holds a pipe open: that hangs up when the grandchild is gone."""
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    grandchild = (
        "import signal; held = open('pipe', 'w'); print('HELD', flush=True); signal.pause()"
    )
    child = start(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])")
    assert child.wait_for_line(("HELD",), soon()) == "HELD"
    hang_up = select.poll()
    hang_up.register(reading, 0)
    assert hang_up.poll(0) == []
    child.kill()
    assert hang_up.poll(10_000) == [(reading, select.POLLHUP)]
    os.close(reading)
    assert child.returncode() == -signal.SIGKILL


def test_killing_what_has_ended_already_is_no_error(start: Start) -> None:
    child = start("pass")
    assert child.wait(10.0) == 0
    child.kill()
    child.kill()


def test_a_command_that_is_not_there_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="no-such-command cannot be started: No such file"):
        ChildProcess(["no-such-command"], {}, str(tmp_path))


#: Starts a child that heeds nothing, not even the end of its input, and tells its number.
STARTS_A_DEAF_CHILD = """
import signal, sys
from fuzz.target.process import ChildProcess
child = ChildProcess([sys.executable, "-c", "import signal; signal.pause()"], {}, sys.argv[1])
print(child.pid, flush=True)
signal.pause()
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv of util-linux is not there")
def test_a_child_that_heeds_nothing_is_killed_with_the_harness(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTS_A_DEAF_CHILD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as harness:
        assert harness.stdout is not None
        watched = os.pidfd_open(int(harness.stdout.readline()))
        try:
            harness.kill()
            assert select.select([watched], [], [], 10.0)[0], "the child lives on"
        finally:
            os.close(watched)


def test_a_line_is_told_to_who_reads_and_to_nobody_else(start: Start) -> None:
    child = start("print('heard', input(), flush=True)")
    assert child.tell("this")
    assert child.wait_for_line(("heard",), soon()) == "heard this"
    assert child.wait(10.0) == 0
    assert not child.tell("and this")
    child.close_input()
    assert not child.tell("nor this")
