"""What becomes of a case that earned its place: kept at once, and looked at when there is time.

Its idle steps go, so that none is played again with all that is made of it, and it is looked at for
leaks. Both take dozens of plays. In the first seconds of a campaign, where nearly all is new, that
was two thirds of its time; so each has a share of the time, and a queue. libFuzzer knows a case as
it was when it was kept, and is none the wiser for what it has lost since: whenever it chooses that,
the shorter one is changed in its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fuzz.case import Case, decode_case, encode_case
from fuzz.clock import Clock
from fuzz.engines.allowance import Allowance
from fuzz.engines.board import Board, Earned, OfCase, Shortened
from fuzz.engines.feedback import Features, loud
from fuzz.engines.trim import cut_short, trim
from fuzz.store.corpus import EvolvedCorpus
from fuzz.watchdog.leaks import LeakSurvey

#: The shares of the time for trimming, which takes minutes to catch up, and for surveys, which keep
#: pace from the first seconds on.
_TRIMMING, _SURVEYING = 0.05, 0.15

#: Cases that are surveyed one after the other, since that is cheaper: ten milliseconds each, for
#: which the search waits.
_AT_ONCE = 4

#: Cases that wait, of each sort: with some minutes' work ahead, what comes then is not waited with.
_MOST = 2_048

#: What a case does alone, None if that is to be looked into.
Alone = Callable[[Case], Features | None]


@dataclass(frozen=True, slots=True)
class _Idle:
    """A case that may have idle steps, its file form, and the buckets that it earned."""

    data: bytes
    case: Case
    wanted: dict[int, int]
    leads: bool


class Kept:
    """Keeps cases in ``evolved``, and tells the ``board`` of them, if there is one.

    ``alone`` plays a case. Without ``survey`` nothing is looked at for leaks, and without ``trims``
    a case stays as it is.
    """

    def __init__(
        self,
        evolved: EvolvedCorpus,
        board: Board | None,
        survey: LeakSurvey | None,
        alone: Alone,
        clock: Clock,
        trims: bool,
    ) -> None:
        self._evolved = evolved
        self._board = board
        self._survey = survey
        self._alone = alone
        self._trims = trims
        self._shorter: dict[bytes, bytes] = {}
        self._cut: dict[bytes, bytes] = {}
        self._to_trim: deque[_Idle] = deque()
        self._to_survey: deque[bytes] = deque()
        self._trimming = Allowance(clock, _TRIMMING)
        self._surveying = Allowance(clock, _SURVEYING)

    def keep(self, case: Case, features: Features, earned: set[int], leads: bool) -> bytes:
        """Keep ``case``, which ``earned`` something; return its file form.

        What is to be built upon at once, since it ``leads`` on, is made short first.
        """
        data = encode_case(case)
        self._evolved.add(data)
        if self._board is not None and not self._evolved.full:
            self._board.tell(Earned(data, features))
        if self._trims and (leads or len(self._to_trim) < _MOST):
            put = self._to_trim.appendleft if leads else self._to_trim.append
            put(_Idle(data, case, loud(features, earned), leads))
        self._to_be_surveyed(data)
        return data

    def look_at(self, seeds: Iterable[Case]) -> None:
        """Let ``seeds`` be looked at for leaks: what they do is done most."""
        for case in seeds:
            self._to_be_surveyed(encode_case(case))

    def _to_be_surveyed(self, data: bytes) -> None:
        if self._survey is not None and len(self._to_survey) < _MOST:
            self._to_survey.append(data)

    def shorter(self, data: bytes) -> bytes:
        """Return what is to be changed in the place of ``data``."""
        return self._shorter.get(data, data)

    def cut(self, data: bytes) -> bytes:
        """Return what something is to be said behind in the place of ``data``.

        Its segments may end within a frame: nothing else is built upon that.
        """
        return self._cut.get(data) or self.shorter(data)

    def hear(self, note: OfCase) -> None:
        """Take in what another worker has kept, or made shorter."""
        self._evolved.take_in(note.case)
        if isinstance(note, Shortened):
            self._shorter[note.case] = note.shorter
            self._evolved.take_in(note.shorter, note.case)

    def work(self) -> None:
        """Trim and survey what waits for it, as far as there is time."""
        while self._to_trim and self._trimming.left():
            self._trimming.spend(lambda: self._trim(self._to_trim.popleft()))
        while self._to_survey and self._surveying.left():
            self._surveying.spend(self._look_for_leaks)

    def _look_for_leaks(self) -> None:
        """Survey the first that wait, without their idle steps as far as these are known."""
        assert self._survey is not None
        first = [self._to_survey.popleft() for _ in range(min(_AT_ONCE, len(self._to_survey)))]
        self._survey.survey(decode_case(self.shorter(data)) for data in first)

    def _trim(self, idle: _Idle) -> None:
        def earns(shorter: Case) -> bool:
            found = self._alone(shorter)
            return found is not None and loud(found, set(idle.wanted)) == idle.wanted

        trimmed = trim(idle.case, earns)
        if idle.leads:
            self._cut[idle.data] = encode_case(cut_short(trimmed, earns))
        if trimmed == idle.case:
            return
        data, shorter = idle.data, encode_case(trimmed)
        self._shorter[data] = shorter
        self._evolved.replace(data, shorter)
        if self._board is not None:
            self._board.tell(Shortened(data, shorter))
