"""The check ``storm``: thousands of clients drop and come back at once.

No case has so many connections, so a crowd plays it (:mod:`fuzz.executor.crowd`). In a storm, a
part of the users is written to while all are away; all come at once, and get what was stored;
all drop at once, half of them by a reset; and come back at once. Everybody is to be served within
a time that is said beforehand, and no bystander may notice.

What a server holds after the first storm is its base: it may remember who was there. After more
storms of the same users it has to hold no more.

The case that is saved with a finding is the dialogue of one client. It does not show the finding:
only the check does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from fuzz.checks.base import Check, Ground, Trial
from fuzz.clock import Deadline
from fuzz.descriptors import open_files
from fuzz.errors import HarnessFault
from fuzz.evidence import Growth, Rush
from fuzz.executor.crowd import Crowd
from fuzz.executor.endpoint import CONFIRMING
from fuzz.finding import STORM
from fuzz.node import Event
from fuzz.observation import Observation
from fuzz.watchdog.growth import Repeated
from grammar import (
    Direction,
    Frame,
    GetStatus,
    LoginOk,
    SendMessage,
    StatusResponse,
    Stream,
    encode,
)
from grammar.errors import GrammarError

#: A crowd of any size has so long, and ...
_LEAST_SECONDS = 10.0
#: ... a second more for so many clients. A server on a small machine takes in some thousand in a
#: second, and a kernel whose queue is full drops a SYN, which comes again after 1, 3, 7 and 15 s.
_CLIENTS_A_SECOND = 200
#: What is left of a crowd is seen to in less; a node that has work for longer is judged as it is.
_REST_SECONDS = 10.0
#: Between two questions whether they are offline; meanwhile the node's end is awaited.
_LOOK_SECONDS = 0.2
#: One client of so many is written to while it is away.
_WRITTEN_TO = 4
#: Messages of one sender: below the burst that rule 7 allows it.
_LETTERS = 400
#: Files that this process has open besides its clients: pipes, logs, bystanders, the agent.
_RESERVED = 200
#: Storms that are compared with the first, and ...
_STORMS = 2
#: ... as many as it takes to be sure of what grew in them. An emulator keeps some buffers for the
#: next time, and more of them after a storm that had more clients at one moment.
_SURE_STORMS = 6
#: A client writes no more than that in a storm: two LOGINs and GET_STATUS, an ACK, a message.
_BYTES_A_CLIENT = 512

_A, _B = USER_TOKENS[:2]
_ASK = Step(StepKind.SEND, 1, encode(GetStatus(_A)))
#: What one client of the crowd does, and who writes to it before.
ONE_CLIENT = Case(
    (
        Step(StepKind.LOGIN, 0, _B),
        Step(StepKind.SEND, 0, encode(SendMessage(_A, b"a letter"))),
        Step(StepKind.LOGIN, 1, _A),
        _ASK,
        Step(StepKind.RESET, 1),
        Step(StepKind.LOGIN, 2, _A),
        replace(_ASK, connection=2),
    )
)


def storm(ground: Ground) -> Iterator[Trial]:
    """Let some storms pass: is everybody served in the first, and does nothing stay of the rest?"""
    clients = min(ground.clients, open_files() - _RESERVED)
    if clients < 2:
        raise HarnessFault(
            f"a process here may have {open_files()} files open, which leaves no room for a crowd; "
            "raise the hard limit (ulimit -Hn)"
        )
    weather = _Weather(ground, _names(ground, clients))
    try:
        weather.storm()
        trial = weather.told("one storm")
        yield replace(trial, note=f"{_fewer(ground.clients, clients)}{trial.note}")
        if not trial.findings:
            growth, reports = weather.grown(_STORMS)
            if growth:
                growth, more = weather.grown(_SURE_STORMS)
                reports += more
            yield weather.told("more of the same users", growth, reports)
    finally:
        weather.crowd.close()


STORM_CHECK = Check(
    "storm", "thousands of clients drop and come back at once: all are served, nothing stays", storm
)


def _names(ground: Ground, count: int) -> list[bytes]:
    sets = (ground.rig.names.fresh().values() for _ in range(count))
    return list(islice(chain.from_iterable(sets), count))


def _fewer(wanted: int, clients: int) -> str:
    if clients == wanted:
        return ""
    return (
        f"{clients:,} clients in the place of {wanted:,}, since a process here may have "
        f"{open_files():,} files open (ulimit -Hn); "
    )


@dataclass(slots=True)
class _Weather:
    """Makes storms of the same users, and keeps what was seen since it was last told."""

    ground: Ground
    users: Sequence[bytes]
    crowd: Crowd = field(init=False)
    storms: int = 0
    rushes: list[Rush] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)

    def __post_init__(self) -> None:
        rig = self.ground.rig
        self.crowd = Crowd(rig.endpoint, self.users, rig.names.tokens, rig.clock)

    def storm(self) -> None:
        """Write to a part of the users; let all come, drop, come back, and drop again.

        Who was not served once is not asked to come again.
        """
        if any(rush.waits for rush in self.rushes):
            return
        self.storms += 1
        owed: dict[bytes, bytes] = {}
        receivers = self.users[::_WRITTEN_TO]
        for first in range(0, len(receivers), _LETTERS):
            part = receivers[first : first + _LETTERS]
            if not self._away(part):
                return
            owed |= self._write(part)
        if self._rush("came", owed):
            self._rush("came back", {})
        self.ground.rig.barrier(seconds=_REST_SECONDS)

    def _rush(self, what: str, owed: dict[bytes, bytes]) -> bool:
        """Let all come, and drop all; tell whether all were served in between."""
        rig = self.ground.rig
        rush = self.crowd.come(what, self._seconds, owed, self._harmed)
        # An ACK that is not read yet would go with its connection.
        rig.barrier(seconds=_REST_SECONDS)
        self.rushes.append(replace(rush, cut=self.crowd.cut_off()))
        self.crowd.leave()
        return not rush.waits

    @property
    def _seconds(self) -> float:
        return _LEAST_SECONDS + len(self.users) / _CLIENTS_A_SECOND

    def _harmed(self) -> tuple[str, ...]:
        rig = self.ground.rig
        return () if rig.bystanders_well(CONFIRMING) else rig.bystanders_cut()

    def _away(self, users: Sequence[bytes]) -> bool:
        """Tell whether the server has come to know that ``users`` have left.

        What it has to deliver to a client that it takes for connected need not be stored.
        """
        if self.storms == 1:
            return True  # they were never there
        rig, start = self.ground.rig, self.ground.rig.clock.now()
        deadline = Deadline.after(rig.clock, self._seconds, "the word that they are offline")
        question = b"".join(encode(GetStatus(user)) for user in users)
        while True:
            answers = _answers(self._ask(question))
            offline = sum(isinstance(one, StatusResponse) and one.state == 0 for one in answers)
            if offline == len(users):
                return True
            if deadline.expired() or rig.target.await_exit(_LOOK_SECONDS) is not None:
                break
        waits = {deadline.what: len(users) - offline}
        spent = rig.clock.now() - start
        self.rushes.append(Rush("left", len(self.users), spent, self._seconds, waits=waits))
        return False

    def _write(self, users: Sequence[bytes]) -> dict[bytes, bytes]:
        """Send a message to each of ``users``; return those that were accepted for sure."""
        letters = {user: b"storm %d, to %b" % (self.storms, user) for user in users}
        frames = (encode(SendMessage(user, letter)) for user, letter in letters.items())
        answers = _answers(self._ask(b"".join(frames), encode(GetStatus(_A))))
        # The answer comes behind what was sent before it; a refusal does not say of which it is.
        taken = [type(answer) for answer in answers] == [LoginOk, StatusResponse]
        return letters if taken else {}

    def _ask(self, *segments: bytes) -> Observation:
        """Let a new user log in and send ``segments``; return what was seen."""
        sends = (Step(StepKind.SEND, 0, segment) for segment in segments)
        case = Case((Step(StepKind.LOGIN, 0, _A), *sends))
        (seen,) = self.ground.rig.play([case], CONFIRMING)
        self.observations.append(seen)
        return seen

    def grown(self, storms: int) -> tuple[tuple[Growth, ...], tuple[Event, ...]]:
        """Return what grows with each of so many storms, and what the node reported meanwhile."""
        clients = len(self.users)
        repeated = Repeated(self.storm, storms, clients * _BYTES_A_CLIENT, clients)
        return self.ground.watchdog.growth_of(repeated)

    def told(
        self, name: str, growth: tuple[Growth, ...] = (), reports: tuple[Event, ...] = ()
    ) -> Trial:
        """Return what is to be said of the storms since the last time, and forget them."""
        seen = self.ground.watchdog.settle(self.observations, reports, growth)
        trial = self.ground.weigh(name, ONE_CLIENT, replace(seen, rushes=tuple(self.rushes)))
        crowd = {"clients": len(self.users), "rushes": [rush.told() for rush in self.rushes]}
        findings = (
            replace(finding, evidence={**finding.evidence, STORM: crowd})
            for finding in trial.findings
        )
        note = "; ".join(map(_told, self.rushes))
        self.rushes.clear()
        self.observations.clear()
        return replace(trial, findings=tuple(findings), note=note)


def _answers(seen: Observation) -> list[Frame]:
    """Return the frames that came; none where what came is no frames."""
    try:
        return Stream(Direction.SERVER).feed(seen.traces[0].replies())
    except GrammarError:
        return []


def _told(rush: Rush) -> str:
    served = rush.clients - sum(rush.waits.values())
    written = f" ({rush.written:,} had been written to)" if rush.written else ""
    again = f" (after being turned away {rush.again:,} times in all)" if rush.again else ""
    return f"{served:,} {rush.what} within {rush.seconds:.1f} s{written}{again}"
