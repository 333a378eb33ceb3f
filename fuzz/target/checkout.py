"""What the folder of an Erlang server tells of how it is started, and where it listens.

Nothing is run: files are read, and what they say is a suggestion for a person to look at. The
rules are those of the usual layouts: a Makefile with a target for each node, or a release that
rebar3 or relx has built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: ``start_core: deps``; an assignment (``A := 1``) and a rule of make's own (``.PHONY:``) are none.
_RULE = re.compile(r"^([A-Za-z][\w-]*)\s*:(?!=)", re.MULTILINE)
#: A rule that starts something, and may say in its name what.
_STARTS = re.compile(r"^(?P<verb>start|run|boot)([_-]?(?P<what>.*))?$")
#: Rules that start all at once, or a shell for a person.
_NOT_A_NODE = re.compile(r"(^|[_-])(all|shell|console|test|tests|bench|attach)($|[_-])")
#: Whatever is called a port, and a number behind it: ``{port, 8085}``, ``-define(TCP_PORT, 8085)``,
#: ``PORT=8085``, ``PORT2 ?= 8087``, ``-iris_edge port 8085``. Below 1024 are those of the system.
_PORT = re.compile(r"port(?:_?\d{1,2}(?=\W))?[\"']?\W{0,6}(\d{4,5})\b", re.IGNORECASE)
_LEAST_PORT, _LAST_PORT = 1024, 65_535
#: Where configuration is kept. Sources of dependencies say nothing of this server.
_CONFIGURATION = ("Makefile", "config/*", "*.config", "src/*.?rl", "apps/*/src/*.?rl")
#: More than any file of configuration has.
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Checkout:
    """What was found: commands in the order in which they are to be run, and where they stand.

    ``ports`` are numbers that are called a port, those that are named most often first;
    ``applications`` are the names of the server's own OTP applications.
    """

    folder: Path
    commands: tuple[str, ...] = ()
    found_in: str = ""
    ports: tuple[int, ...] = ()
    applications: tuple[str, ...] = ()


def survey(folder: Path) -> Checkout:
    """Return what ``folder`` tells; what cannot be read tells nothing."""
    commands, found_in = _makefile(folder)
    if not commands:
        commands, found_in = _release(folder)
    sources = [*folder.glob("src/*.app.src"), *folder.glob("apps/*/src/*.app.src")]
    names = sorted({source.name.removesuffix(".app.src") for source in sources})
    return Checkout(folder, commands, found_in, _ports(folder), tuple(names))


def _makefile(folder: Path) -> tuple[tuple[str, ...], str]:
    rules = dict.fromkeys(_RULE.findall(_text(folder / "Makefile")))
    found = [match for match in map(_STARTS.match, rules) if match is not None]
    starts = [match for match in found if not _NOT_A_NODE.search(match[0])]
    # One node has often a rule for the background and one for a terminal: of one word, not both.
    nodes: dict[str, list[str]] = {}
    for match in starts:
        if match["what"]:
            nodes.setdefault(match["verb"], []).append(match[0])
    chosen = max(nodes.values(), key=len, default=[match[0] for match in starts[:1]])
    return tuple(f"make {rule}" for rule in sorted(chosen, key=_order)), "Makefile"


def _order(rule: str) -> tuple[bool, str]:
    """A core comes first: the others need it."""
    return ("core" not in rule, rule)


def _release(folder: Path) -> tuple[tuple[str, ...], str]:
    for script in sorted(folder.glob("_build/*/rel/*/bin/*")):
        if script.name == script.parents[1].name:
            return (f"{script.relative_to(folder)} foreground",), str(script.relative_to(folder))
    return (), ""


def _ports(folder: Path) -> tuple[int, ...]:
    seen: dict[int, int] = {}
    for file in _configuration(folder):
        for number in map(int, _PORT.findall(_text(file))):
            if _LEAST_PORT <= number <= _LAST_PORT:
                seen[number] = seen.get(number, 0) + 1
    return tuple(sorted(seen, key=lambda number: (-seen[number], number)))


def _configuration(folder: Path) -> Iterator[Path]:
    patterns: Iterable[str] = _CONFIGURATION
    for pattern in patterns:
        yield from sorted(path for path in folder.glob(pattern) if path.is_file())


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
