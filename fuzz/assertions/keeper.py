"""Looks at the metrics of a server while it is fuzzed, and makes a finding of what does not hold.

It stands in the stream of a run's events: behind the start, behind each progress if it is time, and
before the end it looks, and what it finds goes on with the other events. A sentence that does not
hold at two looks in a row, or at the last one, is a finding; once is not enough, for a ratio of two
small numbers jumps about at first.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from fuzz.assertions.expression import Assertion, Selector
from fuzz.assertions.page import Page, Source, read_page
from fuzz.assertions.tally import Tally
from fuzz.assertions.vitals import VITALS, samples_of
from fuzz.clock import Clock, SystemClock
from fuzz.errors import SettingsError, TargetError
from fuzz.events import Ended, Event, Faulted, Found, Gauged, Progress, Started
from fuzz.finding import ASSERTION, Cause, Finding, Kind
from fuzz.node import QuickVitals
from fuzz.store.atomic import ensure_writable, write_atomic
from fuzz.store.sidecar import plain

#: A page takes milliseconds; a short run is to be looked at several times.
LOOK_SECONDS = 2.0
#: The page of a server may come up after its port for clients; past this it is not there.
PATIENCE_SECONDS = 15.0
#: How many looks in a row a sentence must fail at.
_STRIKES = 2
_MOST_SIMILAR = 5


class Keeper:
    """Holds ``assertions`` against the page at ``source``; what it finds is kept in ``folder``.

    Without a ``source`` there is only what the agents tell, see :mod:`fuzz.assertions.vitals`.
    """

    def __init__(
        self,
        assertions: Sequence[Assertion],
        source: Source | None,
        folder: Path,
        clock: Clock | None = None,
        read: Callable[[Source], Page] = read_page,
    ) -> None:
        self._assertions = assertions
        self._source = source
        self._folder = folder
        self._clock = clock or SystemClock()
        self._read = read
        self._tally = Tally()
        self._strikes = dict.fromkeys(assertions, 0)
        self._told: set[Assertion] = set()
        self._levels: Mapping[str, QuickVitals] = {}
        self._begun: float | None = None
        self._looked = float("-inf")
        self._pages = 0
        self._missed: list[str] = []

    def watch(self, events: Generator[Event, None, None]) -> Generator[Event, None, None]:
        """Yield ``events``, and the findings among them.

        Raises :class:`TargetError` if there is no page of metrics, and :class:`SettingsError` if
        it has none of a name that is asserted on.
        """
        with closing(events):
            for event in events:
                if isinstance(event, Ended):
                    yield from self._end(event.progress)
                yield event
                if isinstance(event, Started) and self._begun is None:
                    self._check_agents(event)
                    self._begun = self._clock.now()
                    yield from self._look(0.0, 0)
                elif isinstance(event, Gauged):
                    self._levels = event.levels
                elif isinstance(event, Progress) and self._due():
                    yield from self._look(event.seconds, event.cases)

    def _due(self) -> bool:
        return self._begun is not None and self._clock.now() - self._looked >= LOOK_SECONDS

    def _end(self, progress: Progress) -> Iterator[Event]:
        """Look for the last time; where the target is gone by now, the page before was the last."""
        yield from self._look(progress.seconds, progress.cases, last=True)
        if self._missed:
            times = f"{len(self._missed)} of {len(self._missed) + self._pages} times"
            yield Faulted(
                f"metrics could not be read {times}, the last time for: {self._missed[-1]}"
            )

    def _look(self, seconds: float, cases: int, last: bool = False) -> Iterator[Event]:
        try:
            page = self._page()
        except TargetError as error:
            self._miss(error, last)
            if not last:
                return
        else:
            self._tally.take(page)
            self._pages += 1
            if self._pages == 1:
                self._check_names()
        finally:
            self._looked = self._clock.now()
        for assertion in self._assertions:
            finding = self._judge(assertion, last, seconds, cases)
            if finding is not None:
                yield self._save(finding)

    def _page(self) -> Page:
        """Return what is on the page, and what the agents have told last."""
        vitals = tuple(samples_of(self._levels))
        page = Page((), frozenset()) if self._source is None else self._read(self._source)
        return Page((*page.samples, *vitals), page.names | VITALS.keys())

    def _miss(self, error: TargetError, last: bool) -> None:
        """Note that there was no page; raise ``error`` if there never was one."""
        waited = 0.0 if self._begun is None else self._clock.now() - self._begun
        if self._pages == 0 and (last or waited > PATIENCE_SECONDS):
            raise TargetError(f"--assert has nothing to go by: {error}") from None
        # Its node ends before the run has ended: that is no page that was missed.
        if not last and self._pages:
            self._missed.append(str(error))

    def _check_agents(self, started: Started) -> None:
        """Raise an error if agents are asked and there are none."""
        asked = [one.name for one in self._selectors() if one.name in VITALS]
        if asked and not started.nodes:
            raise SettingsError(
                f"{asked[0]} is what an agent tells, and there is none in this target; --node "
                "brings one into a node that runs"
            )

    def _check_names(self) -> None:
        for selector in self._selectors():
            if not self._tally.knows(selector):
                raise SettingsError(self._unknown(selector))

    def _selectors(self) -> list[Selector]:
        return [one for assertion in self._assertions for one in assertion.selectors]

    def _unknown(self, selector: Selector) -> str:
        names = sorted(self._tally.names())
        similar = difflib.get_close_matches(selector.name, names, _MOST_SIMILAR, cutoff=0.4)
        words = set(selector.name.split("_"))
        similar += [n for n in names if n not in similar and len(words & set(n.split("_"))) > 1]
        told = f"similar: {', '.join(similar[:_MOST_SIMILAR])}" if similar else "nothing is similar"
        where = "an agent" if self._source is None else self._source.url
        return f"{where} has no metric {selector.name} ({told})"

    def _judge(
        self, assertion: Assertion, last: bool, seconds: float, cases: int
    ) -> Finding | None:
        sides = assertion.sides(self._tally.value)
        failed = assertion.holds(sides) is False
        self._strikes[assertion] = self._strikes[assertion] + 1 if failed else 0
        enough = self._strikes[assertion] >= (1 if last else _STRIKES)
        if not enough or assertion in self._told:
            return None
        self._told.add(assertion)
        left, right = sides
        return Finding(
            Kind.SEMANTIC,
            f"{assertion.text} does not hold: {left:g} {assertion.sign} {right:g}",
            Cause(ASSERTION, assertion.text, assertion.identity()),
            {
                "assertion": assertion.text,
                "left": left,
                "right": right,
                "metrics": {str(one): self._tally.value(one) for one in assertion.selectors},
                **({} if self._source is None else {"read_from": self._source.url}),
                "seconds": round(seconds, 3),
                "cases": cases,
            },
        )

    def _save(self, finding: Finding) -> Found:
        """Keep what was seen, since there is no case that shows it; tell of it."""
        path = self._folder / f"{ASSERTION}-{finding.fingerprint}.json"
        new = not path.exists()
        ensure_writable(self._folder)
        document = {
            "kind": finding.kind.value,
            "severity": finding.kind.severity.value,
            "title": finding.title,
            "fingerprint": finding.fingerprint,
            "evidence": plain(finding.evidence),
        }
        write_atomic(path, (json.dumps(document, indent=2) + "\n").encode())
        return Found(finding, str(path), new)
