"""The verbs: what each is for, and where it is. A verb is imported when it is asked for.

One verb needs Hypothesis, one a terminal, one templates; to import them all takes a second, which
nobody wants to wait for who asks for something else. The worker processes of a campaign import the
command line as well, as :mod:`multiprocessing` has it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword

import click
from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Verb:
    """A module of ``fuzz.cli`` that has a command of the verb's name, and what it is for.

    A name that is a word of Python has an underscore behind it there.
    """

    module: str
    short_help: str


VERBS = {
    "bench": Verb("bench", "Measure the harness: its throughput, its strength, and more."),
    "check": Verb("check", "Ask a server for what it owes its users."),
    "cmin": Verb("distil", "Choose the few cases that reach all that many reach."),
    "compat": Verb("compat", "Tell how two versions of a server differ."),
    "completion": Verb("completion", "Print what bash, zsh or fish need to complete options."),
    "decode": Verb("decode", "Hold the server's decoder against the grammar."),
    "doctor": Verb("doctor", "Check this machine, and say what to do about what is wrong."),
    "export": Verb("exchange", "Write cases as captures, AFLNet replay files or raw payloads."),
    "fuzz": Verb("fuzz", "Fuzz a target, steered by the coverage of its BEAM."),
    "import": Verb("exchange", "Make cases of the files of other fuzzers, and of captures."),
    "init": Verb("init", "Write a commented iris-fuzz.toml for the server in this folder."),
    "man": Verb("man", "Print the manual page."),
    "merge": Verb("distil", "Add to a corpus what reaches something new."),
    "metrics": Verb("metrics", "What a run tells Prometheus, a dashboard, and assertions."),
    "planted": Verb("planted", "List the planted defects, or measure who finds them."),
    "promote": Verb("minimal", "Copy a minimal case to the regressions."),
    "record": Verb("record", "Keep what a server answers today as golden cases."),
    "replay": Verb("replay", "Play saved cases again, and say what became of each."),
    "report": Verb("report", "Write a campaign as one page of HTML."),
    "serve": Verb("report", "Show a campaign in the browser, while it runs."),
    "show": Verb("show", "Print a case frame by frame."),
    "smoke": Verb("smoke", "Replay the regressions, then fuzz for a minute: for CI."),
    "swarm": Verb("swarm", "Fuzz on the machines of a Dask cluster."),
    "target": Verb("target", "The reference Iris by itself."),
    "tmin": Verb("minimal", "Make a case as small as it can be."),
    "triage": Verb("triage", "Turn cases into bug reports, one for each bug."),
}


class Commands(MutableMapping[str, click.Command]):
    """The commands of :data:`VERBS` by their names; to read one imports it."""

    def __init__(self) -> None:
        self._read: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._read:
            module = import_module(f"fuzz.cli.{VERBS[name].module}")
            self._read[name] = getattr(module, f"{name}_" if iskeyword(name) else name)
        return self._read[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        raise TypeError(f"{name} is to stand in VERBS")

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name} stands in VERBS")

    def __iter__(self) -> Iterator[str]:
        return iter(VERBS)

    def __len__(self) -> int:
        return len(VERBS)


class Verbs(click.Group):
    """The group of all verbs, which lists them without importing one."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a line for each verb."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.short_help) for name, verb in VERBS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the verbs, and the options before them, that begin like this."""
        verbs = [
            CompletionItem(name, help=verb.short_help)
            for name, verb in VERBS.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)
