"""``iris-fuzz init``: a commented ``iris-fuzz.toml``, from what the folder tells of its server."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from pathlib import Path

import click

from fuzz.cli.config import CONFIG_NAME, TARGET_TABLE
from fuzz.cli.target_options import declared
from fuzz.errors import SettingsError
from fuzz.settings import IRIS_PORT
from fuzz.store.atomic import write_atomic
from fuzz.target.checkout import Checkout, survey

#: As wide as comments are in this project.
_COLUMNS = 98
#: Ports of the edges of one machine are no further apart.
_NEAR = 100
#: What :func:`_found` writes out; an embedded target has its own options, and needs no file.
_ELSEWHERE = frozenset({"start", "port", "edge", "plant", "auth", "edges", "clock-skew"})


@click.command()
@click.option(
    "--cwd",
    "folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    show_default="this folder",
    metavar="FOLDER",
    help="The folder of the server, in which its start commands run.",
)
@click.option("--force", is_flag=True, help="Replace what is there.")
def init(folder: Path, force: bool) -> int:
    """Write a commented iris-fuzz.toml, from what the folder tells of its server.

    Nothing is started: a Makefile, the release that was built, and the configuration are read for
    start commands and ports. Look at what was found before you use it.

    \b
    Examples:
      cd my_iris && iris-fuzz init && iris-fuzz doctor
      iris-fuzz init --cwd ../my_iris

    Exit codes: 0 written, 2 not written.
    """
    file = folder / CONFIG_NAME
    if file.exists() and not force:
        raise SettingsError(f"{file} is there already; --force replaces it")
    found = survey(folder)
    write_atomic(file, written(found).encode())
    click.echo(f"wrote {file}")
    for line in _told(found):
        click.echo(f"  {line}")
    click.echo("look at it, then: iris-fuzz doctor")
    return 0


def written(found: Checkout) -> str:
    """Return the text of the file: what was found, and all other options as comments."""
    parts = [
        "# Options of iris-fuzz that need not be typed again; the command line wins.\n"
        "# A table named after a verb ([fuzz], [check], ...) holds that verb's options by their\n"
        "# long names. Paths are relative to this file.\n",
        f"# Which server, for each verb that plays against one.\n[{TARGET_TABLE}]\n{_found(found)}",
        *(_comment(option) for option in declared() if _name(option) not in _ELSEWHERE),
        "[fuzz]\n"
        "# Seconds after which a campaign ends; without it, Ctrl-C does.\n"
        "time = 600\n"
        "# Where crashes and what was learned are kept.\n"
        '# corpus = "corpus"\n',
    ]
    return "\n".join(parts)


def _found(found: Checkout) -> str:
    lines = [f"# Commands that start the nodes, in order (from {found.found_in})."]
    if found.commands:
        # A string of JSON is one of TOML.
        quoted = (json.dumps(command, ensure_ascii=False) for command in found.commands)
        lines += ["start = [", *(f"    {command}," for command in quoted), "]"]
    else:
        lines = [
            "# Commands that start the nodes, in order. None was found: neither a rule of a",
            "# Makefile that is called start_..., nor a release in _build.",
            '# start = ["make start_core", "make start_edge1"]',
        ]
    (port, others), further = _edge_port(found), _further(found)
    named = " Others that are called a port: " + ", ".join(map(str, others)) + "." if others else ""
    lines += [
        *_wrapped(f"The TCP port of the first edge.{named}"),
        f"port = {port}",
        "# The ports of the other edges of the same cluster.",
        f"{'' if further else '# '}edge = [{', '.join(map(str, further or others or (8087,)))}]",
    ]
    return "\n".join(lines) + "\n"


def _edge_port(found: Checkout) -> tuple[int, tuple[int, ...]]:
    """Return the port that is most likely the edge's, and the other ones."""
    named = IRIS_PORT in found.ports or not found.ports
    port = IRIS_PORT if named else found.ports[0]
    return port, tuple(number for number in found.ports if number != port)


def _further(found: Checkout) -> tuple[int, ...]:
    """Return the ports of the other edges, where as many commands start one as there are ports.

    Edges stand side by side; what is far from the first is metrics, or another server's.
    """
    edges = sum("edge" in command for command in found.commands)
    port, others = _edge_port(found)
    near = tuple(number for number in others if abs(number - port) <= _NEAR)
    return near if near and edges == 1 + len(near) else ()


def _told(found: Checkout) -> Iterable[str]:
    if found.commands:
        yield f"start commands, from {found.found_in}: {', '.join(found.commands)}"
    else:
        yield "no start command was found: write one into the file, or use --target HOST:PORT"
    yield f"port: {_edge_port(found)[0]}"
    if _further(found):
        yield f"other edges: {', '.join(map(str, _further(found)))}"
    if found.applications:
        yield f"applications: {', '.join(found.applications)}"


def _comment(option: click.Option) -> str:
    """Return an option as a comment that can be made to count."""
    value = '""' if not option.is_flag else "true"
    default = option.default
    if isinstance(default, int | float) and not option.is_flag:
        value = str(default)
    elif isinstance(default, str):
        value = f'"{default}"'
    return "\n".join([*_wrapped(option.help or ""), f"# {_name(option)} = {value}", ""])


def _name(option: click.Option) -> str:
    return next(word for word in option.opts if word.startswith("--")).removeprefix("--")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent="# ", subsequent_indent="# ")
