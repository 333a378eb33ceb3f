"""Annotations of a smoke run: commands that GitHub reads off the output of a step.

A finding that fails the run is an error beside the line that it points to, one that is excused a
notice. GitHub shows ten of each kind for a step, so the worst come first.
"""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.report.outcome import Item, Outcome

#: What ends a command or a property of one, and how it is written within.
_ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY_ESCAPES = {**_ESCAPES, ":": "%3A", ",": "%2C"}


def annotated(outcome: Outcome) -> Iterator[str]:
    """Yield one line for each command."""
    for item in outcome.ordered():
        yield _command("notice" if item.excused else "error", item)
    for sentence in outcome.errors():
        yield f"::error title=iris-fuzz::{_escaped(sentence, _ESCAPES)}"


def _command(level: str, item: Item) -> str:
    file, line = (item.place.file, item.place.line) if item.place else (item.file, 1)
    properties = {
        "file": file,
        "line": str(line),
        "title": f"iris-fuzz: {item.finding.kind.value} {item.finding.fingerprint}",
    }
    words = ",".join(f"{key}={_escaped(v, _PROPERTY_ESCAPES)}" for key, v in properties.items())
    return f"::{level} {words}::{_escaped(chr(10).join(item.told()), _ESCAPES)}"


def _escaped(text: str, escapes: dict[str, str]) -> str:
    # Half a character cannot be printed, and what is no text for a terminal is none for a log.
    shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(escapes.get(c, c if c.isprintable() else ascii(c)[1:-1]) for c in shown)
