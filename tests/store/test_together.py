"""Files that belong together come all or not at all, and of a pair each tells of the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.errors import StoreError
from fuzz.store import atomic
from fuzz.store.atomic import write_together


def test_all_are_written_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_together({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"1", "b": b"2"}


def test_where_one_cannot_be_written_the_others_stay_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    write, written = atomic.write_all, list[bytes]()

    def full(descriptor: int, data: bytes) -> None:
        if written:
            raise OSError(28, "No space left on device")
        written.append(data)
        write(descriptor, data)

    monkeypatch.setattr(atomic, "write_all", full)
    with pytest.raises(StoreError, match=r"b cannot be written: the disk is full"):
        write_together({tmp_path / "a": b"new", tmp_path / "b": b"2"})
    assert written == [b"new"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}
