"""The report of one finding, for an engineer who will mend it: Markdown, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fuzz.case import Case, StepKind
from fuzz.describe import describe_steps
from fuzz.finding import Finding, Kind
from fuzz.store.sidecar import plain
from fuzz.triage.dossier import Counts, Dossier

#: What each rung means for those who did nothing.
EFFECT: Mapping[Kind, str] = {
    Kind.NODE_DOWN: "Everybody is offline: the node is gone.",
    Kind.APP_DOWN: "Everybody is offline, while the node looks alive.",
    Kind.LISTENER_RESTART: "Clients that did nothing wrong are cut off.",
    Kind.PROCESS_CRASH: "The sender's connection, or a service behind it, is lost.",
    Kind.HANG: "The sender waits for ever, and what it holds is held for ever.",
    Kind.LEAK: "The node runs out of something in the end, for everybody.",
    Kind.COST: "A few bytes keep the node busy: everybody waits.",
    Kind.SEMANTIC: "Users are told, or not told, what is not so.",
    Kind.CONFORMANCE: "A client that goes by the protocol loses its place.",
}
#: Bytes of a segment that are shown in hex; the reproducer has them all.
_HEX_BYTES = 256


def as_markdown(dossier: Dossier, replay: str, note: str = "", transport: str = "tcp") -> str:
    """Return the report; ``note`` is what a file of known issues says of it.

    ``transport`` is what its clients came over, where the case does not say.
    """
    finding = dossier.finding
    parts = [
        f"# {finding.title}",
        _table(
            ("severity", finding.kind.severity.value),
            ("kind", finding.kind.value),
            ("fingerprint", f"`{finding.fingerprint}`, variant `{finding.variant}`"),
            ("effect on others", EFFECT[finding.kind]),
            ("confidence", dossier.confidence.sentence()),
            *_lesser(dossier),
            ("size", dossier.minimised.sentence()),
            ("transport", transport),
            *((("cut short", str(dossier.failure)),) if dossier.failure else ()),
            *((("known", note),) if note else ()),
        ),
        f"## What fails\n\n{_capital(dossier.needed())}.",
        _trials(dossier),
        "## The smallest case\n\n" + _numbered(describe_steps(dossier.case)),
        _fence(_hex(dossier.case)),
        _sides(dossier.shown),
        _where(dossier.shown),
        _log(dossier.shown),
        _vitals(dossier.before, dossier.after),
        f"## Play it again\n\n{_fence(replay)}\n\nor, without iris-fuzz: `python3 reproduce.py`",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_json(
    dossier: Dossier, replay: str, note: str = "", transport: str = "tcp"
) -> dict[str, object]:
    """Return the report as JSON values; see :func:`as_markdown`."""
    finding, shown, small = dossier.finding, dossier.shown, dossier.minimised
    return {
        "title": finding.title,
        "severity": finding.kind.severity.value,
        "kind": finding.kind.value,
        "fingerprint": finding.fingerprint,
        "variant": finding.variant,
        "effect": EFFECT[finding.kind],
        "known": note,
        "transport": transport,
        "confidence": {
            "shown": dossier.confidence.shown,
            "plays": dossier.confidence.plays,
            "by_chance": dossier.confidence.by_chance,
            "on": dossier.confidence.ground,
        },
        "smallest_case_shows": dossier.shown.kind.value,
        "cut_short": str(dossier.failure or ""),
        "minimised": {
            "sentence": small.sentence(),
            "before": _size(small.before),
            "after": _size(small.after),
            "complete": small.complete,
        },
        "pattern": None if dossier.pattern is None else dossier.pattern.to_json(),
        "steps": describe_steps(dossier.case),
        "segments": [s.data.hex() for s in dossier.case.steps if s.kind is StepKind.SEND],
        "cause": {
            "what": shown.cause.what,
            "reason": shown.cause.reason,
            "origin": shown.cause.origin,
            "stack": list(shown.cause.frames),
        },
        "evidence": plain(shown.evidence),
        "vitals": {"before": _counts(dossier.before), "after": _counts(dossier.after)},
        "replay": replay,
    }


def _lesser(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """Yield a row where the smallest case shows less than the original one did."""
    if dossier.shown.kind.rank > dossier.finding.kind.rank:
        shown = f"{dossier.shown.kind.value}: the effect on others comes by chance"
        yield "the smallest case shows", shown


def _size(size: object) -> dict[str, int]:
    names = ("connections", "steps", "frames", "bytes")
    return {name: int(getattr(size, name)) for name in names}


def _counts(counts: Counts | None) -> dict[str, int] | None:
    if counts is None:
        return None
    return {
        "processes": counts.processes,
        "ports": counts.ports,
        "atoms": counts.atoms,
        "memory": counts.memory,
    }


def _trials(dossier: Dossier) -> str:
    parts = () if dossier.pattern is None else dossier.pattern.parts
    tried = [part for part in parts if part.trials]
    if not tried:
        return ""
    rows = [f"| {_cell(part.text)} | {part.trials} | {part.shown} |" for part in tried]
    head = "| part of the pattern | other cases tried for it | of these showed it |"
    return "\n".join([head, "| --- | --- | --- |", *rows])


def _sides(finding: Finding) -> str:
    """Return both sides of two plays that were to be heard alike, if the finding is of such."""
    told = finding.evidence
    sides = [told.get(name) for name in ("heard", "heard_in_the_variant", "varied")]
    heard, other, varied = (list(map(str, s)) if isinstance(s, list) else None for s in sides)
    if heard is None or other is None or varied is None:
        return ""
    where = f"on connection {told.get('connection')}, from the first difference on"
    lines = (
        f"the case, {where}:", *(heard or ["nothing"]), "",
        f"the variant ({told.get('variant')}):", *(other or ["nothing"]), "",
        "the variant in full, with the questions behind it:", *varied,
    )  # fmt: skip
    return "## What was heard\n\n" + _fence("\n".join(lines))


def _where(finding: Finding) -> str:
    cause = finding.cause
    lines = [f"- cause: {cause.what}"]
    lines += [f"- reason: `{_code(cause.reason)}`"] if cause.reason else []
    lines += [f"- process: `{_code(cause.origin)}`"] if cause.origin else []
    stack = _fence("\n".join(cause.frames)) if cause.frames else ""
    return "## Where it broke\n\n" + "\n".join(lines) + (f"\n\n{stack}" if stack else "")


def _log(finding: Finding) -> str:
    """Return what the node itself said, as far as it was read."""
    texts: list[str] = []
    reports = finding.evidence.get("reports")
    if isinstance(reports, list):
        texts += [str(report.get("text", "")) for report in reports if isinstance(report, dict)]
    tail = finding.evidence.get("log_tail")
    if isinstance(tail, list):
        texts += [str(line) for line in tail]
    dump = finding.evidence.get("crash_dump")
    if isinstance(dump, dict):
        texts += [f"erl_crash.dump: {key}: {value}" for key, value in dump.items()]
    said = [text for text in texts if text]
    return "## What the node logged\n\n" + _fence("\n".join(said)) if said else ""


def _vitals(before: Counts | None, after: Counts | None) -> str:
    if before is None:
        return ""
    told, then = _counts(before) or {}, _counts(after)
    rows = [
        f"| {name} | {value:,} | {'gone' if then is None else format(then[name], ',')} |"
        for name, value in told.items()
    ]
    head = ["## Vitals around one play", "", "| | before | after |", "| --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _hex(case: Case) -> str:
    lines = []
    for step in case.steps:
        if step.kind is StepKind.SEND:
            more = len(step.data) - _HEX_BYTES
            rest = f" ... {more} bytes more" if more > 0 else ""
            lines.append(f"{step.connection}: {step.data[:_HEX_BYTES].hex(' ')}{rest}")
    return "\n".join(lines) or "no segment: the login alone is enough"


def _table(*rows: tuple[str, str]) -> str:
    told = [f"| {name} | {_cell(value)} |" for name, value in rows]
    return "\n".join(["| | |", "| --- | --- |", *told])


def _numbered(lines: Sequence[str]) -> str:
    return "\n".join(f"{number}. `{_code(line)}`" for number, line in enumerate(lines, 1))


def _fence(text: str) -> str:
    return f"```\n{text.replace('```', '` ` `')}\n```"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return text.replace("`", "'")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
