"""What holds of each verb, by walking the tree: examples, exit codes, JSON, the manual."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator

import click
import pytest

from fuzz.cli.main import cli
from fuzz.cli.man import manual
from fuzz.cli.target_options import TARGET_WORDS
from tests.cli.support import Run

#: Verbs that write or print one thing, and report of nothing.
WITHOUT_JSON = {
    "promote", "init", "target run", "metrics dashboard", "completion", "man",
    "report", "serve",  # they are pages: what is on them is in a summary, and in the time line
    "export",
}  # fmt: skip
#: The width of a terminal, and that of a name that stands before what it does.
COLUMNS = 80


def verbs(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, f"{before}{name} ")
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield f"{before}{name}", command


VERBS = dict(verbs(cli))


def examples(command: click.Command) -> list[str]:
    """Return the command lines in the help of a verb, without the name of the program."""
    told = (command.help or "").partition("Examples:\n")[2].partition("\n\n")[0]
    return re.findall(r"\biris-fuzz ([^|>)\n]*[^|>)\s])", told)


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_has_an_example_of_itself(name: str) -> None:
    assert [one for one in examples(VERBS[name]) if one.startswith(name)], name


@pytest.mark.parametrize("name", VERBS)
def test_each_example_can_be_parsed(name: str) -> None:
    for example in examples(VERBS[name]):
        command: click.Command = cli
        words = shlex.split(example)
        while isinstance(command, click.Group) and words:
            command = command.commands[words.pop(0)]
            # Who parses leniently lets an option through that there is not.
            parser = command.make_parser(click.Context(command))
            parser.allow_interspersed_args = not isinstance(command, click.Group)
            values, words, _ = parser.parse_args(words)
            assert values.keys() <= {param.name for param in command.params}


@pytest.mark.parametrize("name", VERBS)
def test_each_verb_says_how_it_ends_and_fits_a_terminal(name: str, run: Run) -> None:
    text = run(*name.split(), "--help").out
    assert re.search(r"Exit codes: 0 ", text), name
    assert max(map(len, text.splitlines())) <= COLUMNS


@pytest.mark.parametrize("name", [name for name in VERBS if name not in WITHOUT_JSON])
def test_each_verb_that_reports_does_it_as_json_too(name: str) -> None:
    options = {word for param in VERBS[name].params for word in param.opts}
    assert "--json" in options


def test_those_that_need_no_json_are_verbs() -> None:
    assert VERBS.keys() >= WITHOUT_JSON


@pytest.mark.parametrize("name", VERBS)
def test_each_option_says_what_it_does(name: str) -> None:
    silent = [p.opts for p in VERBS[name].params if isinstance(p, click.Option) and not p.help]
    assert silent == []


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["smok"], "smoke"),
        (["target", "rin"], "run"),
        (["fuzz", "--seeds-corpus"], "--seed-corpus"),
        (["completion", "bsh"], "bash"),
    ],
)
def test_what_is_misspelt_is_answered_with_what_is_near(
    words: list[str], meant: str, run: Run
) -> None:
    ran = run(*words)
    assert (ran.code, meant in ran.err) == (2, True)


def test_the_manual_has_each_verb_and_each_option_once_where_it_belongs() -> None:
    text = "\n".join(manual(cli))
    sections = text.split(".SS ")
    named = {section.splitlines()[0].replace("\\-", "-"): section for section in sections[1:]}
    assert VERBS.keys() <= named.keys()
    for name, command in VERBS.items():
        for param in command.params:
            if isinstance(param, click.Option) and param.name not in TARGET_WORDS:
                assert param.opts[0].replace("-", "\\-") in named[name], (name, param.opts)
    assert text.count(".B \\-\\-cookie\\-file") == 1


def test_troff_has_nothing_to_say_against_the_manual() -> None:
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("groff is not installed")
    page = "\n".join(manual(cli))
    done = subprocess.run(
        [groff, "-man", "-ww", "-Tascii"],
        input=page, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "iris-fuzz smoke --time 30 --junit smoke.xml" in re.sub(".\b", "", done.stdout)


def test_no_line_of_the_manual_is_taken_for_a_request() -> None:
    requests = {".TH", ".SH", ".SS", ".B", ".TP", ".PP", ".nf", ".fi"}
    for line in "\n".join(manual(cli)).splitlines():
        assert not line.startswith("'")
        assert not line.startswith(".") or line.split()[0] in requests, line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_asks_us(shell: str, run: Run) -> None:
    ran = run("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert "_IRIS_FUZZ_COMPLETE" in ran.out
    if shutil.which(shell):
        done = subprocess.run([shell, "-n"], input=ran.out, text=True, timeout=30)
        assert done.returncode == 0


def test_a_shell_that_asks_is_answered(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_IRIS_FUZZ_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "iris-fuzz smoke --base")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert run().out.splitlines() == ["plain,--baseline"]
