"""JUnit XML of a smoke run: what CI servers show as a table of tests.

A regression is a test, the fuzzing run is one, and each finding of it is one that failed. A test
whose findings are all excused is a skipped one, with the reason: it neither passes nor fails.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as Xml

from fuzz.report.outcome import Item, Outcome, Played
from fuzz.triage.replay import Verdict

#: What XML 1.0 has no form for, not even as a reference.
_NOT_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def as_junit(outcome: Outcome) -> bytes:
    """Return the document, in UTF-8."""
    root = Xml.Element("testsuites", name="iris-fuzz")
    _suite(root, "regressions", [_regression(one, outcome) for one in outcome.regressions])
    if outcome.summary is not None or outcome.faults:
        shown = {f.fingerprint for one in outcome.regressions for f in one.replayed.findings}
        found = [item for name, item in outcome.items.items() if name not in shown]
        _suite(root, "fuzzing", [_run(outcome), *map(_finding, found)])
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    Xml.indent(root)
    document: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def clean(text: str) -> str:
    """Return ``text`` with what XML cannot hold as an escape: text of targets is hostile."""
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _suite(root: Xml.Element, name: str, cases: Sequence[Xml.Element]) -> None:
    suite = Xml.SubElement(root, "testsuite", name=name, tests=str(len(cases)))
    for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counted, str(sum(case.find(tag) is not None for case in cases)))
    suite.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
    suite.extend(cases)


def _case(group: str, name: str, seconds: float = 0.0) -> Xml.Element:
    where = f"iris-fuzz.{group}"
    return Xml.Element("testcase", classname=where, name=clean(name), time=f"{seconds:.3f}")


def _regression(one: Played, outcome: Outcome) -> Xml.Element:
    replayed = one.replayed
    case = _case("regressions", replayed.path.name, one.seconds)
    items = [outcome.items[finding.fingerprint] for finding in replayed.findings]
    if one.verdict is Verdict.ERROR:
        _put(case, "error", replayed.note, [str(replayed.path), replayed.note])
    elif items and all(item.excused for item in items):
        _put(case, "skipped", "; ".join(f"{item.heading}: {item.note}" for item in items))
    elif items:
        shown = f"{replayed.verdict.value} in {replayed.shown} of {replayed.plays} plays"
        failing = [item for item in items if not item.excused]
        told = [line for item in failing for line in ("", *item.told())]
        _put(case, "failure", failing[0].heading, [shown, *told], failing[0].finding.kind.value)
    return case


def _run(outcome: Outcome) -> Xml.Element:
    summary = outcome.summary
    case = _case("fuzzing", "run", 0.0 if summary is None else summary.progress.seconds)
    if outcome.faults:
        _put(case, "error", outcome.faults[0], outcome.faults)
    if summary is not None:
        progress = summary.progress
        covered = f"{progress.points_covered} of {progress.points_total} coverage points"
        told = f"{progress.cases} cases, {covered}, {progress.restarts} restarts of the target"
        Xml.SubElement(case, "system-out").text = clean(told)
    return case


def _finding(item: Item) -> Xml.Element:
    case = _case("fuzzing", f"{item.heading} ({item.finding.fingerprint})")
    if item.excused:
        _put(case, "skipped", item.note)
    else:
        _put(case, "failure", item.heading, item.told(), item.finding.kind.value)
    return case


def _put(
    case: Xml.Element, tag: str, message: str, lines: Sequence[str] = (), kind: str = ""
) -> None:
    element = Xml.SubElement(case, tag, message=clean(message))
    if kind:
        element.set("type", kind)
    element.text = clean("\n".join(lines)) or None
