"""Lines of text that stay aligned: what the console and the summary are made of.

Tables of rich pad each cell, so that a line in a log ends in blanks, and wrap what is wider
than they think a pipe is. Everything here is a line without trailing blanks; ``width`` is that
of a terminal, in columns, and None where there is none: then nothing is wrapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from fuzz.finding import Kind, Severity

STYLE = {Severity.CRITICAL: "bold red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}

#: The widest severity, and the widest kind; a fingerprint is as wide as the latter.
_SEVERITY_COLUMNS = max(len(severity.value) for severity in Severity)
_KIND_COLUMNS = max(len(kind.value) for kind in Kind)
#: Where the third column of a finding begins.
_INDENT = _SEVERITY_COLUMNS + _KIND_COLUMNS + 4
#: Less room than this beside the indent makes a column of single words.
_LEAST_COLUMNS = 30
_NAME_COLUMNS = 10


def width_of(console: Console) -> int | None:
    """Return the width of the terminal that ``console`` writes to, None where there is none."""
    return console.width if console.is_terminal else None


def say(console: Console, lines: Iterable[Text]) -> None:
    """Print ``lines`` as they are: a terminal wraps what is too long for it."""
    for line in lines:
        console.print(line, soft_wrap=True)


def row(name: str, value: str | Text) -> Text:
    """Return a name and its value as one line, aligned with its like."""
    return Text.assemble((f"{name:<{_NAME_COLUMNS}}", "dim"), value)


def finding_lines(
    kind: Kind, fingerprint: str, title: str, path: str, width: int | None, note: str = ""
) -> list[Text]:
    """Return a finding: how bad it is and what it is, and below that its identity and file.

    ``note`` comes last, if there is one.
    """
    head = Text(f"{kind.severity.value:<{_SEVERITY_COLUMNS}}  ", style=STYLE[kind.severity])
    head.append(f"{kind.value:<{_KIND_COLUMNS}}  ")
    first, *rest = _wrapped(title, width)
    return [
        Text.assemble(head, first),
        *(Text(" " * _INDENT + line) for line in rest),
        Text(f"{'':<{_SEVERITY_COLUMNS}}  {fingerprint:<{_KIND_COLUMNS}}  {path}", style="dim"),
        *(Text(" " * _INDENT + line, style="dim") for line in _wrapped(note, width) if line),
    ]


def in_columns(lines: Sequence[str], width: int | None) -> list[str]:
    """Return ``lines``, all of one length, as two columns where a terminal has room for them.

    The first of them is the heading, and stands over both.
    """
    heading, rest = lines[0], lines[1:]
    gap = "    "
    if width is None or len(rest) < 2 or 2 * len(heading) + len(gap) > width:
        return list(lines)
    half = (len(rest) + 1) // 2
    right = [*rest[half:], *[""] * (2 * half - len(rest))]
    both = [left + gap + other for left, other in zip(rest[:half], right, strict=True)]
    return [heading + gap + heading, *(line.rstrip() for line in both)]


def _wrapped(text: str, width: int | None) -> list[str]:
    """Return ``text`` in lines that fit beside the indent, broken between words if it can be."""
    if width is None or width - _INDENT < _LEAST_COLUMNS:
        return [text]
    measure = Console(width=width, color_system=None)
    lines = Text(text).wrap(measure, width - _INDENT)
    return [line.plain.rstrip() for line in lines] or [text]
