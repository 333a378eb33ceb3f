"""``init`` writes what it found in a server's folder, in a form that the verbs take."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from fuzz.cli.config import CONFIG_NAME, TARGET_TABLE, defaults, read_config
from fuzz.cli.init import written
from fuzz.cli.main import cli
from fuzz.cli.target_options import TARGET_WORDS, declared
from fuzz.target.checkout import Checkout, survey
from tests.cli.support import Run

MAKEFILE = """\
.PHONY: all
PORT := 8085
run_port = 9999
all: compile
start_edge1: compile
\terl -sname iris_edge1 -setcookie iris -iris_edge port $(PORT) > edge1.log 2>&1 &
start_edge2:
\terl -iris_edge port 8187 &
start_core: compile
\terl -sname iris_core &
run_core:
start_all: start_core start_edge1
start_shell:
stop_core:
restart: stop_core
"""


def checkout(folder: Path, files: dict[str, str]) -> Checkout:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return survey(folder)


def test_a_makefile_tells_the_commands_the_core_first(tmp_path: Path) -> None:
    found = checkout(tmp_path, {"Makefile": MAKEFILE})
    assert found.commands == ("make start_core", "make start_edge1", "make start_edge2")
    assert found.found_in == "Makefile"


@pytest.mark.parametrize(
    ("rules", "commands"),
    [
        ("run:\n\ttrue\nstart:\n\ttrue\n", ("make run",)),
        ("start_node: deps\n", ("make start_node",)),
        ("test: deps\nrestart:\nstart := no\n", ()),
    ],
)
def test_a_rule_that_starts_something_is_told_by_its_name(
    tmp_path: Path, rules: str, commands: tuple[str, ...]
) -> None:
    assert checkout(tmp_path, {"Makefile": rules}).commands == commands


def test_without_a_makefile_it_is_the_release_that_was_built(tmp_path: Path) -> None:
    script = "_build/default/rel/iris/bin/iris"
    found = checkout(tmp_path, {script: "", "_build/default/rel/iris/bin/iris-1.0": ""})
    assert found.commands == (f"{script} foreground",)
    assert found.found_in == script


def test_ports_are_what_is_called_one_the_most_frequent_first(tmp_path: Path) -> None:
    files = {
        "Makefile": MAKEFILE,
        "config/sys.config": "[{iris_edge, [{tcp_port, 8085}, {metrics_port, 9100}]}].",
        "apps/iris_edge/src/edge.hrl": "-define(PORT, 8085).\n-define(REPORT, 100).",
        "apps/iris_edge/src/iris_edge.app.src": "{application, iris_edge, []}.",
        "deps/other/src/other.erl": "-define(PORT, 7777).",
    }
    found = checkout(tmp_path, files)
    assert found.ports == (8085, 8187, 9100, 9999)
    assert found.applications == ("iris_edge",)


@pytest.mark.parametrize(
    ("ports", "edge"),
    [
        ("PORT1 ?= 8085\nPORT_2 := 8087\nMETRICS_PORT = 9100\n", [8087]),
        ("PORT1 = 8085\n", None),
        ("PORT1 = 8085\nPORT2 = 8087\nWS_PORT = 8086\n", None),
        ("PORT = 8085\nMETRICS_PORT = 9100\n", None),
    ],
)
def test_numbered_ports_are_those_of_the_edges_if_there_are_as_many(
    run: Run, tmp_path: Path, ports: str, edge: list[int] | None
) -> None:
    (tmp_path / "Makefile").write_text(f"{ports}start_core:\nstart_edge1:\nstart_edge2:\n")
    ran = run("init", "--cwd", tmp_path)
    table = tomllib.loads((tmp_path / CONFIG_NAME).read_text())[TARGET_TABLE]
    assert (table["port"], table.get("edge")) == (8085, edge)
    assert ("other edges: 8087\n" in ran.out) is (edge is not None)


def test_an_empty_folder_tells_nothing(tmp_path: Path) -> None:
    assert survey(tmp_path) == Checkout(tmp_path)


def test_what_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "Makefile").mkdir()
    assert survey(tmp_path).commands == ()


@pytest.mark.parametrize("files", [{}, {"Makefile": MAKEFILE}, {"Makefile": 'start_"x": y\n'}])
def test_the_file_is_one_that_the_verbs_take(tmp_path: Path, files: dict[str, str]) -> None:
    (tmp_path / CONFIG_NAME).write_text(written(checkout(tmp_path, files)))
    found = defaults(read_config(tmp_path / CONFIG_NAME), cli.commands, "fuzz")
    assert found["port"] == 8085
    assert tuple(found.get("commands", ())) == survey(tmp_path).commands
    assert found["seconds"] == 600


def test_each_option_of_a_target_is_in_it_and_can_be_made_to_count(tmp_path: Path) -> None:
    text = written(survey(tmp_path))
    for option in declared():
        word = max(option.opts, key=len).removeprefix("--")
        if word not in ("plant", "auth", "edges", "clock-skew"):  # those of the embedded target
            assert f"\n# {word} = " in text or f"\n{word} = " in text, word
    assert {option.name for option in declared()} == set(TARGET_WORDS)
    tables = tomllib.loads(text)
    assert set(tables) == {TARGET_TABLE, "fuzz"}


def test_it_tells_what_it_found_and_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    ran = run("init", "--cwd", tmp_path)
    assert ran.code == 0
    assert "start commands, from Makefile: make start_core, make start_edge1" in ran.out
    assert ran.out.startswith(f"wrote {tmp_path / CONFIG_NAME}\n")
    before = (tmp_path / CONFIG_NAME).read_text()
    (tmp_path / CONFIG_NAME).write_text("something = [that is mine")
    again = run("init", "--cwd", tmp_path)
    assert (again.code, "--force replaces it" in again.sentence()) == (2, True)
    assert run("init", "--cwd", tmp_path, "--force").code == 0
    assert (tmp_path / CONFIG_NAME).read_text() == before


def test_a_broken_file_does_not_keep_it_from_mending(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / CONFIG_NAME).write_text("something = [that is broken")
    monkeypatch.chdir(tmp_path)
    assert run("init", "--force").code == 0
    assert "no start command was found" in run("init", "--force").out
