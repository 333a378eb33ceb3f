"""The agent calls decoders, whatever these do."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.beam import FakeAgent
from fuzz.beam.agent import MAX_INPUT_BYTES, Agent
from fuzz.decoding import Candidates, Decoder, Ended, Outcome, Shape
from fuzz.errors import AgentError
from tests.beam.nodes import AgentNode

DECODE = Decoder("fixture_decode", "decode")
#: Long enough for a machine that is busy, where a process must not be taken for one that loops.
SECONDS = 30.0
#: For one that loops, which is to be sat out twice.
LOOP_SECONDS = 1.0


def outcomes(agent: Agent, *inputs: bytes, seconds: float = SECONDS) -> list[Outcome]:
    return [outcome for outcome, _ in agent.decode(DECODE, inputs, seconds).outcomes()]


def returned(text: str, *values: int) -> Outcome:
    return Outcome(Shape(Ended.RETURNED, text, len(values)), values)


def test_what_is_returned_is_told_by_its_shape_and_its_sizes(node: AgentNode) -> None:
    assert outcomes(node.agent, b"o", b"m", b"oxyz", b"d", b"w") == [
        returned("{ok,{frame,<binary>,<number>},<binary>}", 3, 7, 0),
        returned("more"),
        returned("{ok,{frame,<binary>,<number>},<binary>}", 3, 7, 3),
        returned(
            "{a,[{b,<binary>}|...],<list>,<number>,<number>,#{k},[]}", 1, 0xFFFFFFFF, 0xFFFFFFFF
        ),
        returned("{" + ",".join(["<number>"] * 8) + ",...}", *range(1, 9)),
    ]


def test_what_is_raised_is_told_with_its_stack(node: AgentNode) -> None:
    error, thrown, clause = outcomes(node.agent, b"e", b"t", b"?")
    assert error.shape.ended is thrown.shape.ended is clause.shape.ended is Ended.RAISED
    assert error.shape.text == "error:{bad,<binary>,<number>}"
    assert thrown.shape.text == "throw:out"
    assert clause.shape.text == "error:function_clause"
    assert clause.shape.frames == ("fixture_decode:decode/1",)


@pytest.mark.parametrize(
    ("killer", "ended", "text"),
    [(b"x", Ended.KILLED, "killed"), (b"h", Ended.KILLED, "killed"), (b"l", Ended.LOOPED, "")],
)
def test_what_ends_the_process_ends_the_outcomes(
    node: AgentNode, killer: bytes, ended: Ended, text: str
) -> None:
    for before in ([], [b"m", b"o1"]):
        seconds = LOOP_SECONDS if ended is Ended.LOOPED else SECONDS
        batch = outcomes(node.agent, *before, killer, b"m", seconds=seconds)
        assert batch[:-1] == outcomes(node.agent, *before)
        assert batch[-1] == Outcome(Shape(ended, text))
    reading = node.agent.settle(5)
    assert reading.quiet
    assert reading.events == ()  # the node has nothing to report of it


def test_each_batch_has_a_fresh_process(node: AgentNode) -> None:
    *_, dirty = outcomes(node.agent, b"p1", b"c")
    (clean,) = outcomes(node.agent, b"c")
    assert (dirty.shape.text, clean.shape.text) == ("[{<binary>,<binary>}]", "[]")


def test_coverage_is_told_for_each_input(node: AgentNode) -> None:
    points = node.agent.instrument(["fixture*"], ["fixture_ctl", "fixture_snapshot"]).points
    batch = node.agent.decode(DECODE, [b"o", b"m", b"oo", b"?"], SECONDS)
    sets = [coverage for _, coverage in batch.outcomes()]
    assert sets[0] == sets[2] != sets[1]
    hit = [[int.from_bytes(one[at : at + 3], "big") for at in range(0, len(one), 4)]
           for one in sets]  # fmt: skip
    lines = [{points[index].line for index in one} for one in hit]
    assert len(lines[0] ^ lines[1]) == 2  # a clause each
    assert lines[3] < lines[0]
    assert node.agent.read().hits() == ()


def test_a_decoder_is_looked_for(node: AgentNode) -> None:
    agent = node.agent
    others = ("fixture_decode:decode/1", "fixture_decode:parse_frame/1")
    assert agent.find_decoder(DECODE) == Candidates(True, (1, 2), others)
    assert agent.find_decoder(Decoder("fixture_decode", "encode")) == Candidates(True, (), others)
    assert agent.find_decoder(Decoder("no_such", "decode")) == Candidates(False, (), others)
    for name in (Decoder("fixture_decode", "encode"), Decoder("no_such_module", "no_such")):
        with pytest.raises(AgentError, match="no decoder of that name"):
            agent.decode(name, [b"x"])
    assert agent.quiet()


_MODULE = """-module({name}).
-export([{function}/1]).
-on_load(born/0).
born() -> persistent_term:put({name}, born).
{function}(Input) -> Input.
"""


def test_what_is_only_looked_at_is_not_loaded(own_node: AgentNode, tmp_path: Path) -> None:
    modules = {"unseen_first": "decode", "unseen_second": "parse"}
    for name, function in modules.items():
        source = tmp_path / f"{name}.erl"
        source.write_text(_MODULE.format(name=name, function=function))
        compiled = own_node.eval(f'compile:file("{source}", [{{outdir, "{tmp_path}"}}])')
        assert compiled == f"{{ok,{name}}}"
    names = ", ".join(modules)
    (tmp_path / "unseen.app").write_text(
        f'{{application, unseen, [{{vsn, "1"}}, {{modules, [{names}]}}, {{applications, []}}]}}.\n'
    )
    own_node.eval(f'code:add_patha("{tmp_path}")')
    assert own_node.eval("application:start(unseen)") == "ok"
    loaded = f"[M || M <- [{names}], persistent_term:get(M, none) =:= born]"
    first = Decoder("unseen_first", "decode")
    found = own_node.agent.find_decoder(first)
    assert (found.known, found.arities) == (True, (1,))
    assert {"unseen_first:decode/1", "unseen_second:parse/1"} <= set(found.others)
    assert own_node.eval(loaded) == "[]"
    own_node.agent.decode(first, [b"x"], SECONDS)
    assert own_node.eval(loaded) == "[unseen_first]"


def test_more_than_a_request_may_hold_is_left_for_the_next(node: AgentNode) -> None:
    half = b"o" + bytes(MAX_INPUT_BYTES // 2)
    assert len(outcomes(node.agent, half, half, half)) == 1
    with pytest.raises(AgentError, match="too large for the agent"):
        node.agent.decode(DECODE, [half * 2])
    assert len(outcomes(node.agent, b"m")) == 1


def test_the_stand_in_does_the_same() -> None:
    agent = FakeAgent()
    agent.decoders[DECODE] = lambda data: (
        (Outcome(Shape(Ended.LOOPED, "")), b"")
        if data == b"l"
        else (returned("{ok,<binary>}", len(data)), data)
    )
    batch = agent.decode(DECODE, [b"a", b"bc", b"l", b"m"])
    assert list(batch.outcomes()) == [
        (returned("{ok,<binary>}", 1), b"a"),
        (returned("{ok,<binary>}", 2), b"bc"),
        (Outcome(Shape(Ended.LOOPED, "")), b""),
    ]
    assert agent.find_decoder(DECODE).arities == (1,)
    with pytest.raises(AgentError, match="no decoder of that name"):
        agent.decode(Decoder("a", "b"), [b""])
