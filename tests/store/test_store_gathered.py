"""A folder of cases under their hashes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.errors import SettingsError, StoreError
from fuzz.store.gathered import keep, name_of, new_folder, ready


def test_a_case_is_kept_once_under_its_hash(tmp_path: Path) -> None:
    path = keep(tmp_path, b"payload")
    assert path == tmp_path / name_of(b"payload")
    assert path.read_bytes() == b"payload"
    assert keep(tmp_path, b"payload") is None
    assert len(list(tmp_path.iterdir())) == 1


def test_a_new_folder_is_made_and_one_with_files_is_refused(tmp_path: Path) -> None:
    new_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / ".gitkeep").touch()
    new_folder(tmp_path / "a" / "b")
    (tmp_path / "a" / "b" / "case").touch()
    with pytest.raises(SettingsError, match=r"b holds files already \(case, \.\.\.\)"):
        new_folder(tmp_path / "a" / "b")


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file cannot be used as a folder to write to"):
        ready(tmp_path / "file")
