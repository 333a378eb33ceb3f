"""The same case over TCP, TLS and WebSocket: what it shows, what is heard, and who is beside it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from fuzz.case import USER_TOKENS, Case, Step, StepKind, Transport
from fuzz.clock import SystemClock
from fuzz.errors import TargetError
from fuzz.executor import Executor, Names
from fuzz.executor.endpoint import CONFIRMING
from fuzz.generate.mutate import Mutator
from fuzz.generate.seeds import SEEDS
from fuzz.greeting import greet
from fuzz.heard import normalised
from fuzz.observation import Ending, Observation
from fuzz.oracles.laws import judge_laws
from fuzz.rig import Rig
from fuzz.settings import TRANSPORTS, TargetSettings, TlsSettings
from fuzz.target.attached import AttachedTarget
from fuzz.target.choose import choose_target
from fuzz.tls import client_tls
from grammar import Direction, Stream
from grammar.errors import GrammarError
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.support import Bench, bench
from tests.planted.triggers import CASES
from tests.target.reference_support import REPLY_SECONDS, ReferenceNode

#: Of sixteen cases: enough to meet each operation of the mutator, within a few seconds.
BATCHES = 20


@dataclass(frozen=True, slots=True)
class Ground:
    """A clean target, and what plays over one of its transports."""

    found: Bench
    executor: Executor

    def play(self, cases: Sequence[Case]) -> list[Observation]:
        return self.executor.play(cases, CONFIRMING)


@pytest.fixture(scope="module")
def clean() -> Iterator[Mapping[str, Ground]]:
    """A ground for each transport, on two clean targets: one speaks TLS."""
    with bench() as plain, bench(transport="tls") as secure:
        grounds = {}
        for name, (tls, websocket) in TRANSPORTS.items():
            found = secure if tls else plain
            rig, usual = found.rig, Transport.WEBSOCKET if websocket else Transport.TCP
            endpoint = replace(rig.endpoint, usual=usual)
            assert endpoint.transport == name
            grounds[name] = Ground(found, Executor(endpoint, rig.barrier, rig.names, rig.clock))
        yield grounds


def is_plain(case: Case) -> bool:
    """Tell whether a case leaves open how it comes, and means the same however it does.

    Over a WebSocket each message is whole frames, so a segment that ends within one is another
    case there.
    """
    for step in case.steps:
        if step.kind is StepKind.OPEN:
            return False
        if step.kind is StepKind.SEND:
            stream = Stream(Direction.CLIENT)
            try:
                stream.feed(step.data)
            except GrammarError:
                return False
            if stream.pending:
                return False
    return True


PLAIN = sorted(name for name, case in SEEDS.items() if is_plain(case))


def test_nearly_all_seeds_leave_open_how_they_come() -> None:
    others = set(SEEDS) - set(PLAIN)
    assert {name for name in others if "websocket" not in name} == {"dialogue-split-frames"}


def test_each_seed_is_played_alike_and_is_innocent_over_each_transport(
    clean: Mapping[str, Ground],
) -> None:
    metered = set()
    for name, case in SEEDS.items():
        heard = {}
        for over, ground in clean.items():
            (observation,) = ground.play([case])
            assert (over, name, judge_laws(observation)) == (over, name, ())
            heard[over] = normalised(observation)
        replies = [reply for links in heard.values() for one in links for reply in one.replies]
        if any(reply.frame == "RATE_LIMITED" for reply in replies):
            metered.add(name)  # how much passes is a matter of time
        elif name in PLAIN:
            for over in TRANSPORTS:
                assert (name, heard[over]) == (name, heard["tcp"]), over
    assert {name for name in metered if "rate" not in name} <= {"dialogue-batch-burst"}
    for ground in clean.values():
        assert ground.found.rig.bystanders_well()


def test_a_case_comes_over_what_was_asked_for(clean: Mapping[str, Ground]) -> None:
    login = Case((Step(StepKind.LOGIN, 0, USER_TOKENS[0]),))
    for over, ground in clean.items():
        ((trace,),) = (observation.traces for observation in ground.play([login]))
        is_websocket = over in ("websocket", "wss")
        assert (trace.plain, trace.messages) == (not is_websocket, is_websocket)
        assert trace.ending is Ending.CLOSED


@pytest.mark.parametrize("over", ["tls", "websocket"])
def test_generated_cases_over_a_transport_break_nothing(over: str) -> None:
    chance = Random(32)
    mutator, pool = Mutator(chance, _same), list(SEEDS.values())
    # A store that others have filled would let go of what is waited for here.
    with bench(transport=over) as found:
        rig = found.rig
        assert rig.agent is not None
        rig.agent.settle()
        for _ in range(BATCHES):
            cases = [mutator.mutate(chance.choice(pool), 4_096) for _ in range(16)]
            for case, observation in zip(cases, rig.play(cases, CONFIRMING), strict=True):
                assert judge_laws(observation) == (), case
                assert Ending.DEADLINE not in observation.endings(), case
        assert rig.agent.settle().events == ()
        assert rig.bystanders_well()


def _same(data: bytes, _most: int) -> bytes:
    return data


@pytest.mark.parametrize("transport", [name for name in TRANSPORTS if name != "tcp"])
def test_a_planted_defect_has_the_same_fingerprint_over_each_transport(transport: str) -> None:
    with bench("crash_alone", transport=transport) as planted:
        (finding,) = planted.judge(CASES["crash_alone"][1])
        assert finding.fingerprint == FINGERPRINTS["crash_alone"]


def test_bystanders_over_tls_are_cut_off_like_all_others() -> None:
    with bench("crash_cascades", transport="tls") as planted:
        (finding,) = planted.judge(CASES["crash_cascades"][1])
        assert finding.fingerprint == FINGERPRINTS["crash_cascades"]
        assert finding.evidence["bystanders_cut"] == [
            "a TLS client that is logged in",
            "a TLS client before its login",
            "a WebSocket client that is logged in",
            "a WebSocket client before its login",
        ]


def test_what_shows_over_tls_only_is_silent_over_tcp(clean: Mapping[str, Ground]) -> None:
    with bench("tls_goodbye") as planted:
        assert planted.rig.endpoint.transport == "tls"  # the defect needs no other switch
        assert planted.rig.context(TargetSettings()).transport == "tls"
    for over in ("tcp", "tls"):
        assert clean[over].found.judge(CASES["tls_goodbye"][1]) == ()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReferenceNode]:
    """A server of its own that speaks TLS 1.3 only, and wants certificates."""
    folder = tmp_path_factory.mktemp("secured")
    options = {"tls": "true", "tls_versions": "1.3", "tls_verify": "true"}
    with ReferenceNode(folder, options) as node:
        yield node


#: One in five stayed for ever where a reset closes the socket behind the back of ssl.
RESETS = 50


def test_a_client_that_resets_its_connection_after_the_handshake_leaves_nothing(
    secured: ReferenceNode,
) -> None:
    made = client_tls(client(secured), "127.0.0.1")
    for _ in range(RESETS):
        plain = socket.create_connection(("127.0.0.1", secured.tcp), REPLY_SECONDS)
        with made.context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            secure.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left = "proplists:get_value(active, supervisor:count_children(iris_ref_conn_sup))"
    secured.until(f"{left} =:= 0", "the connections that were reset to end")
    assert secured.number(left) == 0


def attached(node: ReferenceNode, tls: TlsSettings | None, **words: object) -> Rig:
    settings = TargetSettings(f"127.0.0.1:{node.tcp}", tls=tls, **words)  # type: ignore[arg-type]
    return Rig(choose_target(settings), SystemClock())


def client(node: ReferenceNode, **words: object) -> TlsSettings:
    files = node.folder / "data" / "tls"
    own = {"certificate": files / "client.pem", "key": files / "client-key.pem"}
    return TlsSettings(**{"ca": files / "ca.pem", **own, **words})  # type: ignore[arg-type]


def test_a_running_server_with_tls_and_client_certificates_is_played_against(
    secured: ReferenceNode,
) -> None:
    rig = attached(secured, client(secured), websocket_port=secured.ws)
    rig.start()
    try:
        assert rig.endpoint.transport == "tls"
        assert rig.endpoint.websocket_tls is not None
        (observation,) = rig.play([SEEDS["dialogue-websocket"]])
        assert [trace.ending.value for trace in observation.traces] == ["closed", "closed"]
    finally:
        rig.stop()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"ca": None}, "a certificate that is not trusted"),
        ({"version": "1.2"}, "does not speak the version of TLS that is asked for"),
        ({"certificate": None, "key": None}, "does not take the client's certificate, or lack of"),
        ({"server_name": "chat.example.org"}, "not valid for 'chat.example.org'"),
    ],
)
def test_a_handshake_that_fails_at_the_start_is_one_sentence(
    secured: ReferenceNode, words: Mapping[str, object], says: str
) -> None:
    with pytest.raises(TargetError) as raised:
        attached(secured, client(secured, **words)).start()
    assert str(raised.value).startswith(f"127.0.0.1:{secured.tcp} is not to be had over TLS: it ")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_without_tls_is_told_from_one_with_it(tmp_path: Path) -> None:
    with ReferenceNode(tmp_path) as node:
        with pytest.raises(TargetError, match="it does not speak TLS there"):
            attached(node, TlsSettings(insecure=True)).start()
        # Its WebSocket port is not the next one: it is named, or it is not used.
        rig = attached(node, None, websocket_port=node.ws, websocket=True)
        rig.start()
        assert rig.endpoint.transport == "websocket"
        rig.stop()
        with pytest.raises(TargetError, match="name its port with --websocket-port"):
            attached(node, None, websocket=True).start()


def test_a_websocket_port_that_is_the_next_one_is_found_and_only_then_used() -> None:
    with bench() as found:
        endpoint = found.rig.endpoint
        assert endpoint.websocket_port is not None
        for guess, is_used in ((endpoint.websocket_port, True), (endpoint.port, False)):
            target = AttachedTarget("127.0.0.1", guess - 1)
            endpoint_found = greet(target._address, Names(), SystemClock())
            assert (endpoint_found.websocket_port is not None) is is_used
