"""A case that may leak is suspected, left to rest, and confirmed by what does not come back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fuzz.case import Case
from fuzz.finding import Kind
from fuzz.node import Holding
from fuzz.rig import Recovery
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.growth import is_stored
from fuzz.watchdog.leaks import LeakSurvey
from fuzz.watchdog.watchdog import Watchdog
from tests.watchdog.fake_rig import FakeRig, case

Held = dict[tuple[str, str], int]


class Desk:
    """A survey over a rig whose cases add to what the node holds."""

    def __init__(self, **adds: Held) -> None:
        self.held: Held = {("ETS rows", "sessions"): 5, ("binaries", ""): 100_000}
        words: dict[str, Callable[[FakeRig], None]] = {
            word: lambda _, more=more: self._add(more) for word, more in adds.items()
        }
        self.rig = FakeRig(words)
        self.watchdog = Watchdog(self.rig.as_rig())
        self.survey = LeakSurvey(self.rig.as_rig(), self.watchdog)
        self._add({})

    def _add(self, more: Held) -> None:
        for key, amount in more.items():
            self.held[key] = self.held.get(key, 0) + amount
        assert self.rig.agent is not None
        self.rig.agent.holdings = [Holding(*key, amount) for key, amount in self.held.items()]

    def later(self, seconds: float = 10.0) -> None:
        self.rig.clock.advance(seconds)

    def due(self) -> Case | None:
        """Return the case of the suspicion that is due, if there is one."""
        due = self.survey.due()
        return None if due is None else due[1]

    def confirmed(self, word: str) -> list[Attributed]:
        investigator = Investigator(
            self.rig.as_rig(), self.watchdog, lambda _: False, lambda _: None
        )
        self.rig.target.restartable = False
        return list(investigator.investigate_growth(case(word), "ETS rows of sessions"))


@pytest.mark.parametrize(
    ("held", "title"),
    [
        ({("ETS rows", "sessions"): 1}, "ETS rows of sessions"),
        ({("ETS bytes", "notes"): 80}, "ETS bytes of notes"),
        ({("ETS rows", "sessions"): 1, ("ETS bytes", "sessions"): 80}, "ETS rows of sessions"),
        ({("mailbox", "clerk"): 1}, "messages in the mailbox of clerk"),
        ({("binaries", ""): 500}, "binaries"),
    ],
)
def test_what_grows_with_each_play_and_stays_is_a_leak(held: Held, title: str) -> None:
    desk = Desk(leak=held)
    desk.survey.survey([case("leak")])
    assert desk.due() is None, "it has not rested yet"
    desk.later()
    assert desk.due() == case("leak")
    first, again = desk.confirmed("leak")
    assert (first.finding.kind, first.finding.cause.reason) == (Kind.LEAK, title)
    assert again.reproduced == again.plays > 1


def test_of_several_cases_the_one_that_leaks_is_suspected_and_each_is_looked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(leak={("ETS rows", "sessions"): 1})
    looks, levels = [], desk.watchdog.levels

    def look() -> dict[str, int]:
        looks.append(len(desk.rig.plays))
        return levels()

    monkeypatch.setattr(desk.watchdog, "levels", look)
    forgotten = []
    monkeypatch.setattr(desk.watchdog, "forget_levels", lambda: forgotten.append(len(looks)))
    desk.survey.survey([case("idle"), case("leak"), case("other")])
    assert looks == [0, 1, 2, 3]
    assert forgotten == [4], "what was stored on purpose is no growth of the next batch"
    desk.later()
    assert desk.due() == case("leak")
    desk.later()
    assert desk.due() is None


def test_what_was_looked_into_is_left_alone_for_a_while_and_then_suspected_again() -> None:
    desk = Desk(leak={("ETS rows", "sessions"): 1}, other={("ETS rows", "sessions"): 1})
    desk.survey.survey([case("leak")])
    desk.later()
    assert desk.due() is not None
    desk.survey.survey([case("other")])
    desk.later()
    assert desk.due() is None
    desk.survey.survey([case("other")])
    desk.later()
    assert desk.due() == case("other")


def test_a_table_whose_rows_came_back_once_may_leak_all_the_same() -> None:
    desk = Desk(row={("ETS rows", "sessions"): 1}, leak={("ETS rows", "sessions"): 1})
    desk.rig.target.on_wait = lambda: desk._add(
        {("ETS rows", "sessions"): 5 - desk.held["ETS rows", "sessions"]}
    )
    assert desk.confirmed("row") == []
    desk.rig.target.on_wait = lambda: None
    first, _ = desk.confirmed("leak")
    assert first.finding.cause.reason == "ETS rows of sessions"


def test_a_timer_that_was_short_once_may_be_long_the_next_time() -> None:
    desk = Desk(row={("ETS rows", "sessions"): 1})
    gone = {("ETS rows", "sessions"): 0}

    def after(seconds: float) -> Callable[[], None]:
        since = desk.rig.clock.now()

        def swept() -> None:
            if desk.rig.clock.now() >= since + seconds:
                desk.held.update(gone)
                desk._add({})

        return swept

    for seconds in (0.1, 7.0):
        desk.rig.target.on_wait = after(seconds)
        assert desk.confirmed("row") == []


def test_a_table_no_larger_than_a_store_that_is_kept_explains_is_no_leak() -> None:
    desk = Desk(leak={("ETS rows", "sessions"): 1})
    desk.rig.target.forgets = False
    desk._add({("durable rows", ""): 1_000})
    assert desk.confirmed("leak") == []
    desk._add({("ETS rows", "sessions"): 10_000})
    first, _ = desk.confirmed("leak")
    assert first.finding.cause.reason == "ETS rows of sessions"


def test_what_a_timer_takes_away_is_no_leak() -> None:
    desk = Desk(row={("ETS rows", "sessions"): 1})
    desk.survey.survey([case("row")])
    desk._add({("ETS rows", "sessions"): 5 - desk.held["ETS rows", "sessions"]})
    desk.later()
    assert desk.due() is None
    desk.rig.target.on_wait = lambda: desk._add(
        {("ETS rows", "sessions"): 5 - desk.held["ETS rows", "sessions"]}
    )
    assert desk.confirmed("row") == []


class Renewing(Desk):
    """A desk whose fresh nodes hold nothing, and whose rows of ``rate`` go by themselves."""

    ROWS = ("ETS rows", "rate")

    def __init__(self, **adds: Held) -> None:
        super().__init__(**adds)
        self.rig.target.on_wait = lambda: self._empty(self.ROWS)
        self._recover = self.rig.recover
        self.rig.recover = self._renewed  # type: ignore[method-assign]
        self.investigator = Investigator(
            self.rig.as_rig(), self.watchdog, lambda _: False, lambda _: None
        )

    def _renewed(self, fresh_node: bool = False) -> Recovery:
        recovery = self._recover(fresh_node)
        self._empty(*self.held)
        return recovery

    def _empty(self, *keys: tuple[str, str]) -> None:
        self._add({key: -self.held.get(key, 0) for key in keys})


def test_a_leak_is_told_though_a_timer_ranks_before_it() -> None:
    desk = Renewing(both={Renewing.ROWS: 1, ("mailbox", "clerk"): 1})
    mail = "messages in the mailbox of clerk"
    told = list(desk.investigator.investigate_growth(case("both"), mail))
    assert [one.finding.cause.reason for one in told] == [mail, mail]
    assert [one.confirms for one in told] == [False, True]


def test_a_suspicion_that_a_timer_takes_away_on_a_fresh_node_is_dismissed() -> None:
    desk = Renewing(rows={Renewing.ROWS: 1})
    (dismissed,) = desk.investigator.investigate_growth(case("rows"), "ETS rows of rate")
    assert (dismissed.finding.cause.reason, dismissed.dismissed) == ("ETS rows of rate", True)
    # How long that timer runs is known now, and there is no second fresh node.
    assert list(desk.investigator.investigate_growth(case("rows"), "ETS rows of rate")) == []
    assert desk.rig.calls.count("recover node") == 1


def test_a_case_is_surveyed_once_after_the_target_was_brought_back() -> None:
    desk = Desk(leak={("ETS rows", "sessions"): 1, ("mailbox", "clerk"): 1, ("heap", "clerk"): 99})
    desk.survey.survey([case("leak")])
    desk.rig.recover(fresh_node=True)
    desk._add({})
    plays = len(desk.rig.plays)
    desk.later()
    assert desk.due() is None
    assert len(desk.rig.plays) == plays + 1


def test_what_was_dismissed_is_not_suspected_again_for_a_while() -> None:
    desk = Desk(leak={("ETS rows", "sessions"): 1})
    desk.survey.dismiss("ETS rows of sessions")
    for expected in (None, case("leak")):
        desk.survey.survey([case("leak")])
        desk.later()
        assert desk.due() == expected


def test_of_two_cases_that_may_leak_the_shorter_one_is_confirmed() -> None:
    desk = Desk(leak={("ETS rows", "sessions"): 1})
    (step,) = case("leak").steps
    for count in (3, 1, 2):
        desk.survey.survey([Case((step,) * count)])
    desk.later()
    assert desk.due() == case("leak")


def test_a_suspicion_survives_that_the_target_is_brought_back() -> None:
    desk = Desk(leak={("ETS rows", "sessions"): 1})
    desk.survey.survey([case("leak")])
    desk.rig.recover(fresh_node=True)
    desk.held["ETS rows", "sessions"] = 0
    desk._add({})
    desk.later()
    assert desk.due() is None, "it rests again"
    desk.later()
    assert desk.due() == case("leak")


def test_what_grows_beside_what_is_meant_to_stay_is_no_leak() -> None:
    stored = {("durable rows", ""): 1, ("ETS rows", "index"): 1, ("binaries", ""): 500}
    desk = Desk(store=stored)
    desk.survey.survey([case("store")])
    desk.later()
    assert desk.due() is None
    assert desk.confirmed("store") == []


@pytest.mark.parametrize(
    ("name", "amount", "stored"),
    [
        ("ETS rows of index", 40, True),
        ("ETS rows of index", 41, False),
        ("binaries of keeper", 10 * 1_024 + 4 * 500, True),
        ("binaries of keeper", 10 * 1_024 + 4 * 500 + 1, False),
        ("binaries", 10**6, True),
        ("bytes on the heap of keeper", 9_000, True),
        ("messages in the mailbox of clerk", 1, False),
        ("processes", 1, False),
    ],
)
def test_what_is_stored_on_purpose_accounts_for_so_much(
    name: str, amount: int, stored: bool
) -> None:
    assert is_stored(name, amount, rows=10, sent=500) is stored
    assert not is_stored(name, amount, rows=0, sent=500)


def test_a_mailbox_that_grows_beside_what_is_meant_to_stay_is_suspected() -> None:
    desk = Desk(both={("durable rows", ""): 1, ("mailbox", "clerk"): 1})
    desk.survey.survey([case("both")])
    desk.later()
    assert desk.due() == case("both")


def test_a_little_noise_is_not_suspected() -> None:
    desk = Desk(noise={("binaries", ""): 3})
    desk.survey.survey([case("noise")])
    desk.later()
    assert desk.due() is None
