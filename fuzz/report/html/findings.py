"""The findings of a folder as the page shows them: the worst first, and as many as can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

from fuzz.case import Case, StepKind, read_case
from fuzz.describe import describe_steps, explain, explain_tokens, own_framing
from fuzz.errors import CaseFileError
from fuzz.finding import Finding, Severity
from fuzz.report.finding import EFFECT
from fuzz.report.html.folder import Saved
from fuzz.report.html.model import (
    Fact,
    FieldRow,
    FindingRow,
    Findings,
    FindingView,
    Segment,
    Side,
)
from fuzz.report.html.sequence import diagram_of
from fuzz.report.html.words import moment
from fuzz.report.reproducer import reproducer
from fuzz.report.show import evidence_lines, hex_lines
from fuzz.store.sidecar import Sidecar
from fuzz.triage.known import KnownIssues
from grammar.layout import Role

#: Findings that are listed, and that are told in full: a page of more is not read to its end, and
#: `iris-fuzz show` tells each.
MAX_ROWS = 500
MAX_FULL = 40
#: Each is some 55 kB, nearly all of it the same: these many are half of a page already.
MAX_REPRODUCERS = 10
#: Of one finding: what is more is like what is there, and the file has it all.
MAX_STEPS = 200
MAX_SEGMENTS = 12
MAX_FIELDS = 80
MAX_HEX_LINES = 16
MAX_LOG_LINES = 80
MAX_LINE = 400
MAX_TITLE = 300
#: As long as a command line with a switch for each planted defect.
MAX_COMMAND = 4_000
#: A reproducer of one case may be large by the bytes of the case alone.
MAX_REPRODUCER_BYTES = 120_000

#: Evidence that has a place of its own on the page.
_PLACED = frozenset(
    {
        "reproduced", "minimised", "pattern", "wire", "reports", "log_tail", "crash_dump",
        "heard", "heard_in_the_variant", "varied", "base", "stack",
    }
)  # fmt: skip


def findings_of(
    saved: Sequence[Saved],
    problems: tuple[str, ...],
    rates: Mapping[str, float],
    known: KnownIssues | None = None,
) -> Findings:
    """Return all of ``saved``; ``rates`` is how surely each shows itself, by fingerprint."""
    issues = known or KnownIssues()
    worst = sorted(saved, key=_badness)
    counts = (
        (severity.value, sum(one.sidecar.kind.severity is severity for one in worst))
        for severity in Severity
    )
    full = [
        _view(one, rates.get(one.sidecar.fingerprint), nth < MAX_REPRODUCERS)
        for nth, one in enumerate(worst[:MAX_FULL])
    ]
    rows = [
        _row(one.sidecar, nth < MAX_FULL, issues.note(one.sidecar.fingerprint))
        for nth, one in enumerate(worst[:MAX_ROWS])
    ]
    cut = []
    if len(worst) > MAX_ROWS:
        cut.append(f"{len(worst) - MAX_ROWS:,} more findings are not listed")
    if len(worst) > MAX_FULL:
        cut.append(
            f"only the worst {MAX_FULL} of {len(worst):,} findings are told in full; "
            "iris-fuzz show tells each of the others"
        )
    return Findings(len(worst), tuple(counts), tuple(rows), tuple(full), tuple(cut), problems)


def _badness(one: Saved) -> tuple[int, int, int, str]:
    severities = list(Severity)
    kind = one.sidecar.kind
    return (severities.index(kind.severity), kind.rank, -one.sidecar.hits, one.sidecar.fingerprint)


def _row(sidecar: Sidecar, full: bool, known: str) -> FindingRow:
    return FindingRow(
        sidecar.fingerprint,
        sidecar.kind,
        _cut(sidecar.title, MAX_TITLE),
        EFFECT[sidecar.kind],
        sidecar.hits,
        sidecar.first_seen,
        full,
        known,
    )


def _view(one: Saved, rate: float | None, with_reproducer: bool) -> FindingView:
    sidecar, problem, case = one.sidecar, "", None
    try:
        case = read_case(one.path) if one.has_case else None
    except CaseFileError as error:
        problem = str(error)
    finding = Finding(sidecar.kind, sidecar.title, sidecar.cause, sidecar.evidence)
    script, no_script = _reproducer(case, finding, sidecar.transport, with_reproducer)
    segments = () if case is None else tuple(islice(_segments(case), MAX_SEGMENTS))
    sends = 0 if case is None else sum(step.kind is StepKind.SEND for step in case.steps)
    return FindingView(
        fingerprint=sidecar.fingerprint,
        kind=sidecar.kind,
        title=_cut(sidecar.title, MAX_TITLE),
        effect=EFFECT[sidecar.kind],
        hits=sidecar.hits,
        first_seen=sidecar.first_seen,
        file=one.path.name,
        facts=tuple(_facts(sidecar, rate)),
        pattern=_text(sidecar.evidence.get("pattern")),
        reason=_cut(" ".join(filter(None, (sidecar.cause.what, sidecar.cause.reason))), MAX_LINE),
        process=_cut(sidecar.cause.origin, MAX_LINE),
        frames=_short(sidecar.cause.frames, MAX_LOG_LINES, "frames"),
        diagram=None if case is None else diagram_of(case, sidecar.title),
        steps=_short(sidecar.steps if case is None else describe_steps(case), MAX_STEPS, "steps"),
        tokens=() if case is None else tuple(_tokens(case)),
        segments=segments,
        more_segments=sends - len(segments),
        logged=_logged(sidecar),
        sides=tuple(_sides(sidecar)),
        evidence=tuple(_evidence(sidecar)),
        replay=_cut(sidecar.replay, MAX_COMMAND),
        reproducer=script,
        no_reproducer=no_script,
        problem=problem,
    )


def _facts(sidecar: Sidecar, rate: float | None) -> Iterator[Fact]:
    evidence = sidecar.evidence
    first = f", first on {_day(sidecar.first_seen)}" if sidecar.first_seen else ""
    yield Fact("Seen", f"{_times(sidecar.hits)}{first}")
    confidence = _text(evidence.get("reproduced"))
    if confidence:
        yield Fact("Reproduced", confidence)
    if rate is not None:
        yield Fact("Shown by its case", f"in {rate:.0%} of plays")
    small = _text(evidence.get("minimised"))
    if small:
        yield Fact("Size", small.removeprefix("minimised to "))
    if sidecar.target:
        target = f"{sidecar.target}, OTP {sidecar.otp}, over {sidecar.transport}"
        yield Fact("Target", _cut(target, MAX_LINE))
    if sidecar.plants:
        yield Fact("Planted", _cut(", ".join(sidecar.plants), MAX_LINE))


def _evidence(sidecar: Sidecar) -> Iterator[Fact]:
    for name, value in sidecar.evidence.items():
        if name not in _PLACED:
            for lines in evidence_lines(value):
                yield Fact(_cut(name, 80).replace("_", " "), "\n".join(lines))


def _logged(sidecar: Sidecar) -> tuple[str, ...]:
    """Return what the node itself said: reports, the end of its log, its crash dump."""
    lines: list[str] = []
    reports = sidecar.evidence.get("reports")
    for report in reports if isinstance(reports, list) else ():
        if isinstance(report, dict) and isinstance(report.get("text"), str):
            lines += report["text"].splitlines()
    tail = sidecar.evidence.get("log_tail")
    lines += map(str, tail) if isinstance(tail, list) else ()
    dump = sidecar.evidence.get("crash_dump")
    if isinstance(dump, dict):
        lines += [f"erl_crash.dump: {key}: {value}" for key, value in dump.items()]
    return _short(lines, MAX_LOG_LINES, "lines")


def _sides(sidecar: Sidecar) -> Iterator[Side]:
    told = sidecar.evidence
    names = (
        ("heard", "The case heard"),
        ("heard_in_the_variant", "Its variant heard"),
        ("varied", "The variant in full"),
    )
    for key, name in names:
        lines = told.get(key)
        if isinstance(lines, list):
            shown = list(map(str, lines)) or ["nothing"]
            yield Side(name, _short(shown, MAX_LOG_LINES, "lines"))


def _tokens(case: Case) -> Iterator[str]:
    """Yield what the tokens of a case stand for, those that mean the same in one line."""
    names: dict[str, list[str]] = {}
    for line in explain_tokens(case):
        name, _, meaning = line.partition(" is ")
        names.setdefault(meaning, []).append(name)
    for meaning, same in names.items():
        yield f"{', '.join(same)}: {'each ' if len(same) > 1 else ''}{meaning}"


def _segments(case: Case) -> Iterator[Segment]:
    framed = own_framing(case)
    for number, step in enumerate(case.steps, 1):
        if step.kind is not StepKind.SEND:
            continue
        fields = explain(step.data, step.connection in framed)
        rows = (
            FieldRow(
                field.span.offset,
                field.span.length,
                field.span.path,
                field.span.role.value,
                field.value,
                field.note,
                field.lies,
                field.span.role is Role.OPCODE,
            )
            for field in fields[:MAX_FIELDS]
        )
        lines = tuple(islice(hex_lines(step.data), MAX_HEX_LINES))
        shown = 16 * MAX_HEX_LINES
        rest = (f"{len(step.data) - shown} more bytes",) if len(step.data) > shown else ()
        more = max(len(fields) - MAX_FIELDS, 0)
        yield Segment(number, step.connection, len(step.data), tuple(rows), more, (*lines, *rest))


def _reproducer(
    case: Case | None, finding: Finding, transport: str, wanted: bool
) -> tuple[str, str]:
    """Return the text of the script, or why there is none."""
    instead = "iris-fuzz triage writes it to a file"
    if case is None:
        return "", "the case cannot be read"
    if not wanted:
        return "", f"only the worst {MAX_REPRODUCERS} findings have it on this page; {instead}"
    script = reproducer(case, finding, transport=transport)
    if len(script) > MAX_REPRODUCER_BYTES:
        return "", f"it is {len(script):,} bytes, too long for a page; {instead}"
    return script, ""


def _short(lines: Sequence[str], most: int, what: str) -> tuple[str, ...]:
    """Return the first lines, each of them cut, and how many there are behind them."""
    rest = len(lines) - most
    shown = (_cut(line, MAX_LINE) for line in lines[:most])
    return (*shown, *((f"... ({rest:,} more {what})",) if rest > 0 else ()))


def _cut(text: str, most: int) -> str:
    rest = len(text) - most
    return text if rest <= 0 else f"{text[:most]}... ({rest:,} more characters)"


def _text(value: object) -> str:
    return _cut(value, 2 * MAX_LINE) if isinstance(value, str) else ""


def _times(hits: int) -> str:
    return "once" if hits == 1 else f"{hits:,} times"


def _day(stamp: str) -> str:
    """Return an ISO 8601 time as a person reads it; what is none stays as it is."""
    try:
        return moment(datetime.fromisoformat(stamp).timestamp())
    except (ValueError, OverflowError):
        return _cut(stamp, 40)
