"""``iris-fuzz show FILE``: a case as a person reads it, frame by frame and byte by byte.

Everything here works for any bytes: what the grammar cannot explain is shown as what it
is. Text from the wire or from a node's log is escaped before it reaches the terminal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fuzz.case import Case, StepKind
from fuzz.describe import (
    FieldText,
    describe_place,
    describe_step,
    explain,
    explain_tokens,
    own_framing,
    printable,
)
from fuzz.store.sidecar import Sidecar, plain
from grammar.layout import Role

#: Fields of one segment that are listed; beyond, a table is scrolled past and not read.
MAX_FIELDS = 200
#: Bytes of one segment in the hex view: 64 lines of 16.
MAX_HEX_BYTES = 1_024
#: Segments in full: a person follows the first of a long case, and the rest is like them.
MAX_SENDS = 64

_HEX_COLUMNS = 16
#: Of one piece of evidence, or of one line of it: the JSON beside the case has it all.
_EVIDENCE_CHARACTERS = 400
_EVIDENCE_LINES = 12


def render_case(case: Case, sidecar: Sidecar | None = None) -> Group:
    """Return the case, and what is known about it, as one rich renderable."""
    parts: list[RenderableType] = []
    if sidecar is not None:
        parts.append(_finding(sidecar))
    parts.append(_headline(case))
    parts.extend(_line(text, "dim") for text in explain_tokens(case))
    sends, framed = 0, own_framing(case)
    for number, step in enumerate(case.steps, 1):
        where = f"{number:>3}  {describe_place(step)}"
        if step.kind is not StepKind.SEND:
            parts.append(_line(where + describe_step(step), "bold"))
            continue
        sends += 1
        size = len(step.data)
        parts.append(_line(f"{where}send {_counted(size, 'byte')} in one segment", "bold"))
        if sends <= MAX_SENDS:
            parts.append(_segment(step.data, step.connection in framed))
    if sends > MAX_SENDS:
        parts.append(_line(f"only the first {MAX_SENDS} segments are shown in full", "dim"))
    return Group(*parts)


def hex_lines(data: bytes) -> Iterator[str]:
    """Yield ``data`` as lines of offset, bytes and characters, :data:`MAX_HEX_BYTES` at most."""
    for offset in range(0, min(len(data), MAX_HEX_BYTES), _HEX_COLUMNS):
        row = data[offset : min(offset + _HEX_COLUMNS, MAX_HEX_BYTES)]
        characters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{offset:06x}  {row.hex(' '):<{3 * _HEX_COLUMNS - 1}}  {characters}"
    if len(data) > MAX_HEX_BYTES:
        yield f"{len(data) - MAX_HEX_BYTES} more bytes"


def _headline(case: Case) -> Text:
    count = len(case.connections())
    text = f"{_counted(len(case.steps), 'step')} on {_counted(count, 'connection')}"
    if case.raw:
        text = "a raw payload, played as one segment on one logged-in connection"
    return _line(text, "bold cyan")


def _segment(data: bytes, framed: bool) -> RenderableType:
    fields = explain(data, framed)
    parts: list[RenderableType] = [_table(fields[:MAX_FIELDS])] if fields else []
    if len(fields) > MAX_FIELDS:
        parts.append(_line(f"{len(fields) - MAX_FIELDS} more fields", "dim"))
    parts.extend(_line(line, "dim") for line in hex_lines(data))
    return Padding(Group(*parts), (0, 0, 1, 5))


def _table(fields: tuple[FieldText, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("offset", justify="right")
    table.add_column("length", justify="right")
    # A name that is folded is not found by a search; values and notes are folded first.
    table.add_column("field", no_wrap=True)
    for name in ("role", "value", "note"):
        table.add_column(name, overflow="fold")
    for field in fields:
        style = "bold red" if field.lies else "green" if field.span.role is Role.OPCODE else ""
        cells = (
            str(field.span.offset),
            str(field.span.length),
            field.span.path,
            field.span.role.value,
            field.value,
            field.note,
        )
        table.add_row(*(Text(cell) for cell in cells), style=style)
    return table


def _finding(sidecar: Sidecar) -> RenderableType:
    cause = sidecar.cause
    before = (
        ("finding", sidecar.title),
        ("kind", f"{sidecar.kind.value} ({sidecar.kind.severity.value})"),
        ("fingerprint", sidecar.fingerprint),
        ("cause", " ".join(filter(None, (cause.what, cause.reason)))),
        ("process", cause.origin),
        ("frames", " < ".join(cause.frames)),
    )
    after = (
        ("target", f"{sidecar.target}, OTP {sidecar.otp}"),
        ("transport", sidecar.transport),
        ("planted", ", ".join(sidecar.plants)),
        ("seen", f"{_counted(sidecar.hits, 'time')}, first at {sidecar.first_seen}"),
    )
    seen = (
        (name, text) for name, value in sidecar.evidence.items() for text in evidence_lines(value)
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in (*before, *seen, *after):
        if value:
            lines = value if isinstance(value, list) else [value]
            table.add_row(Text(printable(name)), Text("\n".join(map(printable, lines))))
    # One line, however long: a command is there to be copied.
    again = Text(no_wrap=True, overflow="ignore")
    again.append("replay: ", style="dim").append(printable(sidecar.replay))
    return Group(table, again, Text())


def evidence_lines(value: object) -> list[list[str]]:
    """Return the texts that stand for one piece of evidence, in lines: none for what is empty.

    A report of the node is shown in the node's own words, its beginning; of lines of a log
    the last ones are.
    """
    if value is None or value == [] or value == {}:
        return []
    if isinstance(value, list):
        if all(isinstance(item, str) for item in value):
            return [_last_lines(value)]
        words = [item.get("text") if isinstance(item, dict) else None for item in value]
        texts = [text for text in words if isinstance(text, str)]
        if len(texts) == len(value):
            return [_first_lines(text.splitlines()) for text in texts]
    return [[_cut(value if isinstance(value, str) else json.dumps(plain(value)))]]


def _first_lines(lines: list[str]) -> list[str]:
    rest = len(lines) - _EVIDENCE_LINES
    more = [f"... ({rest} more lines)"] if rest > 0 else []
    return [_cut(line) for line in lines[:_EVIDENCE_LINES]] + more


def _last_lines(lines: list[str]) -> list[str]:
    rest = len(lines) - _EVIDENCE_LINES
    before = [f"... ({rest} lines before)"] if rest > 0 else []
    return before + [_cut(line) for line in lines[-_EVIDENCE_LINES:]]


def _cut(text: str) -> str:
    rest = len(text) - _EVIDENCE_CHARACTERS
    return text if rest <= 0 else f"{text[:_EVIDENCE_CHARACTERS]}... ({rest} more characters)"


def _line(text: str, style: str) -> Text:
    return Text(text, style=style)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
