"""What has news waits its turn: a share of the plays, and never for long."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.case import Case
from fuzz.clock import FakeClock
from fuzz.engines.feedback import News
from fuzz.engines.unexplained import Unexplained
from tests.watchdog.fake_rig import case

NEWS = News(frozenset({1}), False)


class Desk:
    """Batches that take so many plays to look into; a clock counts them."""

    def __init__(self, each: int) -> None:
        self.plays = FakeClock()
        self.looked: list[Sequence[Case]] = []
        self.unexplained = Unexplained(self.plays, self.look)
        self._each = each

    def look(self, cases: Sequence[Case], news: News) -> None:
        assert news is NEWS
        self.plays.advance(self._each)
        self.looked.append(cases)

    def batch(self, number: int) -> None:
        """Play a batch of sixteen that has news."""
        self.plays.advance(16)
        self.unexplained.add([case(str(number))], NEWS)
        self.unexplained.work()


def test_one_play_in_three_looks_into_news_the_oldest_first() -> None:
    desk = Desk(8)
    for number in range(60):
        desk.batch(number)
    spent = 8 * len(desk.looked)
    assert abs(spent - desk.plays.now() / 3) <= 8
    assert desk.looked == [[case(str(number))] for number in range(len(desk.looked))]


def test_what_takes_more_than_its_share_waits_behind_a_bounded_queue() -> None:
    desk = Desk(1_000)
    for number in range(100):
        desk.batch(number)
    assert len(desk.looked) == 100 - 64, "who comes then pushes the first one through"
