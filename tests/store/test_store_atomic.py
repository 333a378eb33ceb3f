"""Files are whole or absent, whatever stops the writing of them."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.errors import StoreError
from fuzz.store.atomic import ensure_writable, sweep, write_atomic, write_together
from tests.store.support import kill_at_call, run

NOBODY = 65534


def test_content_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"first", b"", b"x" * 100_000):
        write_atomic(path, content)
        assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["file"]


def _together(path: Path, data: bytes) -> None:
    write_together({path: data})


_WRITERS = pytest.mark.parametrize("write", [write_atomic, _together])


@_WRITERS
def test_a_link_stays_and_what_it_names_is_replaced(
    write: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    link, named = tmp_path / "link", tmp_path / "folder" / "file"
    link.symlink_to(Path("folder") / "file")
    for content in (b"first", b"second"):
        write(link, content)
        assert (link.is_symlink(), named.read_bytes()) == (True, content)
    assert os.listdir(tmp_path / "folder") == ["file"]


@_WRITERS
def test_what_is_no_regular_file_is_written_into(
    write: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(pipe, b"content")
        assert stat.S_ISFIFO(pipe.lstat().st_mode)
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert os.listdir(tmp_path) == ["pipe"]


@_WRITERS
def test_a_stream_of_the_process_is_written_behind_what_was_said(
    write: Callable[[Path, bytes], None], tmp_path: Path
) -> None:
    with (tmp_path / "said").open("wb", buffering=0) as said:
        said.write(b"before ")
        write(Path(f"/dev/fd/{said.fileno()}"), b"content")
    assert (tmp_path / "said").read_bytes() == b"before content"


@pytest.mark.parametrize("durable", [True, False])
def test_a_kill_before_any_change_leaves_the_old_or_the_new(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    old, new = b"o" * 5000, b"n" * 7000
    seen = set()
    number = 1
    while True:
        path.write_bytes(old)
        killed = kill_at_call(number, lambda: write_atomic(path, new, durable))
        assert path.read_bytes() in (old, new)
        seen.add(path.read_bytes())
        sweep(tmp_path)
        assert os.listdir(tmp_path) == ["file"]
        if not killed:
            break
        number += 1
    assert seen == {old, new}
    assert number == (6 if durable else 3) + 1


def test_only_leftovers_of_the_dead_are_swept(tmp_path: Path) -> None:
    theirs = tmp_path / f".{os.getppid()}-0.tmp"
    foreign = tmp_path / ".profile"
    for path in (theirs, foreign, tmp_path / f".{os.getpid()}-0.tmp"):
        path.write_bytes(b"x")
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {theirs, foreign}


def test_a_full_disk_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def body() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with pytest.raises(StoreError, match=r"file cannot be written: the limit on file sizes"):
            write_atomic(path, b"n" * 10_000)

    assert run(body) == 0
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["open", "write", "fsync"])
def test_each_failure_is_one_sentence_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, advice: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StoreError, match=f"file cannot be written: .*{advice}") as caught:
        write_atomic(path, b"new")
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_went_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"gone/file cannot be written: its folder is gone"):
        write_atomic(tmp_path / "gone" / "file", b"x")


def test_a_folder_is_made_and_proved_writable(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    ensure_writable(folder)
    ensure_writable(folder)
    assert os.listdir(folder) == []


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StoreError, match="a file is in the place of the folder"):
        ensure_writable(tmp_path / "file")
    with pytest.raises(StoreError, match="a part of the path is a file"):
        ensure_writable(tmp_path / "file" / "folder")


def test_a_folder_without_permission_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)

    def body() -> None:
        if os.geteuid() == 0:
            os.setuid(NOBODY)
        with pytest.raises(StoreError, match=r"locked cannot be used .*: no permission"):
            ensure_writable(folder)

    tmp_path.chmod(0o711)
    assert run(body) == 0
