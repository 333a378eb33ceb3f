"""How many files may be open: all that are allowed, and a sentence where they are too few."""

from __future__ import annotations

import resource

import pytest

from fuzz.descriptors import LEAST_FILES, check_open_files, open_files
from fuzz.errors import SettingsError
from tests.store.support import run


def limited(soft: int, hard: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_all_files_that_are_allowed_may_be_opened() -> None:
    def body() -> None:
        limited(LEAST_FILES // 2, LEAST_FILES)
        assert open_files() == LEAST_FILES
        check_open_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (LEAST_FILES, LEAST_FILES)

    assert run(body) == 0


def test_too_few_are_told_with_what_to_do() -> None:
    def body() -> None:
        limited(LEAST_FILES - 1, LEAST_FILES - 1)
        with pytest.raises(
            SettingsError, match=rf"is {LEAST_FILES - 1}, .* wants {LEAST_FILES} at least; raise"
        ):
            check_open_files()

    assert run(body) == 0
