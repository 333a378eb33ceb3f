"""The engine over fakes: what libFuzzer would see, and in which order things happen."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from fuzz.case import Case, encode_case
from fuzz.engines.board import Board
from fuzz.engines.counters import Counters
from fuzz.engines.coverage import CoverageEngine
from fuzz.engines.feedback import BATCH, CALM_BATCHES, WIDE
from fuzz.engines.frontier import CALM
from fuzz.finding import Finding
from fuzz.generate.constants import Saying
from fuzz.generate.mutate import Mutator
from fuzz.node import Gate, Point
from fuzz.store.corpus import EvolvedCorpus
from fuzz.store.journal import Journal
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.watchdog import Watchdog
from tests.oracles.evidence_support import STATEM
from tests.watchdog.fake_rig import FakeRig, case, reports

POINTS = tuple(Point("iris_ref_conn", "f", 0, line, "function") for line in range(8))
SEEDS = [encode_case(case(f"seed{n}", "base")) for n in range(3)]
#: The counters of the seeds stand behind those of the points.
OWN = len(POINTS)
MOST = 10_000
#: The plays of a survey for leaks, of each seed, which are looked at after the first batch.
SURVEYS = [8] * len(SEEDS)


def hit(index: int, count: int = 1) -> Callable[[FakeRig], None]:
    """Return an effect: the node passes a point."""

    def effect(rig: FakeRig) -> None:
        if rig.agent is not None:
            rig.agent.hit(index, count)

    return effect


def works(reductions: int) -> Callable[[FakeRig], None]:
    """Return an effect: the node is busy."""

    def effect(rig: FakeRig) -> None:
        assert rig.agent is not None
        levels = rig.agent.levels
        rig.agent.levels = replace(levels, reductions=levels.reductions + reductions)

    return effect


def stepwise(*words: str) -> Case:
    """Return a case that sends each word in a segment of its own."""
    return Case(tuple(step for word in words for step in case(word).steps))


class Written(Counters):
    """Counters that remember what was written last."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.last: tuple[tuple[int, int], ...] = ()

    def write(self, features: Iterable[tuple[int, int]]) -> None:
        self.last = tuple(features)
        super().write(self.last)


class Echo:
    """A mutator that hands out what the test puts in, then numbered cases."""

    def __init__(self) -> None:
        self.next: list[Case] = []
        self.given: list[Case] = []
        self.said: list[tuple[Case, Saying]] = []
        self.made = 0

    def mutate(self, given: Case, _max_bytes: int) -> Case:
        self.given.append(given)
        self.made += 1
        return self.next.pop(0) if self.next else case(f"plain{self.made}", "base")

    says = True

    def say(self, given: Case, saying: Saying, max_bytes: int) -> Case:
        self.said.append((given, saying))
        return self.mutate(given, max_bytes)

    def grow(self, case: Case, max_bytes: int) -> Case:
        return self.mutate(case, max_bytes)

    def cross(self, a: Case, b: Case, _max_bytes: int) -> Case:
        return Case(a.steps + b.steps)


