"""``iris-fuzz man``: the manual page, made of the help of all verbs.

What is said of a verb is said once, in its help. Options that choose a target are the same for many
verbs, and have a section of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from textwrap import dedent

import click

from fuzz.cli.target_options import TARGET_WORDS, declared

_NAME = "iris-fuzz"
_SUMMARY = "coverage-guided fuzzing of live Erlang nodes that speak the Iris protocol"
#: What click takes for: this paragraph is not to be filled anew.
_AS_IT_IS = "\b"
_CODE = re.compile(r"``?([^`]+)``?")


@click.command()
@click.pass_context
def man(context: click.Context) -> int:
    """Print the manual page, iris-fuzz(1), for troff.

    \b
    Examples:
      iris-fuzz man >~/.local/share/man/man1/iris-fuzz.1
      iris-fuzz man | man -l -

    Exit codes: 0 always.
    """
    root = context.find_root()
    assert isinstance(root.command, click.Group)
    click.echo("\n".join(manual(root.command)))
    return 0


def manual(group: click.Group) -> Iterator[str]:
    """Yield the lines of the page for all verbs of ``group``."""
    context = click.Context(group, info_name=_NAME)
    yield f".TH {_NAME.upper()} 1"
    yield from (".SH NAME", rf"{_escaped(_NAME)} \- {_escaped(_SUMMARY)}")
    yield from (".SH SYNOPSIS", f".B {_escaped(_NAME)}", _escaped(_usage(context)))
    yield ".SH DESCRIPTION"
    yield from _text(group.help or "")
    yield ".SH OPTIONS"
    yield from _options(group.params, context)
    yield ".SH VERBS"
    for verb in _verbs(group, context):
        yield from _verb(verb)
    yield ".SH OPTIONS THAT CHOOSE A TARGET"
    yield from _options(declared(), context)


def _verbs(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    """Yield a context for each verb, those of a group behind it."""
    for name, command in group.commands.items():
        own = click.Context(command, info_name=name, parent=context)
        yield own
        if isinstance(command, click.Group):
            yield from _verbs(command, own)


def _verb(context: click.Context) -> Iterator[str]:
    command = context.command
    yield f".SS {_escaped(context.command_path.removeprefix(_NAME).strip())}"
    yield from (f".B {_escaped(context.command_path)}", _escaped(_usage(context)), ".PP")
    yield from _text(command.help or "")
    own = [param for param in command.params if param.name not in TARGET_WORDS]
    shared = len(command.params) - len(own) == len(TARGET_WORDS)
    yield from _options(own if shared else command.params, context)
    if shared:
        yield from (".PP", "It has the options that choose a target too.")


def _usage(context: click.Context) -> str:
    return " ".join(context.command.collect_usage_pieces(context))


def _options(params: Iterable[click.Parameter], context: click.Context) -> Iterator[str]:
    for param in params:
        record = param.get_help_record(context)
        if record is not None:
            yield from (".TP", f".B {_escaped(record[0])}", _line(record[1]))


def _text(text: str) -> Iterator[str]:
    """Yield paragraphs of help: filled, or line by line where click is told so."""
    for paragraph in re.split(r"\n[ ]*\n", text):
        lines = paragraph.strip("\n").splitlines()
        yield ".PP"
        if lines and lines[0].strip(" ") == _AS_IT_IS:
            yield ".nf"
            yield from map(_line, dedent("\n".join(lines[1:])).splitlines())
            yield ".fi"
        else:
            yield from (_line(line.strip()) for line in lines)


def _line(text: str) -> str:
    return _CODE.sub(r"\\fB\1\\fR", _escaped(text)) or r"\&"


def _escaped(text: str) -> str:
    """Return ``text`` so that troff prints it as it is."""
    safe = text.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + safe if safe[:1] in (".", "'") else safe
