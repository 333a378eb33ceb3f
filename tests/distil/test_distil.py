"""Distilling and merging over a made-up node, whose points are hit by words in a case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fuzz.case import Case, encode_case
from fuzz.distil.distil import Distilled, Distiller
from fuzz.distil.reader import Harm, Reader
from fuzz.finding import Kind
from fuzz.node import Point
from fuzz.observation import Ending, Observation
from fuzz.store.corpus import Seeds
from tests.oracles.evidence_support import STATEM, observed
from tests.watchdog.fake_rig import FakeRig, case, ends_node, hangs, reports

POINTS = tuple(Point("iris_ref_conn", "f", 0, line, "function") for line in range(8))


def hit(*points: int, count: int = 1) -> Callable[[FakeRig], None]:
    def effect(rig: FakeRig) -> None:
        assert rig.agent is not None
        for point in points:
            rig.agent.hit(point, count)

    return effect


class Sometimes:
    """Hits its point in every other play, the first included."""

    def __init__(self, point: int) -> None:
        self._point, self._plays = point, 0

    def __call__(self, rig: FakeRig) -> None:
        self._plays += 1
        if self._plays % 2:
            hit(self._point)(rig)


def rig_with(**words: Callable[[FakeRig], Observation | None]) -> FakeRig:
    known = {"one": hit(1), "two": hit(2), "both": hit(1, 2), "loud": hit(1, count=9)}
    return FakeRig({**known, "crash": reports(STATEM), **words}, POINTS)


def seeds(*texts: str) -> Seeds:
    return Seeds(tuple((Path(text), encode_case(case(*text.split()))) for text in texts))


def reader(rig: FakeRig, plays: int = 2) -> Reader:
    return Reader(rig.as_rig(), plays)


def names(distilled: Distilled) -> list[str]:
    return [str(one.path) for one in distilled.kept]


def _ignored(_data: bytes) -> None:
    """Keep nothing."""


def test_the_few_that_reach_all_are_kept() -> None:
    made = Distiller(reader(rig_with())).distil(
        seeds("one", "two", "both with a very long tail", "one again", "loud", "nothing")
    )
    assert sorted(names(made)) == ["loud", "one", "two"]
    assert (made.played, made.features, made.by_chance) == (6, 3, 0)


def test_what_is_alike_is_played_once() -> None:
    rig = rig_with()
    twice = Seeds((*seeds("one").seeds, (Path("copy"), seeds("one").seeds[0][1])))
    made = Distiller(reader(rig)).distil(twice)
    played = [cases for cases, _ in rig.plays if cases == (case("one"),)]
    assert (made.alike, made.played, len(played)) == (1, 1, 2)


def test_a_case_that_reaches_by_chance_does_not_stand_for_one_that_does_surely() -> None:
    made = Distiller(reader(rig_with(lucky=Sometimes(5), sure=hit(5)))).distil(
        seeds("lucky", "sure with a tail")
    )
    assert names(made) == ["sure with a tail"]
    alone = Distiller(reader(rig_with(lucky=Sometimes(5)))).distil(seeds("lucky"))
    assert names(alone) == ["lucky"]
    assert alone.by_chance == 1


def test_a_case_that_does_harm_is_left_out_and_told() -> None:
    rig, told = rig_with(), []
    distiller = Distiller(reader(rig), harm=lambda path, harm: told.append((path, harm)))
    made = distiller.distil(seeds("one", "crash one two"))
    assert names(made) == ["one"]
    ((path, harm),) = told
    assert str(path) == "crash one two"
    assert [f.kind for f in harm.findings] == [Kind.PROCESS_CRASH]
    assert harm.sentence().startswith("process_crash ")
    assert made.harmful == told
    assert made.features == 1


def test_the_target_is_brought_back_after_a_case_that_ends_it() -> None:
    rig = rig_with(end=ends_node)
    made = Distiller(reader(rig)).distil(seeds("end", "one", "two"))
    assert sorted(names(made)) == ["one", "two"]
    assert [str(path) for path, _ in made.harmful] == ["end"]
    assert rig.recoveries == 1


def test_silence_of_one_play_is_no_harm_if_the_next_is_in_order() -> None:
    class Slow:
        def __init__(self) -> None:
            self.plays = 0

        def __call__(self, rig: FakeRig) -> Observation | None:
            self.plays += 1
            hit(3)(rig)
            return observed(Ending.DEADLINE) if self.plays == 1 else None

    made = Distiller(reader(rig_with(slow=Slow()))).distil(seeds("slow"))
    assert (names(made), made.harmful) == (["slow"], [])


def test_a_case_that_hangs_the_target_does_harm() -> None:
    seen = reader(rig_with(hang=hangs)).read(case("hang"), 9)
    assert isinstance(seen, Harm)
    assert {f.kind for f in seen.findings} == {Kind.HANG}


def test_points_that_count_only_since_the_target_was_brought_back_are_nobodys() -> None:
    rig = rig_with(end=ends_node)
    play = rig._play

    def plays(played: Case) -> Observation:
        if rig.recoveries:
            hit(6)(rig)
        return play(played)

    rig._play = plays  # type: ignore[method-assign]
    made = Distiller(reader(rig)).merge(seeds("one"), seeds("end", "one again", "two"), _ignored)
    assert names(made) == ["two"]
    assert made.features == 2


def test_a_merge_adds_only_what_is_new_and_never_by_chance() -> None:
    added: list[bytes] = []
    rig = rig_with(lucky=Sometimes(5))
    others = seeds("both", "two", "one else", "loud", "lucky")
    made = Distiller(reader(rig)).merge(seeds("one"), others, added.append)
    assert names(made) == ["two", "loud"]
    assert added == [one.data for one in made.kept]
    assert [one.features for one in made.kept] == [1, 1]


def test_a_merge_done_again_adds_nothing() -> None:
    others = seeds("both", "two", "loud")
    made = Distiller(reader(rig_with())).merge(Seeds(()), others, _ignored)
    into = Seeds(tuple((one.path, one.data) for one in made.kept))
    again = Distiller(reader(rig_with())).merge(into, others, _ignored)
    assert (len(made.kept), again.kept) == (3, [])
    assert again.alike == len(into.seeds)


def test_what_was_added_before_an_interrupt_has_been_handed_on() -> None:
    added: list[bytes] = []

    def interrupt(_number: int, _of: int, path: Path) -> None:
        if path == Path("loud"):
            raise KeyboardInterrupt

    distiller = Distiller(reader(rig_with()), interrupt)
    with pytest.raises(KeyboardInterrupt):
        distiller.merge(Seeds(()), seeds("one", "loud"), added.append)
    assert added == [data for _, data in seeds("one").seeds]


def test_without_an_agent_the_shape_of_replies_tells_cases_apart() -> None:
    rig = rig_with(other=lambda _: observed(Ending.RESET))
    rig.agent, rig.points = None, ()
    blind = reader(rig)
    made = Distiller(blind).distil(seeds("alike", "the same", "other"))
    assert blind.blind
    assert names(made) == ["alike", "other"]
