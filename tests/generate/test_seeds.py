"""The seed corpus: what is committed is what is generated, and it is correct use."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from fuzz.case import (
    GROUP_TOKEN,
    MSGID_TOKEN,
    USER_TOKENS,
    Case,
    StepKind,
    Transport,
    encode_case,
    read_case,
)
from fuzz.generate.envelopes import UPGRADE, envelopes_in
from fuzz.generate.seeds import SEEDS, main
from grammar import ClientOpcode, Direction, Frame, Stream, UnknownFrame

FOLDER = Path(__file__).parents[2] / "corpus" / "seeds"


def frames_of(case: Case) -> list[Frame]:
    """Return what each connection's stream decodes to; fail where bytes are left over."""
    streams: dict[int, Stream] = defaultdict(lambda: Stream(Direction.CLIENT))
    frames: list[Frame] = []
    for step in case.steps:
        if step.kind is StepKind.SEND:
            frames += streams[step.connection].feed(step.data)
    assert all(stream.pending == 0 for stream in streams.values())
    return frames


def test_the_files_are_what_is_generated(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "fuzz.generate.seeds", str(tmp_path / "s")]
    run = subprocess.run(command, cwd=FOLDER.parents[1], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    generated = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    committed = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert committed == generated
    assert set(committed) == set(SEEDS)


#: Those that do their own framing: what they send is frames of WebSocket.
FRAMED = {
    name
    for name, case in SEEDS.items()
    if any(s.kind is StepKind.OPEN and s.transport is Transport.WEBSOCKET_RAW for s in case.steps)
}


@pytest.mark.parametrize("name", sorted(SEEDS.keys() - FRAMED))
def test_a_seed_decodes_to_well_formed_frames(name: str) -> None:
    case = read_case(FOLDER / name)
    assert case == SEEDS[name]
    assert not any(isinstance(frame, UnknownFrame) for frame in frames_of(case))


@pytest.mark.parametrize("name", sorted(FRAMED))
def test_a_seed_with_its_own_framing_is_an_upgrade_and_sound_frames(name: str) -> None:
    case = read_case(FOLDER / name)
    assert case == SEEDS[name]
    request, *segments = (step for step in case.steps if step.kind is StepKind.SEND)
    assert request.data == UPGRADE
    said = [one for step in segments for one in envelopes_in(step)]
    assert len(said) == len(segments)
    assert all(one.key is not None and not one.reserved and one.width is None for one in said)


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_token_is_used_only_after_a_wait(name: str) -> None:
    waited = False
    for step in SEEDS[name].steps:
        waited |= step.kind is StepKind.WAIT
        if GROUP_TOKEN in step.data or MSGID_TOKEN in step.data:
            assert waited


@pytest.mark.parametrize("name", sorted(SEEDS))
def test_a_token_is_whole_in_its_segment(name: str) -> None:
    joined: dict[int, bytes] = defaultdict(bytes)
    for step in SEEDS[name].steps:
        joined[step.connection] += step.data
    for token in (*USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN):
        apart = sum(step.data.count(token) for step in SEEDS[name].steps)
        assert apart == sum(data.count(token) for data in joined.values())


@pytest.mark.parametrize("opcode", list(ClientOpcode))
def test_each_opcode_has_a_seed_of_its_name(opcode: ClientOpcode) -> None:
    case = SEEDS[f"op-{opcode:02x}-{opcode.name.lower().replace('_', '-')}"]
    assert opcode in [getattr(frame, "opcode", None) for frame in frames_of(case)]


def test_seeds_are_small() -> None:
    sizes = {name: len(encode_case(case)) for name, case in SEEDS.items()}
    floods = ("rate-limit", "batch-burst", "rate-two-connections", "rate-login-again")
    bursts = {f"dialogue-{name}" for name in floods}
    assert max(size for name, size in sizes.items() if name not in bursts) < 1_024
    assert max(sizes[name] for name in bursts) < 10_000


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: python -m fuzz.generate.seeds FOLDER\n"
    file = tmp_path / "file"
    file.write_text("x")
    assert main([str(file)]) == 2
    assert capsys.readouterr().err == f"{file}: the seeds cannot be written: File exists\n"
