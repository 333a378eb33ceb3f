"""Markdown of a smoke run: what stands on the page of a CI run, or below a pull request."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator

from fuzz.report.outcome import Item, Outcome
from fuzz.triage.replay import Verdict

#: Whatever Markdown, HTML or GitHub take as more than a character: text of targets is hostile.
_MARKS = re.compile(r"[\\`*_\[\]<>#!|~@&:]")
#: What a page of a run may hold is bounded (GitHub: a mebibyte); who has more wants a report.
_MOST_ITEMS = 50
#: What a line may hold that is read on a page.
_MOST_CHARACTERS = 2_000


def as_markdown(outcome: Outcome) -> str:
    """Return the page."""
    return "\n\n".join(_parts(outcome)) + "\n"


def _parts(outcome: Outcome) -> Iterator[str]:
    new, told = outcome.new, outcome.ordered()
    if new:
        headline = f"{_counted(len(new), 'new finding')}"
    elif outcome.errors():
        headline = "could not run to the end"
    else:
        headline = "nothing new was found"
    yield f"## iris-fuzz: {headline}"
    yield "\n".join(f"- {plain(line)}" for line in _totals(outcome))
    if told:
        rows = [_row(item) for item in told[:_MOST_ITEMS]]
        yield "\n".join(["| | kind | finding | |", "| --- | --- | --- | --- |", *rows])
    for item in new[:_MOST_ITEMS]:
        yield _details(item)
    if len(told) > _MOST_ITEMS:
        yield f"And {_counted(len(told) - _MOST_ITEMS, 'finding')} more."
    if outcome.errors():
        sentences = [f"- {plain(sentence)}" for sentence in outcome.errors()[:_MOST_ITEMS]]
        yield "\n".join(["### What could not be done", "", *sentences])


def plain(text: str) -> str:
    """Return ``text`` so that it is shown as it is, in one line, and nothing in it is markup."""
    return _MARKS.sub(lambda found: f"&#{ord(found[0])};", _line(text))


def _totals(outcome: Outcome) -> Iterator[str]:
    counts = Counter(one.verdict for one in outcome.regressions)
    if counts:
        verdicts = ", ".join(f"{counts[v]} {v.value}" for v in Verdict if counts[v])
        yield f"{_counted(len(outcome.regressions), 'regression')}: {verdicts}"
    summary = outcome.summary
    if summary is not None:
        progress = summary.progress
        seconds = f"{progress.cases:,} cases in {progress.seconds:.0f} s"
        covered = f"{progress.points_covered:,} of {progress.points_total:,} coverage points"
        yield f"fuzzing: {seconds}, {covered}, {_counted(progress.restarts, 'restart')}"
    excused = sum(item.excused for item in outcome.items.values())
    if excused:
        fails = "fails" if excused == 1 else "fail"
        yield f"{_counted(excused, 'finding')} {fails} nothing: known, or in the baseline"


def _row(item: Item) -> str:
    kind = item.finding.kind
    state = plain(item.note) if item.excused else "**new**"
    return (
        f"| {kind.severity.value} | {plain(kind.value)} | {plain(item.finding.title)} | {state} |"
    )


def _details(item: Item) -> str:
    told = html.escape("\n".join(map(_line, item.told())))
    summary = f"<summary>{plain(item.heading)}</summary>"
    return f"<details>{summary}\n\n<pre>{told}</pre>\n\n</details>"


def _line(text: str) -> str:
    """Return ``text``, cut where it is long, with escapes for what is no text of one line."""
    short = text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " ..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
