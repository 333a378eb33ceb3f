"""Compiling Erlang sources into a cache."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fuzz import erlang
from fuzz.beam.cookie import read_cookie
from fuzz.errors import AgentError, TargetError

GOOD = '-module(little).\n-export([one/0]).\n-include("little.hrl").\none() -> ?ONE.\n'


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for folder in ("src", "include"):
        (tmp_path / "app" / folder).mkdir(parents=True)
    (tmp_path / "app/src/little.erl").write_text(GOOD)
    (tmp_path / "app/include/little.hrl").write_text("-define(ONE, 1).\n")
    (tmp_path / "app/src/little.app.src").write_text(
        '{application, little, [{vsn, "1"}, {modules, []}]}.\n'
    )
    return tmp_path / "app"


def test_sources_are_compiled_once_until_they_change(sources: Path, tmp_path: Path) -> None:
    ebin = erlang.compile_erlang(sources, "little", tmp_path / "cache")
    assert sorted(path.name for path in ebin.iterdir()) == ["little.app", "little.beam"]
    assert ebin.parts[-2:] == ("little", "ebin")
    assert "{modules, [little]}" in (ebin / "little.app").read_text()
    stamp = (ebin / "little.beam").stat().st_mtime_ns
    assert erlang.compile_erlang(sources, "little", tmp_path / "cache") == ebin
    assert (ebin / "little.beam").stat().st_mtime_ns == stamp
    (sources / "include/little.hrl").write_text("-define(ONE, 2).\n")
    assert erlang.compile_erlang(sources, "little", tmp_path / "cache") != ebin


def test_callers_at_the_same_time_get_the_same_folder(sources: Path, tmp_path: Path) -> None:
    def compile_it(_: int) -> Path:
        return erlang.compile_erlang(sources, "little", tmp_path / "cache")

    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(compile_it, range(4)))
    assert len(folders) == 1
    assert (folders.pop() / "little.beam").is_file()
    assert len(list((tmp_path / "cache/erlang").iterdir())) == 1


def test_a_ready_made_resource_is_copied(sources: Path, tmp_path: Path) -> None:
    (sources / "src/little.app.src").rename(sources / "src/little.app")
    ebin = erlang.compile_erlang(sources, "little", tmp_path / "cache")
    assert (ebin / "little.app").read_text() == (sources / "src/little.app").read_text()


@pytest.mark.parametrize("bad", ["one() -> ", "unused() -> 1.\n"])
def test_an_error_or_a_warning_is_told_in_one_line(sources: Path, tmp_path: Path, bad: str) -> None:
    with (sources / "src/little.erl").open("a") as file:
        file.write(bad)
    with pytest.raises(TargetError, match=r"do not compile: .*little\.erl:") as refusal:
        erlang.compile_erlang(sources, "little", tmp_path / "cache")
    assert "\n" not in str(refusal.value)
    assert list((tmp_path / "cache/erlang").iterdir()) == []


def test_a_folder_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="holds no Erlang source"):
        erlang.compile_erlang(tmp_path, "nothing", tmp_path / "cache")


def test_a_machine_without_erlang_is_told_what_to_install(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    erlang.otp_release.cache_clear()
    with pytest.raises(TargetError, match="erl is not installed; on Debian: apt install erlang-b"):
        erlang.compile_erlang(sources, "little", tmp_path / "cache")
    assert erlang.otp_release.cache_info().currsize == 0


def test_flags_for_targets_do_not_reach_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERL_ZFLAGS", "-eval halt(7).")
    assert "ERL_ZFLAGS" not in erlang.clean_environment()
    erlang.otp_release.cache_clear()
    assert int(erlang.otp_release()) >= 25


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert erlang.default_cache_dir() == Path("/somewhere/iris-fuzz")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert erlang.default_cache_dir() == Path.home() / ".cache/iris-fuzz"


def test_a_user_without_a_home_is_told_what_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(TargetError, match="name one with XDG_CACHE_HOME"):
        erlang.default_cache_dir()
    with pytest.raises(AgentError, match="--cookie-file"):
        read_cookie(None)


def test_a_cache_that_cannot_be_written_is_told(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in the way")
    with pytest.raises(TargetError, match="cannot keep compiled Erlang code"):
        erlang.compile_erlang(sources, "little", tmp_path / "cache")
