"""Which files of a folder are inputs, what they are, and what becomes of each."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from unittest import mock

import dpkt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.case import (
    MAX_FILE_BYTES,
    MAX_STEPS,
    MSGID_TOKEN,
    USER_TOKENS,
    Case,
    StepKind,
    decode_case,
    encode_case,
    raw_case,
)
from fuzz.errors import CaseFileError
from fuzz.executor.names import Names
from fuzz.formats import aflnet
from fuzz.formats.exporting import ExportFormat, exported
from fuzz.formats.importing import Format, Imported, Importer, Source, sources
from fuzz.formats.spoken import spoken
from fuzz.generate.seeds import SEEDS
from grammar import Ack, GetStatus, ReliableMsg, encode
from tests.formats.support import SYN, captured, tcp, whole

A, B = USER_TOKENS[:2]
STATUS = encode(GetStatus(b"x"))
REPLAY = aflnet.written([b"\x01alice", encode(GetStatus(b"alice"))])
IMPORTER = Importer((8085,))


def files(root: Path, **contents: bytes) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (root / name).write_bytes(data)
    return root


def read(path: Path, kind: Format = Format.AUTO, importer: Importer = IMPORTER) -> list[Imported]:
    return [importer.read(source) for source in sources([path], kind)]


def only(path: Path, kind: Format = Format.AUTO, importer: Importer = IMPORTER) -> Case:
    ((case,),) = [imported.cases for imported in read(path, kind, importer)]
    return case


def test_a_file_is_what_it_looks_like(tmp_path: Path) -> None:
    ours = encode_case(SEEDS["op-05-get-status"])
    folder = files(tmp_path / "in", payload=STATUS, replay=REPLAY, ours=ours)
    captured(folder, *whole(b"\x01alice"))
    (folder / "payload.json").write_text("{}")
    (folder / ".hidden").write_bytes(b"x")
    capture, own, payload, replay = read(folder)
    assert own.cases == (SEEDS["op-05-get-status"],)
    assert [step.data for step in capture.cases[0].steps] == [A]
    assert payload.cases == (raw_case(STATUS),)
    assert [one.cases[0].raw for one in (capture, own, payload, replay)] == [0, 0, 1, 0]
    assert [step.data for step in replay.cases[0].steps] == [A, b"\x05\x00\x08" + A]


def test_names_stay_if_that_is_asked_for(tmp_path: Path) -> None:
    folder = files(tmp_path, replay=REPLAY)
    literal = only(folder / "replay", importer=Importer((8085,), literal=True))
    assert [step.data for step in literal.steps] == [b"alice", encode(GetStatus(b"alice"))]
    capture = only(captured(tmp_path, *whole(b"\x01alice")), Format.PCAP, Importer((8085,), True))
    assert capture.steps[0].data == b"alice"


def test_a_format_that_is_named_is_believed(tmp_path: Path) -> None:
    path = files(tmp_path, replay=REPLAY, payload=STATUS) / "replay"
    assert only(path, Format.RAW) == raw_case(REPLAY)
    (imported,) = read(tmp_path / "payload", Format.AFLNET)
    assert (imported.cases, "only" in imported.why) == ((), True)
    (imported,) = read(tmp_path / "payload", Format.PCAP)
    assert imported.why == "it is no capture: neither pcap nor pcapng begins like this"


@pytest.mark.parametrize("instance", ["", "default", "fuzzer01"])
def test_the_inputs_of_afl_are_found(tmp_path: Path, instance: str) -> None:
    out = tmp_path / "out" / instance
    files(out / "queue", id_0=STATUS)
    files(out / "queue" / ".state" / "deterministic_done", id_0=b"")
    files(out / "crashes", **{"id_1": STATUS * 2, "README.txt": b"Command line used..."})
    files(out / "hangs")
    files(out, fuzzer_stats=b"start_time : 1", **{".cur_input": b"x"})
    found = [source.path.name for source in sources([tmp_path / "out"], Format.AUTO)]
    assert found == ["id_1", "id_0"]
    assert [one.path for one in sources([out / "queue"], Format.AUTO)] == [out / "queue" / "id_0"]


def test_messages_of_aflnet_are_taken_in_the_place_of_what_lost_their_ends(tmp_path: Path) -> None:
    out = tmp_path / "out"
    files(out / "queue", id_0=b"\x01alice" + STATUS)
    files(out / "replayable-queue", id_0=REPLAY)
    files(out / "replayable-crashes", **{"id_1": REPLAY, "README.txt": b"x"})
    found = list(sources([out], Format.AUTO))
    assert [source.path.parent.name for source in found] == [
        "replayable-crashes",
        "replayable-queue",
    ]
    assert IMPORTER.read(found[0]).cases[0].steps[0].kind is StepKind.LOGIN


def test_a_folder_of_libfuzzer_holds_payloads_and_nothing_else(tmp_path: Path) -> None:
    folder = files(tmp_path / "corpus", a=REPLAY, b=encode_case(SEEDS["op-01-login"]))
    first, second = read(folder, Format.LIBFUZZER)
    assert first.cases == (raw_case(REPLAY),)
    assert second.cases == (SEEDS["op-01-login"],)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is empty"),
        (b"x" * (MAX_FILE_BYTES + 1), f"longer than a case may be, {MAX_FILE_BYTES} bytes"),
        (encode_case(SEEDS["op-01-login"])[:-1], "damaged or cut short"),
        (b"\xd4\xc3\xb2\xa1", "cut short"),
    ],
)
def test_what_cannot_be_read_is_told_and_no_error(tmp_path: Path, data: bytes, why: str) -> None:
    (imported,) = read(files(tmp_path, bad=data) / "bad")
    assert imported.cases == ()
    assert why in imported.why


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        (Format.RAW, b"x" * MAX_FILE_BYTES, f"at most {MAX_FILE_BYTES} are played"),
        (Format.AFLNET, aflnet.written([b"x" * (MAX_FILE_BYTES - 4)]), f"at most {MAX_FILE_BYTES}"),
        (Format.AFLNET, aflnet.written([b"<msgid:1>"] * MAX_STEPS), f"at most {MAX_STEPS} are"),
    ],
)
def test_what_would_be_no_case_any_more_is_not_taken(
    tmp_path: Path, kind: Format, data: bytes, why: str
) -> None:
    (imported,) = read(files(tmp_path, bad=data) / "bad", kind)
    assert imported.cases == ()
    assert why in imported.why


def test_a_capture_with_many_acks_becomes_cases_that_can_be_played(tmp_path: Path) -> None:
    def client(port: int) -> list[dpkt.tcp.TCP]:
        given = encode(ReliableMsg(b"number-1", b"x"))
        acks = [encode(Ack(b"number-1"))] * 300
        return [
            tcp(flags=SYN, client=port),
            tcp(b"\x01alice", client=port),
            tcp(given, client=port, down=True),
            *(tcp(ack, 6 + n * len(ack), client=port) for n, ack in enumerate(acks)),
        ]

    (imported,) = read(captured(tmp_path, *client(1_000), *client(2_000)))
    assert [len(case.connections()) for case in imported.cases] == [1, 1]
    for case in imported.cases:
        assert [step.data for step in case.steps].count(b"\x03" + MSGID_TOKEN) == 300
        assert decode_case(encode_case(case)) == case


def test_a_path_that_is_missing_and_a_folder_without_inputs_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError, match="nowhere does not exist"):
        list(sources([tmp_path / "nowhere"], Format.AUTO))
    with pytest.raises(CaseFileError, match="holds nothing to import"):
        list(sources([files(tmp_path / "empty")], Format.AUTO))


def test_a_file_that_is_gone_meanwhile_is_told(tmp_path: Path) -> None:
    imported = IMPORTER.read(Source(tmp_path / "gone", Format.RAW))
    assert imported.why == "it cannot be read: No such file or directory"


def _sound(name: str) -> bytes:
    # The keys and masks of WebSocket are the same in each run.
    with mock.patch("os.urandom", random.Random(0).randbytes):
        said = spoken(SEEDS[name], Names(7))
    return exported(SEEDS[name], said, ExportFormat.PCAP, [8085], 0.0)


_SOUND = tuple(map(_sound, ("dialogue-websocket", "dialogue-e2ee", "op-33-group-msg")))


@settings(max_examples=150)
@given(st.sampled_from(_SOUND), st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255))))
def test_whatever_a_capture_holds_what_comes_of_it_is_playable(
    sound: bytes, damage: list[tuple[int, int]]
) -> None:
    data = bytearray(sound)
    for at, value in damage:
        data[24 + at % (len(data) - 24)] = value
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        imported = IMPORTER.read(Source(Path(file.name), Format.PCAP))
    assert bool(imported.why) is not bool(imported.cases)
    for case in imported.cases:
        assert decode_case(encode_case(case)).steps == case.steps
