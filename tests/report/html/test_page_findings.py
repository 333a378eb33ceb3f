"""Findings on the page: the worst first, bounded, and with all that is known of each."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from fuzz.assertions import page as page_module
from fuzz.assertions.expression import parse_assertion
from fuzz.assertions.keeper import Keeper
from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.events import Ended, Event, Found, Progress, Started
from fuzz.finding import Kind
from fuzz.report.html import findings as module
from fuzz.report.html.findings import findings_of
from fuzz.report.html.folder import crash_folder, saved_findings
from fuzz.report.html.model import Findings
from fuzz.report.html.render import page_html
from fuzz.report.reproducer import reproducer
from grammar import SendMessage, encode
from tests.report.html.stand_ins import case_of, finding_of, page_of, save


def found(folder: Path, rates: dict[str, float] | None = None) -> Findings:
    return findings_of(*saved_findings(crash_folder(folder)), rates or {})


def test_the_worst_comes_first_and_each_is_counted_by_its_severity(tmp_path: Path) -> None:
    save(
        tmp_path,
        finding_of("a", Kind.LEAK),
        finding_of("b", Kind.SEMANTIC),
        finding_of("c", Kind.NODE_DOWN),
        finding_of("d", Kind.LISTENER_RESTART),
    )
    findings = found(tmp_path)
    kinds = [row.kind for row in findings.rows]
    assert kinds == [Kind.NODE_DOWN, Kind.LISTENER_RESTART, Kind.SEMANTIC, Kind.LEAK]
    assert findings.by_severity == (("critical", 1), ("high", 2), ("medium", 1))
    assert (findings.total, findings.cut, findings.problems) == (4, (), ())


def test_a_finding_is_told_in_full(tmp_path: Path) -> None:
    lying = encode(SendMessage(b"<user:A>", b"hi"))[:-1]
    finding = finding_of(
        "a",
        reproduced="3 of 3 on a fresh node",
        minimised="minimised to 1 connection, 2 steps",
        pattern="any SEND_MESSAGE",
        reports=[{"text": "one\ntwo"}],
        log_tail=["three"],
        crash_dump={"slogan": "no more"},
        amount=10,
    )
    save(tmp_path, finding, case=case_of(lying))
    (one,) = found(tmp_path, {finding.fingerprint: 0.9}).full
    facts = {fact.name: fact.value for fact in one.facts}
    assert facts["Reproduced"] == "3 of 3 on a fresh node"
    assert facts["Size"] == "1 connection, 2 steps"
    assert facts["Shown by its case"] == "in 90% of plays"
    assert facts["Target"] == "embedded, OTP 25, over tcp"
    assert facts["Seen"].startswith("once, first on 20")
    assert one.pattern == "any SEND_MESSAGE"
    assert one.logged == ("one", "two", "three", "erl_crash.dump: slogan: no more")
    assert [(fact.name, fact.value) for fact in one.evidence] == [("amount", "10")]
    assert one.frames == ("ma:f/1", "gen:x/2")
    assert one.steps[0] == 'connection 0: log in as "<user:A>"'
    assert one.tokens == ("<user:A>: a user whose name is fresh on each play",)
    (segment,) = one.segments
    assert [row.path for row in segment.fields if row.lies] == ["SEND_MESSAGE.message.length"]
    assert segment.hex[0].startswith("000000  02 00 08 3c")
    assert one.replay.endswith("--plant hang")


def test_the_reproducer_is_the_one_that_triage_writes(tmp_path: Path) -> None:
    finding, case = finding_of("a"), case_of(b"\x05")
    save(tmp_path, finding, case=case)
    (one,) = found(tmp_path).full
    assert one.reproducer == reproducer(case, finding)
    compile(one.reproducer, "reproduce.py", "exec")


def test_both_sides_of_a_relation_are_told(tmp_path: Path) -> None:
    save(tmp_path, finding_of("a", heard=["x"], heard_in_the_variant=[], varied=["y", "z"]))
    (one,) = found(tmp_path).full
    assert [(side.name, side.lines) for side in one.sides] == [
        ("The case heard", ("x",)),
        ("Its variant heard", ("nothing",)),
        ("The variant in full", ("y", "z")),
    ]


def test_what_is_too_much_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("MAX_ROWS", 4), ("MAX_FULL", 2), ("MAX_REPRODUCERS", 1)):
        monkeypatch.setattr(module, name, most)
    save(tmp_path, *(finding_of(name) for name in "abcdef"))
    findings = found(tmp_path)
    assert (findings.total, len(findings.rows), len(findings.full)) == (6, 4, 2)
    assert [row.full for row in findings.rows] == [True, True, False, False]
    assert findings.cut == (
        "2 more findings are not listed",
        "only the worst 2 of 6 findings are told in full; iris-fuzz show tells each of the others",
    )
    assert [bool(one.reproducer) for one in findings.full] == [True, False]
    assert findings.full[1].no_reproducer.startswith("only the worst 1 findings have it")


def test_a_huge_log_and_a_huge_case_are_cut(tmp_path: Path) -> None:
    steps = (Step(StepKind.SEND, n % 60, b"\xee" * 3_000) for n in range(400))
    save(tmp_path, finding_of("a", log_tail=["x" * 1_000] * 10_000), case=Case(tuple(steps)))
    (one,) = found(tmp_path).full
    assert one.logged[-1] == "... (9,920 more lines)"
    assert max(map(len, one.logged)) < 500
    assert one.steps[-1] == "... (200 more steps)"
    assert (len(one.segments), one.more_segments) == (12, 388)
    assert one.segments[0].hex[-1] == "2744 more bytes"
    assert one.reproducer == ""
    assert "too long for a page" in one.no_reproducer


def test_a_case_that_cannot_be_read_costs_the_rest_nothing(tmp_path: Path) -> None:
    save(tmp_path, finding_of("a"))
    (path,) = (p for p in (tmp_path / "crashes").iterdir() if p.suffix != ".json")
    path.write_bytes(path.read_bytes()[:-1])
    (one,) = found(tmp_path).full
    assert "damaged or cut short" in one.problem
    assert (one.diagram, one.segments, one.reproducer) == (None, (), "")
    assert one.steps[0] == 'connection 0: log in as "<user:A>"', "as the JSON has them"


def test_files_that_belong_to_nothing_are_named(tmp_path: Path) -> None:
    save(tmp_path, finding_of("a"))
    (tmp_path / "crashes" / "crash-lonely").write_bytes(encode_case(case_of(b"\x05")))
    (tmp_path / "crashes" / "crash-bad").write_bytes(b"x")
    (tmp_path / "crashes" / "crash-bad.json").write_text("{")
    (tmp_path / "crashes" / "notes.md").write_text("mine")
    findings = found(tmp_path)
    assert findings.total == 1
    assert len(findings.problems) == 2
    assert "crash-bad.json is damaged" in findings.problems[0]
    assert "crash-lonely has no JSON beside it" in findings.problems[1]


def test_of_two_pairs_of_one_defect_the_worse_counts(tmp_path: Path) -> None:
    save(tmp_path, finding_of("a", Kind.LEAK))
    save(tmp_path / "other", finding_of("a", Kind.NODE_DOWN), case=case_of(b"\x05"))
    for path in (tmp_path / "other" / "crashes").iterdir():
        path.rename(tmp_path / "crashes" / path.name)
    findings = found(tmp_path)
    assert [row.kind for row in findings.rows] == [Kind.NODE_DOWN]


def _events() -> Generator[Event, None, None]:
    yield Started("embedded", "BEAM coverage", 120, 9)
    yield Ended(Progress(77, 4.0, 30, 120, 7, 2, 5, 0.75), "time is up")


def test_what_no_case_shows_counts_and_is_told(tmp_path: Path) -> None:
    source = page_module.source_of("http://127.0.0.1:9/metrics", ())
    metrics = page_module.page_of("# TYPE connections gauge\nconnections 4\n")
    assertions = (parse_assertion("connections < 2"),)
    keeper = Keeper(assertions, source, tmp_path / "crashes", read=lambda _: metrics)
    assert any(isinstance(event, Found) for event in keeper.watch(_events()))
    for folder in (tmp_path, tmp_path / "crashes"):
        made = page_of(folder)
        assert made.verdict == "1 defect found: 1 high"
        assert (made.figures[0].name, made.figures[0].value) == ("Defects", "1")
        (one,) = made.findings.full
        assert one.title == "connections < 2 does not hold: 4 < 2"
        assert one.reason == "assertion connections < 2"
        assert (one.problem, one.replay, one.diagram, one.steps) == ("", "", None, ())
        assert [fact.value for fact in one.facts] == ["once"]
        text = page_html(made)
        assert "Play it again" not in text
        assert "<h4>Dialogue" not in text
    (tmp_path / "crashes" / "assertion-x.json").write_text("{}")
    (problem,) = found(tmp_path).problems
    assert problem.endswith("assertion-x.json is damaged: its 'evidence' is no object")
