"""The check ``storm``: silent on the clean target, and each planted defect for its reason."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fuzz import descriptors
from fuzz.checks import CHECKS, Terms, Trial, check_named, ground_of
from fuzz.checks.storm import ONE_CLIENT, storm
from fuzz.clock import SystemClock
from fuzz.errors import HarnessFault
from fuzz.evidence import Pulse
from fuzz.executor.endpoint import CONFIRMING
from fuzz.finding import STORM, Finding, Kind
from fuzz.rig import Rig
from fuzz.target import AttachedTarget, EmbeddedTarget, Target
from fuzz.target.planted import planted_defects
from grammar import (
    Direction,
    Error,
    Frame,
    GetStatus,
    ReliableMsg,
    SendMessage,
    StatusResponse,
    Stream,
    encode,
)
from tests.executor.fake_server import LOGIN_OK, Peer, ScriptedServer
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.storm_expectations import STORM_EXPECTED

#: Half as many again as the planted defects take for a crowd.
CLIENTS = 300


@contextmanager
def running(target: Target) -> Iterator[Rig]:
    rig = Rig(target, SystemClock())
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()


@contextmanager
def rig_of(*plants: str, auth: bool = False) -> Iterator[Rig]:
    options = {"auth_enabled": "true"} if auth else {}
    with running(EmbeddedTarget(0, plants, options)) as rig:
        yield rig


class Mail:
    """A server that keeps messages, written down as a script.

    ``online`` is what it says of the status of everybody but who asks; it takes the first
    ``taken`` messages, and refuses the others.
    """

    def __init__(self, online: int = 0, taken: int = 1_000) -> None:
        self._online = online
        self._left = taken
        self._stored: dict[bytes, bytes] = {}

    def serve(self, peer: Peer) -> None:
        user = b""
        while data := peer.read():
            if data[:1] == b"\x01":
                user = data[1:]
                peer.say(LOGIN_OK + self._stored.pop(user, b""))
                continue
            for frame in Stream(Direction.CLIENT).feed(data):
                peer.say(self._answer(user, frame))

    def _answer(self, user: bytes, frame: Frame) -> bytes:
        if isinstance(frame, GetStatus):
            return encode(StatusResponse(frame.user, int(frame.user == user) or self._online, 7))
        if not isinstance(frame, SendMessage):
            return b""
        self._left -= 1
        if self._left < 0:
            return encode(Error(b"the mailbox is full"))
        self._stored[frame.target] = encode(ReliableMsg(b"id", frame.message))
        return b""


def trials(rig: Rig, clients: int = CLIENTS) -> list[Trial]:
    check = check_named("storm")
    return list(check.run(ground_of(check, rig, Terms(60.0, 1, clients))))


def findings(made: list[Trial]) -> list[Finding]:
    return [finding for trial in made for finding in trial.findings]


@pytest.mark.parametrize("auth", [False, True])
def test_on_a_clean_target_all_are_served_and_nothing_stays(auth: bool) -> None:
    with rig_of(auth=auth) as rig:
        made = trials(rig)
        assert [finding.title for finding in findings(made)] == []
        assert [trial.name for trial in made] == ["one storm", "more of the same users"]
        assert made[0].note.startswith("300 came within ")
        assert made[1].note.count("300 came back within ") >= 2
        assert made[1].note.count("(75 had been written to)") >= 2
        assert rig.recoveries == 0
        assert rig.bystanders_well(CONFIRMING)


@pytest.mark.parametrize("name", sorted(STORM_EXPECTED))
def test_a_planted_defect_is_found_for_its_reason(name: str) -> None:
    (kind,) = (Kind(defect.kind) for defect in planted_defects() if defect.name == name)
    what, reason, says = STORM_EXPECTED[name]
    with rig_of(name) as rig:
        made = trials(rig)
        (finding,) = findings(made)
        assert (finding.kind, finding.cause.what, finding.cause.reason) == (kind, what, reason)
        assert says in finding.title
        assert finding.fingerprint == FINGERPRINTS[name], finding.cause
        told = finding.evidence[STORM]
        assert isinstance(told, dict)
        assert told["clients"] == CLIENTS
        assert made[-1].case == ONE_CLIENT
        # The target is well again.
        assert rig.pulse(CONFIRMING.reply) is Pulse.WELL


@pytest.mark.parametrize("name", sorted(STORM_EXPECTED))
def test_a_smaller_crowd_does_not_set_a_planted_defect_off(name: str) -> None:
    with rig_of(name) as rig:
        assert findings(trials(rig, clients=100)) == []


def test_a_server_that_is_seen_from_outside_only_is_asked_too() -> None:
    server = EmbeddedTarget(0)
    try:
        address = server.start({})
        with running(AttachedTarget(address.host, address.port)) as rig:
            made = trials(rig)
    finally:
        server.stop()
    assert [finding.title for finding in findings(made)] == []
    assert made[1].note.count("(75 had been written to)") == 2


def outside(mail: Mail) -> list[Trial]:
    """Return what is said of a small crowd at a server of a script."""
    with ScriptedServer(mail.serve) as server:
        address = server.endpoint
        with running(AttachedTarget(address.host, address.port)) as rig:
            return trials(rig, clients=8)


def test_all_that_a_scripted_server_keeps_is_delivered() -> None:
    made = outside(Mail())
    assert findings(made) == []
    assert made[0].note.startswith("8 came within ")
    assert (made[0].note + made[1].note).count("(2 had been written to)") == 3


def test_what_was_not_accepted_for_sure_is_not_waited_for() -> None:
    made = outside(Mail(taken=3))
    assert findings(made) == []
    assert (made[0].note + made[1].note).count("had been written to") == 1


def test_who_has_left_and_is_never_said_to_be_offline_is_a_finding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fuzz.checks.storm._LEAST_SECONDS", 4.0)
    (finding,) = findings(outside(Mail(online=1)))
    assert (finding.kind, finding.cause.what) == (Kind.HANG, STORM)
    assert finding.cause.reason == "the word that they are offline"
    assert "2 of 8 clients that left at once were not served within 4 s" in finding.title


def test_the_catalogue_names_the_check_of_each() -> None:
    assert {d.name for d in planted_defects() if d.check == "storm"} == set(STORM_EXPECTED)
    assert {check.name for check in CHECKS} >= {"storm"}


def test_a_crowd_that_this_machine_has_no_room_for_is_smaller_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fuzz.checks.storm.open_files", lambda: 220)
    with rig_of() as rig:
        check = check_named("storm")
        first = next(iter(storm(ground_of(check, rig, Terms(60.0, 1, clients=50)))))
    assert first.findings == ()
    assert first.note.startswith(
        "20 clients in the place of 50, since a process here may have 220 files open"
    )
    assert "20 came within" in first.note


def test_a_machine_without_any_room_for_a_crowd_is_told_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fuzz.checks.storm.open_files", lambda: 100)
    with pytest.raises(HarnessFault, match="may have 100 files open, which leaves no room"):
        outside(Mail())


def test_the_limit_on_open_files_is_raised_to_the_hard_one_and_no_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = [(100, 5_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _what: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _what, pair: limits.append(pair))
    assert descriptors.open_files() == 5_000
    assert limits[-1] == (5_000, 5_000)
    limits.append((1_024, resource.RLIM_INFINITY))
    assert descriptors.open_files() == 65_536
    assert limits[-1] == (65_536, resource.RLIM_INFINITY)
    limits.append((1 << 30, 1 << 30))
    assert descriptors.open_files() == 65_536
    assert limits[-1] == (1 << 30, 1 << 30)
