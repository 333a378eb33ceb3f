"""A reproducer runs with nothing but Python, and tells whether the effect has shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from fuzz.case import Case, Step, StepKind, Transport
from fuzz.finding import Cause, Finding, Kind
from fuzz.generate.seeds import SEEDS
from fuzz.report.reproducer import reproducer
from fuzz.report.standalone import run as standalone
from fuzz.report.standalone.wire import bound
from fuzz.target import EmbeddedTarget
from fuzz.target.base import Address
from fuzz.target.planted import planted_defects
from tests.planted.cluster_expectations import CLUSTER_EXPECTED
from tests.planted.decoder_cases import DECODER_CASES, DECODER_EXPECTED
from tests.planted.relation_expectations import RELATION_EXPECTED
from tests.planted.support import ANY, Bench, bench
from tests.planted.triggers import CASES

#: A play waits for five seconds at most for each thing that does not come.
SECONDS = 60.0
SHOWN, NOT_SHOWN, NO_SERVER, ON_THE_NODE = 0, 1, 2, 3

#: Kinds whose effect is looked for without anything from the evidence.
BY_KIND = (Kind.NODE_DOWN, Kind.APP_DOWN, Kind.LISTENER_RESTART, Kind.LEAK, Kind.COST)

_LEAK = "what grows inside the node changes nothing that a client sees"
GOLDEN = ("deprecated_told", "receipt_id_cut")
#: The defects that only the node tells of, or that only two plays do.
ON_THE_NODE_ONLY: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "atom_leak", "binary_leak", "ets_bytes", "ets_leak", "mailbox_stuck", "port_leak",
            "process_leak", "stuck_frame",
        ),
        _LEAK,
    ),
    **dict.fromkeys(RELATION_EXPECTED, "one play is right: it differs from that of a variant"),
    **dict.fromkeys(GOLDEN, "what was recorded is not in the file"),
    "decode_short": "what is half a frame is not answered, whatever the decoder says of it",
    "tls_goodbye": "a process crashes over the end that the client itself has made",
    "heap_killed": "a process of its own reads the key, and nobody waits for it",
    "plain_spawn": "a process of its own echoes, and nobody waits for it",
    "keys_later": "a process of the key store crashes when the client has long gone",
    "limiter_far": "a process of the limiter crashes, up to a second later",
    "core_crashes": "a process of another node crashes, and nobody waits for it",
}  # fmt: skip


@contextmanager
def serving(*plants: str, **options: str) -> Iterator[Address]:
    target = EmbeddedTarget(0, plants, options)
    try:
        yield target.start({})
    finally:
        target.stop()


@pytest.fixture(scope="module")
def kinds() -> dict[str, Kind]:
    return {defect.name: Kind(defect.kind) for defect in planted_defects()}


@pytest.fixture(scope="module")
def clean() -> Iterator[Address]:
    with serving() as address:
        yield address


@pytest.fixture(scope="module")
def guarded() -> Iterator[Address]:
    """A clean target that asks for tokens."""
    with serving(auth_enabled="true") as address:
        yield address


def run(
    case: Case, finding: Finding | Kind, folder: Path, address: Address, *more: str
) -> tuple[int, str]:
    """Write a reproducer and run it in an isolated Python; return its code and output."""
    if isinstance(finding, Kind):
        finding = Finding(finding, 'a "title" with \\ in it', Cause("what"))
    done = subprocess.run(
        command(case, finding, folder, address, *more),
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def command(case: Case, finding: Finding, folder: Path, address: Address, *more: str) -> list[str]:
    """Write a reproducer; return how it is run in an isolated Python."""
    file = folder / "reproduce.py"
    file.write_text(reproducer(case, finding))
    where = (address.host, str(address.port), "--ws-port", str(address.websocket_port))
    return [sys.executable, "-I", str(file), *where, *more]


def address_of(planted: Bench) -> Address:
    where = planted.rig.endpoint
    assert where.websocket_port is not None
    return Address(where.host, where.port, where.websocket_port, planted.rig.names.tokens.secret)


def further_edges(planted: Bench) -> tuple[str, ...]:
    further = planted.rig.endpoint.further
    return tuple(word for edge in further for word in ("--edge", str(edge.port)))


def with_secret(address: Address) -> tuple[str, ...]:
    return () if address.secret is None else ("--secret", address.secret.decode())


#: Of the defects whose reproducers look for the same thing in the same way, one will do: a LOGIN
#: that is to be refused, or let in, two plays that differ, a dialogue that is not answered as it
#: was, how many of a burst have passed.
LIKE_ANOTHER = frozenset(
    {"alg_other", "exp_text", "header_key", "kid_unknown", "nbf_ignored", "signature_optional"}
    | {"iat_ahead", "token_replayed", "every_other", "key_spent", "typist_shared", "receipt_id_cut"}
    | {"login_refills", "rate_per_connection", "refill_fast", "bucket_shared", "refused_counted"}
    # A connection that the server closed without a word, and what only the node tells.
    | {"deep_cbor", "heap_killed", "partial_header", "limit_exact", "login_switch", "server_opcode"}
    | {"group_after_leave", "receipt_known", "build_up", "links_spread"}
    | {"ws_interleaved", "ws_length"}
    | {"binary_leak", "ets_bytes", "ets_leak", "port_leak", "process_leak", "stuck_frame"}
    | {"node_atoms", "node_halt", "node_memory", "node_dump"}
    # What a decoder says when it is called directly.
    | (DECODER_CASES.keys() - {"decode_short"})
)


#: What shows only when somebody restarts the server.
RESTARTING = frozenset(name for name, (_, case) in CASES.items() if case.restarts())


@pytest.mark.parametrize("name", sorted(CASES.keys() - LIKE_ANOTHER - RESTARTING))
def test_the_effect_shows_with_the_defect_and_not_without(
    name: str, kinds: dict[str, Kind], clean: Address, guarded: Address, tmp_path: Path
) -> None:
    case = CASES[name][1]
    with bench(name, edges=2 if name in CLUSTER_EXPECTED else 0) as planted:
        # Of these, a reproducer wants to know no more than the kind, and judging takes long.
        finding = kinds[name] if kinds[name] in BY_KIND else planted.judge(case, _cause(name))[0]
        address = address_of(planted)
        over = ("--transport", planted.rig.endpoint.transport)
        more = (*with_secret(address), *further_edges(planted), *over)
        planted_code, planted_out = run(case, finding, tmp_path, address, *more)
    innocent = clean if address.secret is None else guarded
    code, out = run(case, finding, tmp_path, innocent, *with_secret(innocent))
    if name in ON_THE_NODE_ONLY:
        assert (planted_code, code) == (ON_THE_NODE, ON_THE_NODE), planted_out + out
        return
    assert (planted_code, "SHOWN: " in planted_out) == (SHOWN, True), planted_out
    assert (code, "NOT SHOWN: " in out) == (NOT_SHOWN, True), out


def _cause(name: str) -> Cause:
    """Return what has to be asked for to see a defect."""
    if name in DECODER_EXPECTED:
        return Cause("decoder", *DECODER_EXPECTED[name][:2])
    return Cause("relation", RELATION_EXPECTED[name][0]) if name in RELATION_EXPECTED else ANY


def with_restarts(target: Bench, case: Case, finding: Finding, folder: Path) -> tuple[int, str]:
    """Run a reproducer, and restart the server whenever it asks for that."""
    said = []
    with subprocess.Popen(
        command(case, finding, folder, address_of(target)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "restart the server now" in line:
                target.rig.recover()
                process.stdin.write("\n")
                process.stdin.flush()
        return process.wait(SECONDS), "".join(said)


def test_a_restart_is_asked_of_a_person(tmp_path: Path) -> None:
    case = CASES["restart_forgets"][1]
    with bench("restart_forgets") as planted:
        (finding,) = planted.judge(case)
        code, out = with_restarts(planted, case, finding, tmp_path)
        assert (code, "SHOWN: the message came 0 times" in out) == (SHOWN, True), out
    with bench() as innocent:
        code, out = with_restarts(innocent, case, finding, tmp_path)
        assert (code, "NOT SHOWN: the message came 1 times" in out) == (NOT_SHOWN, True), out


def test_a_restart_of_which_nobody_is_asked_is_not_played(clean: Address, tmp_path: Path) -> None:
    code, out = run(CASES["restart_forgets"][1], Kind.SEMANTIC, tmp_path, clean)
    assert (code, "nobody is there to do it" in out) == (NO_SERVER, True), out


def test_tokens_are_bound_and_websocket_is_spoken(clean: Address, tmp_path: Path) -> None:
    web = Step(StepKind.OPEN, 0, value=int(Transport.WEBSOCKET))
    chat = Case((web, *SEEDS["dialogue-group-chat"].steps))
    code, out = run(chat, Kind.SEMANTIC, tmp_path, clean)
    assert code == ON_THE_NODE
    assert "no such group" not in out
    assert b"LOGIN_OK".hex(" ") in out
    assert "<group:1>" not in out


def test_a_reproducer_comes_over_what_its_finding_came_over(tmp_path: Path) -> None:
    case = CASES["crash_alone"][1]
    with bench("crash_alone", transport="tls") as planted:
        address = address_of(planted)
        for transport in ("tls", "wss"):
            code, out = run(case, Kind.PROCESS_CRASH, tmp_path, address, "--transport", transport)
            assert (code, "SHOWN: " in out) == (SHOWN, True), out
        code, out = run(case, Kind.PROCESS_CRASH, tmp_path, address, "--transport", "tcp")
        assert code == NO_SERVER
    finding = Finding(Kind.PROCESS_CRASH, "it crashed", Cause("what"))
    assert "over wss if --transport" in reproducer(case, finding, transport="wss")


def test_a_leak_is_played_many_times_and_its_resource_is_named(
    clean: Address, tmp_path: Path
) -> None:
    leak = Finding(Kind.LEAK, "atoms grow by 1.0 with each play", Cause("leak", "atoms"))
    code, out = run(CASES["atom_leak"][1], leak, tmp_path, clean)
    assert code == ON_THE_NODE
    assert f"{standalone.LEAK_PLAYS} times. Only the node tells: atoms grow by 1.0" in out


@pytest.mark.parametrize("kind", Kind)
def test_a_server_that_was_never_there_has_not_gone_down(kind: Kind, tmp_path: Path) -> None:
    with serving() as address:
        pass
    code, out = run(CASES["crash_alone"][1], kind, tmp_path, address)
    assert (code, "no server answers" in out) == (NO_SERVER, True)


def test_a_secret_that_is_needed_is_asked_for(
    clean: Address, guarded: Address, tmp_path: Path
) -> None:
    case = CASES["alg_none"][1]
    auth = Finding(Kind.SEMANTIC, "", Cause("auth"), {"wire": {"check": "login", "connection": 0}})
    for address, more, said in (
        (clean, (), "the effect needs the secret"),
        (clean, ("--secret", "sesame"), "asks for no tokens"),
        (guarded, (), "refuses the LOGIN"),
        (guarded, ("--secret", "sesame"), "refuses the LOGIN"),
    ):
        code, out = run(case, auth, tmp_path, address, *more)
        assert (code, said in out) == (NO_SERVER, True), out


def test_a_host_elsewhere_is_refused(tmp_path: Path) -> None:
    elsewhere = Address("192.0.2.1", 8085, 8086)
    code, out = run(CASES["crash_alone"][1], Kind.PROCESS_CRASH, tmp_path, elsewhere)
    assert (code, "--allow-host" in out) == (NO_SERVER, True)


def test_the_same_tokens_and_lengths_are_bound_as_by_the_harness() -> None:
    values = {b"<user:A>": b"abcdefgh", b"<group:1>": b"0123456789abcdef"}
    data = b"\x35\x00\x09<group:1>\x05\x00\x08<user:A>\x00\x05<user:A>"
    right = b"\x35\x00\x100123456789abcdef\x05\x00\x08abcdefgh\x00\x05abcdefgh"
    assert bound(data, values) == right
