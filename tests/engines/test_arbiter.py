"""What disagrees is told once, and again where it is shorter; all else is counted."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.beam import FakeAgent
from fuzz.decoding import DEFAULT, Decoder, Ended, Outcome, Shape
from fuzz.engines.arbiter import Arbiter, Shown
from grammar import GetStatus, TypingStart, encode

DECODER = Decoder("iris", "decode")
MORE = Outcome(Shape(Ended.RETURNED, "more"))
STATUS, TYPING = encode(GetStatus(b"bob")), encode(TypingStart(b"bob"))


class Case:
    """An arbiter over a decoder that a test makes up."""

    def __init__(
        self,
        decoder: Callable[[bytes], Outcome],
        alone: Callable[[bytes], Outcome] | None = None,
    ) -> None:
        self.told: list[Shown] = []
        self._agent = FakeAgent()
        self._agent.decoders[DECODER] = lambda data: (decoder(data), b"")
        self.arbiter = Arbiter(DECODER, DEFAULT, alone or decoder, self.told.append)

    def judge(self, *inputs: bytes) -> list[Shown]:
        """Return what is told of these inputs."""
        before = len(self.told)
        self.arbiter.judge(inputs, self._agent.decode(DECODER, inputs))
        return self.told[before:]


def test_a_disagreement_is_told_once_and_then_counted() -> None:
    case = Case(lambda _: MORE)
    (shown,) = case.judge(STATUS, STATUS + b"x", STATUS[:-1], STATUS)
    assert (shown.inputs, shown.reproduced, shown.plays) == ((STATUS,), 3, 3)
    assert shown.finding.evidence["call"] == (
        "iris:decode(<<16#05,16#00,16#03,16#62,16#6F,16#62>>)."
    )
    assert case.judge(STATUS) == []
    assert case.arbiter.hits == {shown.finding.fingerprint: 4}


def test_shorter_bytes_are_told_and_longer_are_not() -> None:
    case = Case(lambda _: MORE)
    short = encode(GetStatus(b""))
    first, second = case.judge(STATUS, STATUS + b"xx", short, STATUS)
    assert (first.inputs, second.inputs) == ((STATUS,), (short,))
    assert first.finding.fingerprint == second.finding.fingerprint
    assert (second.reproduced, second.plays) == (1, 1)


def test_each_frame_and_each_way_to_be_wrong_is_a_finding_of_its_own() -> None:
    def decode(data: bytes) -> Outcome:
        if data[0] == 0x70:
            return MORE
        return Outcome(Shape(Ended.RETURNED, "{error,<binary>}", 1), (5,))

    case = Case(decode)
    told = case.judge(STATUS, TYPING, STATUS[:-1], b"\x08")
    assert len({shown.finding.fingerprint for shown in told}) == len(told) == 3


def test_what_raises_is_known_by_its_stack() -> None:
    def decode(data: bytes) -> Outcome:
        frames = ("iris:short/1",) if len(data) < 5 else ("iris:long/1",)
        return Outcome(Shape(Ended.RAISED, "error:function_clause", 0, frames))

    case = Case(decode)
    told = case.judge(STATUS, TYPING, STATUS[:4], TYPING[:3], b"\x08")
    by_stack = {shown.finding.cause.frames for shown in told}
    assert by_stack == {("iris:long/1",), ("iris:short/1",)}
    assert len({shown.finding.fingerprint for shown in told}) == 2


def test_what_is_slow_only_once_is_no_finding() -> None:
    looped = Outcome(Shape(Ended.LOOPED, ""))
    well = Outcome(Shape(Ended.RETURNED, "{ok,{get_status,<binary>},<binary>}", 2), (3, 0))
    case = Case(lambda _: looped, lambda _: well)
    assert case.judge(STATUS) == []
    assert not case.arbiter.loops
    really = Case(lambda _: looped)
    (shown,) = really.judge(STATUS)
    assert (shown.finding.kind, shown.reproduced) == ("hang", 1)
    assert really.arbiter.loops


def test_what_does_not_come_back_is_told_with_its_rate() -> None:
    well = Outcome(Shape(Ended.RETURNED, "{ok,{get_status,<binary>},<binary>}", 2), (3, 0))
    case = Case(lambda _: MORE, lambda _: well)
    (shown,) = case.judge(STATUS)
    assert (shown.reproduced, shown.plays) == (0, 3)
