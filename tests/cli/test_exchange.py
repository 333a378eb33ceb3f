"""``import`` and ``export`` at the command line."""

from __future__ import annotations

from pathlib import Path

import dpkt

from fuzz.case import USER_TOKENS, Case, Step, StepKind, encode_case, opening, read_case
from fuzz.cli.options import SHIPPED_CORPUS
from fuzz.formats import aflnet
from fuzz.generate.seeds import SEEDS
from tests.cli.support import Run

SEED = SHIPPED_CORPUS / "seeds"


def test_a_played_capture_has_the_answers_and_comes_back(run: Run, tmp_path: Path) -> None:
    names = ("op-33-group-msg", "op-03-ack", "dialogue-websocket", "dialogue-reset-before-ack")
    captures = tmp_path / "captures"
    files = [SEED / name for name in names]
    ran = run("export", *files, "--format", "pcap", "--to", captures, "--play", "--port", 0)
    assert ran.code == 0, ran.out
    assert ran.out == f"4 of 4 written to {captures}\n"
    for name in names:
        written = (captures / f"{name}.pcap").read_bytes()
        assert not any(token in written for token in (b"<user:", b"<group:", b"<msgid:"))

        back = tmp_path / f"back-{name}"
        ran = run("import", captures / f"{name}.pcap", "--to", back)
        assert ran.code == 0
        assert "1 of 1 files were read; 1 cases are new in" in ran.out
        (path,) = back.iterdir()
        seen, sent = (
            [s for s in case.steps if s.kind not in (StepKind.WAIT, StepKind.PAUSE)]
            for case in (read_case(path), SEEDS[name])
        )
        assert seen == sent


def test_a_case_that_ends_the_server_is_written_as_far_as_it_went(run: Run, tmp_path: Path) -> None:
    harm = tmp_path / "cases"
    harm.mkdir()
    steps = (Step(StepKind.LOGIN, 0, USER_TOKENS[0]), Step(StepKind.SEND, 0, b"\x70\0\0"))
    (harm / "harm").write_bytes(encode_case(Case(steps)))
    (harm / "well").write_bytes(encode_case(SEEDS["op-05-get-status"]))
    to = tmp_path / "to"
    plant = ("--plant", "crash_cascades", "--port", 0)

    ran = run("export", harm, "--format", "pcap", "--to", to, "--play", *plant)

    assert ran.code == 0, ran.err
    assert ran.out.startswith("it shows listener_restart: ")
    assert ran.out.endswith(f"2 of 2 written to {to}\n")
    assert run("import", to / "harm.pcap", "--to", tmp_path / "back").code == 0
    (back,) = (tmp_path / "back").iterdir()
    assert read_case(back).steps == steps


def test_an_import_tells_of_each_file_what_became_of_it(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "ours").write_bytes(encode_case(SEEDS["op-01-login"]))
    (source / "again").write_bytes(encode_case(SEEDS["op-01-login"]))
    (source / "replay").write_bytes(aflnet.written([b"\x01alice", b"\x05\0\0"]))
    (source / "empty").touch()
    (source / "huge.pcap").write_bytes(b"\xd4\xc3\xb2\xa1" + b"\xff" * 60)
    to = tmp_path / "to"

    ran = run("import", source, "--to", to)

    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == f"{source / 'empty'} is not read: it is empty"
    assert lines[1].startswith(f"{source / 'huge.pcap'} is not read: the capture is damaged: ")
    assert lines[2:] == [f"3 of 5 files were read; 2 cases are new in {to}, 1 are alike others"]
    assert len(list(to.iterdir())) == 2
    assert run("import", source / "empty", "--to", to).code == 2


def test_export_without_a_play_writes_what_clients_send(run: Run, tmp_path: Path) -> None:
    ran = run("export", SEED / "op-03-ack", "--format", "aflnet", "--to", tmp_path / "one")
    assert ran.code == 1
    assert "op-03-ack is not written: it has 2 connections" in ran.out
    ran = run(
        "export", SEED / "op-20-upload-prekeys", "--format", "aflnet", "--to", tmp_path / "one"
    )
    assert ran.code == 0
    assert len(aflnet.messages((tmp_path / "one").read_bytes())) >= 2
    ran = run("export", SEED / "op-03-ack", "--format", "pcap", "--to", tmp_path / "two")
    assert "only a server gives a value to <msgid:1>: see --play" in ran.out


def test_bad_paths_are_one_sentence(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    ran = run("export", SEED, "--format", "raw", "--to", file)
    assert (ran.code, "is a file, and there are" in ran.sentence()) == (2, True)
    ran = run("export", tmp_path / "none", "--format", "raw", "--to", tmp_path / "x")
    assert (ran.code, "none does not exist" in ran.sentence()) == (2, True)
    ran = run("import", tmp_path / "none", "--to", tmp_path / "x")
    assert (ran.code, "none does not exist" in ran.sentence()) == (2, True)


def test_ports_that_are_made_up_are_ports(run: Run, tmp_path: Path) -> None:
    case = Case(tuple(opening(edge, edge=edge) for edge in (0, 14, 15)))
    source, to = tmp_path / "case", tmp_path / "pcap"
    source.write_bytes(encode_case(case))
    for target in (
        ("--port", 65_530),
        ("--target", "127.0.0.1:65520"),
        ("--target", "127.0.0.1:65535", "--edge", 8086),
    ):
        assert run("export", source, "--format", "pcap", "--to", to, *target).code == 0
        with to.open("rb") as file:
            sent = [dpkt.ethernet.Ethernet(data).data.data for _, data in dpkt.pcap.Reader(file)]
        assert len({tcp.dport for tcp in sent if tcp.flags == dpkt.tcp.TH_SYN}) == 3


def test_behind_the_last_port_is_none_for_websocket(run: Run, tmp_path: Path) -> None:
    ran = run(
        "export", SEED / "dialogue-websocket", "--format", "pcap", "--to", tmp_path / "pcap",
        "--target", "127.0.0.1:65535",
    )  # fmt: skip
    assert ran.code == 1
    assert "is not written: it comes over WebSocket, and no port is behind 65535" in ran.out
