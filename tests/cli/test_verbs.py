"""The table of the verbs: each is where it says, and none is imported before it is asked for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from fuzz.cli.main import cli
from fuzz.cli.verbs import VERBS, Commands
from tests.cli.support import Run

#: What takes long to import, and whom it is for.
HEAVY = {"atheris", "dpkt", "hypothesis", "jinja2", "psutil", "rich", "textual", "wsproto"}


def imported_by(words: str) -> set[str]:
    """Return what is in ``sys.modules`` after some Python."""
    program = f"{words}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-c", program]
    return set(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_where_the_table_says(name: str) -> None:
    assert cli.commands[name].name == name


def test_the_table_is_in_the_order_of_the_alphabet() -> None:
    assert list(VERBS) == sorted(VERBS)


def test_each_verb_has_a_line_in_the_help(run: Run) -> None:
    told = run("--help").out.splitlines()
    for name, verb in VERBS.items():
        assert f"  {name:<10}  {verb.short_help}" in told


def test_verbs_that_are_not_asked_for_are_not_imported() -> None:
    told = imported_by(
        "from click.testing import CliRunner\nfrom fuzz.cli.main import cli\n"
        "assert CliRunner().invoke(cli, ['--help']).exit_code == 0"
    )
    assert not told & HEAVY
    assert {name for name in told if name.startswith("fuzz.report")} == set()


def test_what_only_some_campaigns_need_is_not_imported_for_all() -> None:
    told = imported_by("from fuzz.cli.main import cli\ncli.commands['fuzz']")
    assert "fuzz.campaign" in told
    assert not told & {"hypothesis", "jinja2", "textual", "dpkt"}


def test_commands_are_in_the_table_and_nowhere_else() -> None:
    commands = Commands()
    assert len(commands) == len(VERBS)
    with pytest.raises(TypeError, match="new is to stand in VERBS"):
        commands["new"] = cli
    with pytest.raises(TypeError, match="fuzz stands in VERBS"):
        del commands["fuzz"]
    with pytest.raises(KeyError):
        commands["new"]
