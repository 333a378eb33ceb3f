"""The source of a target's modules is found where its code comes from."""

from __future__ import annotations

from pathlib import Path

from fuzz.settings import AttachSettings, StartSettings, TargetSettings
from fuzz.target.sources import sources_of


def test_the_reference_has_the_source_of_each_module() -> None:
    sources = sources_of(TargetSettings())
    assert sources["iris_ref_session"].name == "iris_ref_session.erl"
    assert sources["iris_ref_session"].is_file()


def test_of_two_in_the_folder_of_a_server_the_one_on_top_is_taken(tmp_path: Path) -> None:
    own, copied = tmp_path / "src" / "iris.erl", tmp_path / "_build" / "lib" / "src" / "iris.erl"
    hidden, other = tmp_path / ".git" / "old.erl", tmp_path / "deps" / "cowboy.erl"
    for path in (own, copied, hidden, other, tmp_path / "src" / "iris.hrl"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    settings = TargetSettings(start=StartSettings(("make start",), tmp_path))
    assert sources_of(settings) == {"iris": own, "cowboy": other}


def test_of_a_server_that_runs_nothing_is_known() -> None:
    settings = TargetSettings("127.0.0.1:8085", attach=AttachSettings(("iris",)))
    assert sources_of(settings) == {}