class Bench:
    """An engine with everything that it rests on made up; ``log`` keeps the order of things."""

    def __init__(
        self,
        feedback: bool = True,
        agent: bool = True,
        climb: bool = False,
        board: Board | None = None,
        trims: bool = True,
        gates: tuple[Gate, ...] = (),
        says: bool = True,
    ) -> None:
        self.log: list[str] = []
        self.judged_cases = 0
        #: What was to be done beside each play.
        self.beside: list[dict[str, object]] = []
        self.begun: list[list[bytes]] = []
        self.evolved: list[bytes] = []
        self.heard: list[bytes] = []
        self.found: list[Attributed] = []
        words = {
            "base": hit(0),
            "new": hit(3),
            "loud": hit(4, 9),
            "other": hit(5),
            "sixth": hit(6),
            "moody": self._be_moody,
            "busy": works(100_000),
            "busier": works(400_000),
            "crash": reports(STATEM),
        }
        self.rig = FakeRig(words, POINTS, gates)
        if not agent:
            self.rig.agent, self.rig.points, self.rig.gates = None, (), ()
        self._keep_log()
        self.mutator = Echo()
        self.mutator.says = says
        watchdog = Watchdog(self.rig.as_rig())
        self.engine = CoverageEngine(
            self.rig.as_rig(),
            watchdog,
            Investigator(self.rig.as_rig(), watchdog, self._known, lambda _: None),
            cast(Mutator, self.mutator),
            cast(Journal, self),
            cast(EvolvedCorpus, self),
            self._found,
            lambda: self.log.append("after"),
            SEEDS,
            feedback,
            random.Random(0),
            climb,
            board,
            trims,
        )
        self.counters = self.engine.counters = Written(self.engine.counters.size)

    def _keep_log(self) -> None:
        play = self.rig.play

        def logged(cases: Sequence[Case], *patience: object, **beside: object) -> object:
            self.log.append(f"play {len(cases)}")
            self.beside.append(beside)
            return play(cases, *patience, **beside)  # type: ignore[arg-type]

        self.rig.play = logged  # type: ignore[assignment]

    def _be_moody(self, rig: FakeRig) -> None:
        """Hit one more point from the second time on."""
        hit(5)(rig)
        if "moody" in self.log:
            hit(6)(rig)
        self.log.append("moody")

    def _known(self, finding: Finding) -> bool:
        return finding.fingerprint in {one.finding.fingerprint for one in self.found}

    def _found(self, attributed: Attributed) -> None:
        self.log.append("found")
        self.found.append(attributed)

    # What the engine needs of the journal and of the evolved corpus.

    def begin(self, batch: Sequence[bytes]) -> int:
        self.log.append("begin")
        self.begun.append(list(batch))
        return len(self.begun)

    def judged(self, number: int, cases: int = 0) -> None:
        self.log.append(f"judged {number}")
        self.judged_cases += cases

    def add(self, data: bytes) -> None:
        self.evolved.append(data)

    def replace(self, data: bytes, shorter: bytes) -> None:
        self.evolved[self.evolved.index(data)] = shorter

    def take_in(self, data: bytes) -> None:
        self.heard.append(data)

    full = False

    def sizes(self) -> list[int]:
        """Return how many cases were played at once, each time."""
        return [int(line.split()[1]) for line in self.log if line.startswith("play")]

    # What libFuzzer does.

    def seed(self) -> None:
        """Run the seeds, then forget what happened."""
        for data in SEEDS:
            self.engine.test_one(data)
        self.log.clear()

    def calm(self) -> None:
        """Run so many batches without news that it is the time for errands."""
        for _ in range(CALM * WIDE // BATCH):
            self.batch()

    def batch(self, *cases: Case) -> None:
        """Let the engine mutate and run until a batch is full; ``cases`` come first."""
        self.mutator.next += cases
        for _ in range(BATCH):
            self.engine.test_one(self.engine.mutate(SEEDS[0], MOST))


def test_seeds_are_played_one_by_one_each_with_a_counter_of_its_own() -> None:
    bench = Bench()
    for number, data in enumerate(SEEDS):
        bench.engine.test_one(data)
        assert bench.counters.last == ((OWN + number, 1), (0, 1))
    assert [len(batch) for batch in bench.begun] == [1, 1, 1]
    assert bench.engine.totals.cases == 3


def test_a_case_is_journalled_before_it_is_played_and_marked_after_it_is_judged() -> None:
    bench = Bench()
    bench.engine.test_one(SEEDS[0])
    assert bench.log == ["begin", "play 1", "judged 1", "after"]
    assert bench.begun == [[SEEDS[0]]]


def test_mutations_are_played_sixteen_at_once() -> None:
    bench = Bench()
    bench.seed()
    for number in range(1, BATCH):
        bench.engine.test_one(bench.engine.mutate(SEEDS[0], MOST))
        assert bench.log == [], f"case {number} was played too early"
    bench.engine.test_one(bench.engine.mutate(SEEDS[0], MOST))
    assert bench.log[:2] == ["begin", "play 16"]
    assert len(bench.begun[-1]) == len(set(bench.begun[-1])) == BATCH


def test_a_batch_steers_nothing_by_itself() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(case("new", "base"))
    assert bench.counters.last == ()


def test_a_case_that_earned_something_comes_back_with_what_it_did_alone() -> None:
    bench = Bench()
    bench.seed()
    earning = case("new", "base")
    bench.batch(case("x", "base"), earning)
    credited = bench.engine.mutate(SEEDS[0], MOST)
    assert credited == encode_case(earning)
    played = len(bench.rig.plays)
    bench.engine.test_one(credited)
    # Alone it passed each point once; the batch together passed point 0 sixteen times.
    assert set(bench.counters.last) == {(0, 1), (3, 1)}
    assert len(bench.rig.plays) == played
    assert bench.evolved == [credited]
    assert (bench.engine.totals.corpus, bench.engine.totals.cases) == (1, 3 + BATCH)
    assert bench.judged_cases == 3 + BATCH  # and not those that were played alone
    assert bench.engine.mutate(SEEDS[0], MOST) != credited


def test_news_waits_while_looking_into_it_has_taken_its_share_of_the_plays() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(*[case(f"{number}", "base") for number in range(9)], case("new"))
    assert (len(bench.evolved), bench.engine.totals.replays) == (1, 10)
    bench.batch(case("other"))
    assert len(bench.evolved) == 1, "nearly half of all plays were to look into the first"
    bench.batch()
    bench.batch()
    assert bench.evolved[1:] == [encode_case(case("other"))]


def test_news_that_was_explained_meanwhile_is_not_looked_into() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(*[case(f"{number}", "base") for number in range(9)], case("new"))
    bench.batch(case("moody"))
    bench.batch(case("sixth"))
    for _ in range(5):
        bench.batch()
    # Alone, the moody case has hit what the other showed.
    assert bench.evolved[1:] == [encode_case(case("moody"))]


def test_what_is_kept_loses_its_idle_steps_unless_its_shape_is_to_stay() -> None:
    earning = stepwise("new", *["idle"] * 7)
    for trims in (True, False):
        bench = Bench(trims=trims)
        bench.seed()
        bench.batch(case("x", "base"), earning)
        credited = bench.engine.mutate(SEEDS[0], MOST)
        assert credited == encode_case(earning), "libFuzzer knows it as it was"
        for _ in range(200):  # cheaper ones have most of its turns
            bench.engine.mutate(credited, MOST)
        given = set(map(encode_case, bench.mutator.given))
        assert set(bench.evolved) < given, "what was kept is what is changed"
        assert (credited not in given) is trims


NEW, OTHER = Gate(3, None, (b"new",)), Gate(5, None, (b"other", 7))


def test_a_part_of_the_mutations_say_what_a_branch_beside_the_run_ones_compares_with() -> None:
    bench = Bench(gates=(NEW, OTHER))
    bench.seed()
    bench.calm()
    bench.mutator.said.clear()
    for _ in range(200):
        bench.engine.mutate(SEEDS[0], MOST)
    assert 20 < len(bench.mutator.said) < 100
    assert {given for given, _ in bench.mutator.said} <= {case(f"seed{n}", "base") for n in "012"}
    assert {saying for _, saying in bench.mutator.said} == {
        Saying(gate.constants, (b"new", b"other")) for gate in (NEW, OTHER)
    }


def test_a_branch_that_was_taken_is_not_spoken_to_any_more_and_its_case_leads_on() -> None:
    bench = Bench(gates=(NEW, OTHER))
    bench.seed()
    bench.batch(case("new", "base"))
    bench.mutator.said.clear()
    credited = bench.engine.mutate(SEEDS[0], MOST)
    for _ in range(CALM_BATCHES):
        bench.batch()
    assert bench.mutator.said == [], "a batch had news: it is not the time for errands yet"
    bench.calm()
    bench.mutator.said.clear()
    for _ in range(200):
        bench.engine.mutate(SEEDS[0], MOST)
    assert {saying for _, saying in bench.mutator.said} == {
        Saying(OTHER.constants, (b"new", b"other"), (b"new",))
    }
    # Behind the word it is cut off, for this alone: what is kept, and built upon, is whole.
    led = [given for given, _ in bench.mutator.said if given == case("new")]
    assert len(led) > len(bench.mutator.said) / 3
    assert bench.evolved == [credited] == [encode_case(case("new", "base"))]


def test_constants_that_are_not_to_be_said_send_nobody() -> None:
    bench = Bench(gates=(NEW,), says=False)
    bench.seed()
    bench.calm()
    for _ in range(200):
        bench.engine.mutate(SEEDS[0], MOST)
    assert bench.mutator.said == []


def test_without_feedback_the_node_is_not_asked_what_it_compares_with() -> None:
    bench = Bench(feedback=False, gates=(NEW,))
    bench.seed()
    bench.calm()
    for _ in range(200):
        bench.engine.mutate(SEEDS[0], MOST)
    assert bench.mutator.said == []


def test_a_costly_case_takes_fewer_turns_once_there_is_a_cheap_one() -> None:
    costly, cheap = stepwise(*["base"] * 12), case("base")
    bench = Bench()
    for _ in range(20):
        bench.engine.mutate(encode_case(costly), MOST)
    assert bench.mutator.given == [costly] * 20
    bench.engine.mutate(encode_case(cheap), MOST)
    for _ in range(20):
        bench.engine.mutate(encode_case(costly), MOST)
    assert bench.mutator.given[20:].count(cheap) > bench.mutator.given[20:].count(costly) > 0


def test_a_crossover_hands_out_credits_too() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(case("new"))
    assert bench.engine.cross(SEEDS[0], SEEDS[1], MOST) == encode_case(case("new"))
    crossed = bench.engine.cross(SEEDS[0], SEEDS[1], MOST)
    assert crossed == encode_case(Case(case("seed0", "base").steps + case("seed1", "base").steps))


def test_a_credit_that_libfuzzer_has_no_room_for_is_dropped() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(case("new", "x" * 500))
    assert b"plain" in bench.engine.mutate(SEEDS[0], 100)
    assert b"new" not in bench.engine.mutate(SEEDS[0], MOST)


def test_a_batch_without_news_is_not_played_again() -> None:
    bench = Bench()
    bench.seed()
    bench.batch()
    bench.batch(case("new"))
    bench.log.clear()
    bench.batch(case("new"))  # run the credit's turn and fifteen others
    bench.batch()
    assert [line for line in bench.log if line.startswith("play")] == ["play 16"]


def test_a_point_passed_more_often_than_ever_is_earned_too() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(case("loud", "base"))
    assert bench.engine.mutate(SEEDS[0], MOST) == encode_case(case("loud", "base"))


def test_without_feedback_only_the_seeds_steer_but_coverage_is_measured() -> None:
    bench = Bench(feedback=False)
    bench.engine.test_one(SEEDS[1])
    assert bench.counters.last == ((OWN + 1, 1),)
    bench.seed()
    bench.batch(case("new"))
    assert not bench.counters.last
    assert b"new" not in bench.engine.mutate(SEEDS[0], MOST)
    assert bench.evolved == []
    assert bench.engine.covered() == [0, 3]
    assert bench.engine.points_covered == 2


def test_without_an_agent_the_shapes_of_the_dialogues_are_the_features() -> None:
    bench = Bench(agent=False)
    bench.engine.test_one(SEEDS[0])
    own, shape = bench.counters.last
    assert own[0] > shape[0]
    assert bench.engine.points_covered == 1
    assert bench.engine.covered() == []


def test_an_alarm_is_investigated_before_the_batch_counts_as_judged() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(case("crash", "base"))
    assert bench.found[0].case == case("crash", "base")
    assert bench.log[:4] == ["begin", "play 16", "play 1", "found"]
    assert bench.log[-2:] == ["judged 4", "after"]


def test_each_case_counts_once_when_its_batch_is_judged() -> None:
    bench = Bench()
    bench.seed()
    counted: list[tuple[int, int]] = []
    plays = bench.engine._plays
    found = plays._found

    def finds(attributed: Attributed) -> None:
        counted.append((bench.engine.totals.cases, bench.judged_cases))
        found(attributed)

    plays._found = finds
    bench.batch(case("crash", "base"))
    assert set(counted) == {(3, 3)}, "those in flight are played again after a kill, and count then"

    assert bench.engine.totals.cases == bench.judged_cases == 3 + 16


def test_empty_and_damaged_input_of_libfuzzers_own_does_no_harm() -> None:
    bench = Bench()
    bench.engine.test_one(b"")
    assert bench.log == []
    bench.engine.test_one(b"IRISCASE")
    assert bench.rig.plays[-1][0] == (Case(()),)
    assert b"plain" in bench.engine.mutate(b"", MOST)


def test_a_costlier_case_is_credited_with_its_level_where_cost_is_maximised() -> None:
    bench = Bench(climb=True)
    bench.seed()
    bench.batch(case("busy", "base"))
    while not bench.evolved:  # some mutations are played alone, and the batch waits
        bench.engine.test_one(bench.engine.mutate(SEEDS[0], MOST))
    credited = bench.engine.mutate(SEEDS[0], MOST)
    assert credited == encode_case(case("busy", "base"))
    bench.engine.test_one(credited)
    levels = [index for index, _ in bench.counters.last if index >= OWN + len(SEEDS)]
    assert len(levels) == 1
    assert levels[0] < bench.counters.size
    assert bench.evolved == [credited]
    bench.mutator.next = [case("busier", "base"), case("busy", "base")]
    written = []
    for _ in range(2 * BATCH):
        bench.engine.test_one(bench.engine.mutate(SEEDS[0], MOST))
        written += bench.counters.last
    (higher,) = [index for index, _ in written if index >= OWN + len(SEEDS)]
    assert higher > levels[0]
    assert bench.evolved == [credited, encode_case(case("busier", "base"))]


def test_a_costlier_case_is_not_credited_where_nobody_asked_for_it() -> None:
    bench = Bench()
    bench.seed()
    bench.batch(case("busy", "base"))
    assert bench.counters.size == OWN + len(SEEDS)
    assert b"busy" not in bench.engine.mutate(SEEDS[0], MOST)
    assert bench.sizes() == [16, *SURVEYS]


def test_some_mutations_of_the_costliest_case_are_played_alone_and_the_batch_goes_on() -> None:
    bench = Bench(climb=True)
    bench.seed()
    bench.batch(case("busy", "base"))
    bench.engine.test_one(bench.engine.mutate(SEEDS[0], MOST))
    bench.log.clear()
    for _ in range(5 * BATCH):
        bench.engine.test_one(bench.engine.mutate(SEEDS[0], MOST))
    plays = [line for line in bench.log if line.startswith("play")]
    assert set(plays) == {"play 1", "play 16"}
    ascents = plays.count("play 1")
    assert 0 < ascents < 3 * BATCH
    # What waited before is in the first of them.
    assert 0 <= plays.count("play 16") - (5 * BATCH - ascents) // BATCH <= 1
    every = [data for batch in bench.begun for data in batch]
    assert len(set(every[-5 * BATCH // 2 :])) == 5 * BATCH // 2


def test_what_another_worker_has_earned_is_credited_here_and_not_kept_twice(
    tmp_path: Path,
) -> None:
    boards = [Board(tmp_path) for _ in range(2)]
    one, other = (Bench(board=board) for board in boards)
    for bench in (one, other):
        bench.seed()
    earning = case("new", "base")
    one.batch(earning)
    other.batch()
    played = len(other.rig.plays)
    credited = other.engine.mutate(SEEDS[0], MOST)
    assert credited == encode_case(earning)
    other.engine.test_one(credited)
    assert set(other.counters.last) == {(0, 1), (3, 1)}
    assert len(other.rig.plays) == played
    assert (other.evolved, other.heard, other.engine.totals.corpus) == ([], [credited], 0)
    # It has found the same by itself, too late: that is no news.
    other.log.clear()
    other.batch(earning, case("new"))
    assert other.sizes() == [16]
    assert (one.evolved, other.evolved) == ([credited], [])
    for board in boards:
        board.close()


def test_batches_are_larger_after_some_that_were_calm_and_smaller_again_after_news() -> None:
    bench = Bench()
    bench.seed()

    def sizes(cases: int) -> list[int]:
        bench.log.clear()
        for _ in range(cases):
            bench.engine.test_one(bench.engine.mutate(SEEDS[0], MOST))
        return bench.sizes()

    assert sizes(CALM_BATCHES * BATCH) == [BATCH, *SURVEYS, *[BATCH] * (CALM_BATCHES - 1)]
    assert sizes(2 * WIDE) == [WIDE, WIDE]
    bench.mutator.next = [case("new", "base")]
    assert sizes(WIDE)[0] == WIDE
    assert sizes(1 + BATCH)[-1] == BATCH  # one of them was handed out to be credited
