"""Folders of campaigns as the page reads them, and a reader of the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.finding import Cause, Finding, Kind
from fuzz.node import Point, QuickVitals
from fuzz.report.html.gather import Gatherer
from fuzz.report.html.model import Page
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.timeline import (
    FaultRow,
    FindingRow,
    NodeRow,
    RecoveryRow,
    Run,
    Sample,
    TimelineWriter,
)
from grammar import GetStatus, SendMessage, encode

#: What a target may say, and no browser may obey; and what turns the direction of a line around.
HOSTILE = (
    "</script></pre><script>document.title='owned'</script><img src=x onerror=y>\x1b[2J\u202e\0"
)
#: As an attribute would be ended.
QUOTES = "\"' onfocus='z' autofocus x=\""

SOURCE = """-module(iris_x).

f(1) -> one;
f(N) ->
    case N of
        2 -> two;
        _ -> "</pre><script>alert(1)</script>"
    end.

never() -> ok.
"""
POINTS = (
    Point("iris_x", "f", 1, 3, "function"),
    Point("iris_x", "f", 1, 4, "function"),
    Point("iris_x", "f", 1, 6, "case"),
    Point("iris_x", "f", 1, 6, "of"),
    Point("iris_x", "never", 0, 10, "function"),
    Point("iris_unseen", "g", 0, 1, "function"),
)
NOW = 1_800_000_000.0


def case_of(*sent: bytes, login: bytes = b"<user:A>") -> Case:
    """Return a case of one client that logs in and sends segments."""
    steps = [Step(StepKind.LOGIN, 0, login)]
    return Case((*steps, *(Step(StepKind.SEND, 0, data) for data in sent)))


def finding_of(name: str, kind: Kind = Kind.PROCESS_CRASH, **evidence: object) -> Finding:
    """Return a finding whose title and cause hold ``name``, and whose identity is of it."""
    cause = Cause(f"crash {name}", "error:badarg", f"proc {name}", (f"m{name}:f/1", "gen:x/2"))
    return Finding(kind, f"it crashed {name}", cause, evidence)


def save(folder: Path, *findings: Finding, case: Case | None = None) -> None:
    """Save findings as a campaign does, each with a case of its own unless there is one."""
    store = CrashStore(folder / "crashes")
    context = Context("embedded", "25", ("hang",), ("--plant", "hang"))
    for number, finding in enumerate(findings):
        own = case_of(encode(SendMessage(b"<user:A>", b"%d" % number)))
        store.save(encode_case(case or own), finding, context)


def keep(folder: Path, *cases: Case) -> None:
    """Put cases into the evolved corpus."""
    (folder / "evolved").mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases):
        (folder / "evolved" / f"case-{number:04}").write_bytes(encode_case(case))


def timeline(folder: Path, seconds: int = 90, text: str = "", nodes: Iterable[str] = ("",)) -> None:
    """Write the time line of two runs, with ``text`` in all that is told in words."""
    source = folder / "iris_x.erl"
    source.write_text(SOURCE)
    writer = TimelineWriter(folder)
    writer.chart(POINTS, {"iris_x": source})
    writer.hit((0, 2))
    half = seconds // 2
    for number, (start, end) in enumerate(((0, half), (half, seconds)), 1):
        run = Run(
            number, NOW + start, f"iris-fuzz fuzz {text}", f"embedded {text}", "BEAM coverage",
            {"OTP": f"25 {text}"}, nodes=(NodeRow(f"node {text}", "25", 8085),),
            ended_at=NOW + end, reason=f"time is up {text}", cases=30 * half, seconds=half,
        )  # fmt: skip
        for second in range(start, end):
            vitals = {
                name: QuickVitals(80 + second, 9, 9_000, 30, 40_000_000, second * 1_000_000)
                for name in nodes
            }
            writer.sample(
                Sample(
                    number, NOW + second, second, 30 * second, min(second, 4), 6, second // 3, 1,
                    2, 50, 1.5, vitals,
                ),
                run,
            )  # fmt: skip
    path = folder / "crashes" / "crash-1"
    writer.put_finding(
        FindingRow("0" * 16, Kind.LEAK, f"atoms {text}", path, NOW, NOW, 1, 12.0, 2, 0.5)
    )
    writer.recovery(RecoveryRow(1, NOW, 13.0, f"the node {text}", 0.5, f"to confirm {text}"))
    writer.fault(FaultRow(1, NOW, 14.0, f"a worker was started anew {text}"))
    writer.close()


def campaign(folder: Path) -> Path:
    """Make the folder of a campaign with hostile text wherever a target could put some."""
    worst = HOSTILE + QUOTES
    save(
        folder,
        finding_of("a", Kind.NODE_DOWN, log_tail=[worst], pattern=worst, reproduced=worst),
        finding_of(worst, reports=[{"text": worst}], heard=[worst], other={worst: worst}),
        finding_of("c", Kind.SEMANTIC, minimised=worst),
    )
    keep(folder, case_of(encode(GetStatus(b"<user:A>"))), case_of(worst.encode()))
    timeline(folder, text=worst, nodes=("", f"b@{worst}"))
    return folder


def page_of(folder: Path) -> Page:
    """Return the page of a folder."""
    return Gatherer(folder, "0.1").gather(NOW).page


@dataclass(slots=True)
class Element:
    """An element of a page: its name, attributes, and the text directly in it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


@dataclass(slots=True)
class Reader(HTMLParser):
    """Reads a page into its elements, in order."""

    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.elements[-1].text += data

    def named(self, tag: str) -> list[Element]:
        return [one for one in self.elements if one.tag == tag]


def read(html: str) -> Reader:
    """Return the elements of a page."""
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader
