"""Which opcodes the cases of a corpus send, and in which state of the connection.

It is read off the cases themselves, by the grammar: nothing of it is counted while a campaign
runs. A login is taken as one that is accepted, for a case does not say what came back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.case import Case, StepKind, decode_case
from fuzz.errors import CaseFileError
from fuzz.report.html.folder import CaseFile
from fuzz.report.html.model import Cell, Fact, Matrix, MatrixRow
from fuzz.triage.pattern_frames import frames_of
from grammar.dialogue import State, allowed
from grammar.opcodes import MALFORMED_FROM_CLIENT, ClientOpcode

#: Cases that are read for it: each takes a tenth of a millisecond or more, and a page that is
#: looked at live is made again and again.
MAX_CASES = 5_000
#: The rows behind those of the opcodes.
_SERVERS_OWN, _UNKNOWN = -1, -2
_HEATS = 5
_OPCODES = {int(opcode): opcode for opcode in ClientOpcode}

#: (row, state) and the frames that were sent so.
Sent = Mapping[tuple[int, State], int]


def sent_by(case: Case) -> Sent:
    """Return how many frames ``case`` sends, by their opcode (-1, -2: not a client's) and state."""
    closed = _closings(case)
    sent: Counter[tuple[int, State]] = Counter()
    logged_in: set[int] = set()
    for step in case.steps:
        if step.kind is StepKind.LOGIN:
            before = State.LOGGED_IN if step.connection in logged_in else State.CONNECTED
            sent[ClientOpcode.LOGIN, before] += 1
            logged_in.add(step.connection)
    for seen in frames_of(case):
        state = State.CONNECTED if seen.user is None else State.LOGGED_IN
        if closed.get(seen.connection, len(case.steps)) < seen.pieces[0][0]:
            state = State.CLOSED
        sent[_row(seen.opcode), state] += 1
    return sent


@dataclass(slots=True)
class MatrixMaker:
    """Makes the matrix of a folder, and knows again the cases that it has read before."""

    _known: dict[Path, tuple[tuple[int, int], Sent]] = field(default_factory=dict)

    def matrix(self, groups: Mapping[str, tuple[CaseFile, ...]]) -> Matrix:
        """Return the matrix of all cases in ``groups``, which are named by where they come from."""
        frames: Counter[tuple[int, State]] = Counter()
        cases: Counter[tuple[int, State]] = Counter()
        known, read, bad, left = {}, 0, 0, 0
        for files in groups.values():
            room = MAX_CASES - read
            left += max(len(files) - room, 0)
            for file in files[:room]:
                sent = self._read(file)
                if sent is None:
                    bad += 1
                    continue
                known[file.path] = (file.stamp, sent)
                read += 1
                frames.update(sent)
                cases.update(sent.keys())
        self._known = known
        sources = (Fact(name, f"{len(files):,}") for name, files in groups.items() if files)
        cut = [f"only {read:,} cases were read; {left:,} more were not"] if left else []
        cut += [f"{bad} files are no cases, or cannot be read, and are not counted"] if bad else []
        return Matrix(
            states=tuple(state.value for state in State),
            rows=tuple(_rows(frames, cases)),
            cases=read,
            sources=tuple(sources),
            gaps=tuple(_gaps(frames)) if read else (),
            cut=tuple(cut),
        )

    def _read(self, file: CaseFile) -> Sent | None:
        known = self._known.get(file.path)
        if known is not None and known[0] == file.stamp:
            return known[1]
        try:
            return sent_by(decode_case(file.path.read_bytes()))
        except (CaseFileError, OSError):  # one that was replaced just now is read the next time
            return None


def _closings(case: Case) -> dict[int, int]:
    """Return the step with which each client closes its connection, of those that do."""
    ends = (StepKind.HALF_CLOSE, StepKind.RESET)
    closed: dict[int, int] = {}
    for number, step in enumerate(case.steps):
        if step.kind in ends:
            closed.setdefault(step.connection, number)
        elif step.kind is StepKind.RESTART:
            for connection in case.connections():
                closed.setdefault(connection, number)
    return closed


def _row(opcode: int) -> int:
    if opcode in MALFORMED_FROM_CLIENT:
        return _SERVERS_OWN
    return opcode if opcode in _OPCODES else _UNKNOWN


def _rows(
    frames: Mapping[tuple[int, State], int], cases: Mapping[tuple[int, State], int]
) -> Iterable[MatrixRow]:
    most = max(cases.values(), default=0)
    heads = [(int(opcode), f"{opcode:02x}", opcode.name) for opcode in ClientOpcode]
    heads += [(_SERVERS_OWN, "", "the server's own opcodes"), (_UNKNOWN, "", "unknown opcodes")]
    for row, number, name in heads:
        yield MatrixRow(
            number,
            name,
            tuple(
                Cell(
                    frames.get((row, state), 0),
                    cases.get((row, state), 0),
                    row in _OPCODES and allowed(_OPCODES[row], state),
                    _heat(cases.get((row, state), 0), most),
                )
                for state in State
            ),
        )


def _heat(cases: int, most: int) -> int:
    """Return 0 for never, and 1 to 5 by the order of magnitude below the most."""
    if not cases:
        return 0
    # A fifth of the digits each: a linear scale has one dark cell, and nothing beside it.
    return 1 + round((_HEATS - 1) * (cases.bit_length() - 1) / max(most.bit_length() - 1, 1))


def _gaps(frames: Mapping[tuple[int, State], int]) -> Iterable[str]:
    for opcode in ClientOpcode:
        for state in State:
            if allowed(opcode, state) and not frames.get((int(opcode), state)):
                yield f"{opcode.name} while {state.value}"
