"""``iris-fuzz.toml``: what it says is in force, the command line wins, and a mistake is told."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from fuzz.cli.config import CONFIG_NAME, Config, defaults, read_config, target_defaults
from fuzz.cli.main import cli
from fuzz.errors import SettingsError
from tests.cli.support import Run


def defaults_of(tmp_path: Path, text: str, verb: str = "fuzz") -> dict[str, object]:
    file = tmp_path / CONFIG_NAME
    file.write_text(text)
    return defaults(read_config(file), cli.commands, verb)


def test_target_options_are_for_each_verb_that_has_them(tmp_path: Path) -> None:
    text = '[target]\nport = 9000\nplant = "hang"\n[fuzz]\ntime = 5\njobs = 2\n'
    shared = {"port": 9000, "plants": ["hang"]}
    assert defaults_of(tmp_path, text) == {**shared, "seconds": 5, "jobs": 2}
    for verb, found in (("replay", shared), ("triage", shared), ("show", {}), ("target", {})):
        assert defaults_of(tmp_path, text, verb) == found


def test_the_table_of_a_verb_wins_over_that_of_targets(tmp_path: Path) -> None:
    text = "[target]\nport = 9000\n[replay]\nport = 9002\n"
    assert [defaults_of(tmp_path, text, verb)["port"] for verb in ("fuzz", "replay")] == [
        9000,
        9002,
    ]


def test_paths_are_those_that_the_file_means(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "a", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    text = f'[fuzz]\ncorpus = "night"\nseed-corpus = ["a", "{elsewhere}"]\n'
    found = defaults_of(tmp_path, text)
    assert found["corpus"] == str(tmp_path / "night")
    assert found["seeds"] == [str(here), str(elsewhere)]


def test_start_commands_run_where_the_file_is_unless_it_says_otherwise(tmp_path: Path) -> None:
    for line, folder in (("", tmp_path), ('cwd = "iris"', tmp_path / "iris")):
        text = f'[target]\nstart = ["make start"]\n{line}\n'
        expected = {"commands": ["make start"], "folder": str(folder)}
        assert defaults_of(tmp_path, text) == expected
        assert target_defaults(read_config(tmp_path / CONFIG_NAME)) == expected
    assert target_defaults(Config()) == {}


def test_without_a_file_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_config(None) == Config()
    assert defaults(Config(), cli.commands, "fuzz") == {}


def test_other_tables_are_handed_on(tmp_path: Path) -> None:
    file = tmp_path / CONFIG_NAME
    file.write_text('[decoder]\nframe = "{ok, _}"\n')
    config = read_config(file)
    assert defaults(config, cli.commands, "fuzz") == {}
    assert config.table("decoder") == {"frame": "{ok, _}"}
    assert config.table("target") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[target]\nprot = 1", "[target] has no option prot (is port meant?)"),
        ("[target]\nport = 70000", "[target] port: 70000 is not in the range"),
        ("[target]\nport = true", "[target] port wants one value, not True"),
        ("[target]\nport = [1, 2]", "[target] port wants one value, not [1, 2]"),
        ("[target]\nauth = 1", "[target] auth wants true or false, not 1"),
        ("[fuzz]\ncorpus = ['x']", "[fuzz] corpus wants one value, not ['x']"),
        ("[fuzz]\ncorpus = 5", "[fuzz] corpus wants a path, not 5"),
        ("[fuzz]\ncampaign = false", "[fuzz] campaign wants one value, not False"),
        ("[fuzz]\nseed-corpus = ['x', 5]", "[fuzz] seed-corpus wants a path, not 5"),
        ("[target]\ncookie-file = {a = 1}", "cookie-file wants one value, not {'a': 1}"),
        ("[target]\nplant = [['hang']]", "[target] plant wants one value, not ['hang']"),
        ("[fuzz]\ncases = 1.5", "[fuzz] cases wants a whole number, not 1.5"),
        ("[fuzz]\njobs = 2.0", "[fuzz] jobs wants a whole number, not 2.0"),
        ("[fuzz]\ntime = 'long'", "[fuzz] time: 'long' is no time: 90, 90s"),
        ("[fuzz]\ntime = inf", "[fuzz] time: inf is no time: 90, 90s"),
        ("[target]\nrate = nan", "[target] rate: nan is no number that limits"),
        ("[fuz]\ntime = 1", "there is no verb fuz (is fuzz meant?)"),
        ("[planted]\ntime = 1", "there is no verb planted"),
        ("port = 1", "port stands outside of a table"),
        ("port =", "is no TOML"),
        ("port = " + "[" * 100_000, "nests too deep"),
        ("port = " + "9" * 5_000, "nests too deep, or holds a number too long"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        defaults_of(tmp_path, text, "show")
    assert says in str(refused.value)
    assert str(tmp_path / CONFIG_NAME) in str(refused.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read_config(tmp_path / "none.toml")


def test_each_option_of_a_verb_can_stand_in_the_file() -> None:
    """An option that takes no value but switches two things would need a form of its own here."""
    for name, verb in cli.commands.items():
        options = [param for param in verb.params if isinstance(param, click.Option)]
        assert all(any(opt.startswith("--") for opt in option.opts) for option in options), name
        assert all(option.nargs == 1 for option in options), name


def test_the_verbs_go_by_it_and_the_command_line_wins(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / CONFIG_NAME
    file.write_text('[target]\nplant = ["no_such"]\n[fuzz]\ncorpus = "kept"\n')
    monkeypatch.chdir(tmp_path)
    for arguments, named in (((), "no_such"), (("--plant", "nor_this"), "nor_this")):
        told = run("fuzz", "--cases", "1", *arguments)
        assert told.code == 2
        assert f"there is no planted defect {named};" in told.sentence()
    monkeypatch.chdir("/")
    told = run("--config", file, "fuzz", "--cases", "1")
    assert "there is no planted defect no_such;" in told.sentence()


def test_a_mistake_in_it_ends_each_verb(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / CONFIG_NAME).write_text("[target]\nprot = 1\n")
    monkeypatch.chdir(tmp_path)
    told = run("show", "nothing")
    assert (told.code, "is port meant?" in told.sentence()) == (2, True)
