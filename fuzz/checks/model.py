"""The check ``model``: users who behave, in any order that Hypothesis can think of.

Theory of operation. A :class:`hypothesis.stateful.RuleBasedStateMachine` knows who is connected, as
whom, and who may be in the group; its rules are what users do: come, go, write, acknowledge or not,
publish keys, join, leave, be cut off within a frame. A rule adds steps to a case and plays nothing.
When the machine is done, the case is played once, with names that are fresh, and the laws
(:mod:`fuzz.oracles.laws`) say what a correct server would have brought to whom. They are the
model's memory: what it knows while it makes up a case is only what may come next.

So an example costs one play, and what it leaves is an ordinary case, which every other tool can
play. It is made small as any other case is (:mod:`fuzz.triage.minimise`), step by step and byte by
byte, in a tenth of the plays that it takes to shrink rules. A finding that is known is passed over,
so that the next one is looked for behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, USER_TOKENS, Case, Step, StepKind, encode_case
from fuzz.checks.base import Check, Ground, Trial
from fuzz.generate import strategies
from fuzz.generate.edges import spread
from fuzz.triage.judge import judge_of
from fuzz.triage.minimise import minimise
from fuzz.triage.reduce import Budget
from grammar import (
    Ack,
    BatchSend,
    CborMsg,
    ClientFrame,
    E2eeMsg,
    FetchPrekeys,
    GetStatus,
    GroupCreate,
    GroupLeave,
    GroupMsg,
    GroupRoster,
    ReadReceipt,
    SenderKeyDist,
    SendMessage,
    SendSeq,
    TypingStart,
    TypingStop,
    UploadPrekeys,
    cbor,
    encode,
)
from grammar.limits import RATE_BURST

#: Users of one example: a law needs two that talk and one who listens, or comes later.
_CAST = USER_TOKENS[:3]
#: Connections of one example: each user comes and comes back twice.
_CONNECTIONS = 9
#: Examples between two looks at the time, and rules of one: as many as the longest dialogue by
#: hand, three times over.
_EXAMPLES, _RULES = 50, 24
#: For making a finding small: a case of a few users takes some hundred plays at most, each of
#: them some milliseconds where nothing has to be waited for.
_BUDGET = Budget(plays=600, seconds=60.0)

_users = st.sampled_from(_CAST)
_GIVEN = {"target": _users, "recipient": _users, "user": _users, "sender": _users}
_group = st.just(GROUP_TOKEN)
_short = st.binary(max_size=3)
#: Maps in a few forms: all that a correct server does with them is to hand them on.
_maps = st.sampled_from([cbor.dumps({}), cbor.dumps({"n": 1}), b"\xbf\x61n\x01\xff"])
_numbers = st.integers(0, 9)


def _frames(kind: type[ClientFrame], **given: st.SearchStrategy[object]) -> _Frames:
    return strategies.frames_of(kind, {**_GIVEN, "group_id": _group, **given})  # type: ignore[return-value]


_Frames = st.SearchStrategy[ClientFrame]

#: Messages to a user, in each way that the protocol has.
_messages: _Frames = st.one_of(
    _frames(SendMessage, message=_short | st.sampled_from([255, 256, 257]).map(bytes)),
    _frames(SendSeq, message=_short, seq=st.integers(0, 3)),
    _frames(BatchSend, messages=st.lists(_short, max_size=4).map(tuple)),
    _frames(CborMsg, payload=_maps),
    _frames(E2eeMsg, header=_maps, ciphertext=_short),
)
_notices: _Frames = _frames(TypingStart) | _frames(TypingStop)
_requests: _Frames = _frames(GetStatus) | _frames(FetchPrekeys)
_to_the_group: _Frames = st.one_of(
    _frames(GroupMsg, header=_maps, ciphertext=_short),
    _frames(SenderKeyDist, key_data=_short),
    _frames(GroupRoster),
)


def _bundle(number: int, one_time: list[int]) -> bytes:
    """Return a key bundle; equal numbers give equal keys."""
    return cbor.dumps(
        {
            "identity_key": bytes([number]) * 32,
            "signed_prekey": bytes([10 + number]) * 32,
            "signed_prekey_signature": bytes([20 + number]) * 64,
            "one_time_prekeys": [bytes([30 + key]) * 32 for key in one_time],
        }
    )


_bundles = st.builds(_bundle, _numbers, st.lists(_numbers, max_size=2, unique=True))
#: What a user says without knowing anything.
_said: _Frames = st.one_of(
    _messages, _messages, _requests, _notices, _frames(UploadPrekeys, bundle=_bundles)
)
#: Messages of a large batch: half a bucket of the rate limiter, a whole one, one more.
_floods = st.sampled_from([RATE_BURST // 2, RATE_BURST, RATE_BURST + 1])
_leavings = st.sampled_from([StepKind.HALF_CLOSE, StepKind.RESET])


class FoundError(AssertionError):
    """A case shows a finding that is not known: it ends the search of Hypothesis."""


@dataclass(slots=True)
class Table:
    """Plays the cases of examples, each once, and keeps what they showed.

    Hypothesis plays an example again to be sure of it. What was seen of a case stays: a finding
    that shows by chance is then no riddle to it.
    """

    ground: Ground
    #: Connections of a case take turns with so many edges.
    edges: int = 1
    known: set[str] = field(default_factory=set)
    trials: list[Trial] = field(default_factory=list)
    found: Trial | None = None
    _seen: dict[bytes, Trial] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget what was seen: other examples are other cases."""
        self.trials.clear()
        self._seen.clear()
        self.found = None

    def play(self, case: Case) -> None:
        """Play ``case`` unless that was done; raise :class:`FoundError` for what is not known."""
        case = spread(case, self.edges) if self.edges > 1 else case
        data = encode_case(case)
        trial = self._seen.get(data)
        if trial is None:
            trial = self._seen[data] = self.ground.ask("dialogue", case)
            self.trials.append(trial)
        fresh = [f for f in trial.findings if f.fingerprint not in self.known]
        if fresh:
            self.found = Trial(trial.name, trial.case, tuple(fresh))
            raise FoundError(fresh[0].title)


class Dialogue(RuleBasedStateMachine):
    """Users who behave. What they do is added to ``steps``, and played at the end."""

    #: Connections with a user on each.
    links = Bundle("links")
    play: Callable[[Case], None]

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.there: dict[int, bytes] = {}
        self.opened = 0
        self.members: set[bytes] = set()
        self.grouped = self.floods = self.collects = False

    @initialize(floods=_numbers.map(lambda number: number == 9), collects=st.booleans())
    def begin(self, floods: bool, collects: bool) -> None:
        """Say whether there are floods, which take as long as ten other examples.

        And whether all users who are away come back in the end, to collect what waits for them.
        """
        self.floods, self.collects = floods, collects

    def teardown(self) -> None:
        """Play what was made up."""
        if self.collects and self.steps:
            away = (user for user in _CAST if user not in self.there.values())
            self.steps += (Step(StepKind.LOGIN, self._open(), user) for user in away)
        if self.steps:
            type(self).play(Case(tuple(self.steps)))

    def _send(self, link: int, *frames: ClientFrame) -> None:
        self.steps.append(Step(StepKind.SEND, link, b"".join(map(encode, frames))))

    def _wait(self) -> None:
        if self.steps and self.steps[-1].kind is not StepKind.WAIT:
            self.steps.append(Step(StepKind.WAIT))

    def _open(self) -> int:
        self.opened += 1
        return self.opened - 1

    @precondition(lambda self: self.opened < _CONNECTIONS and len(self.there) < len(_CAST))
    @rule(target=links, number=st.integers(0, len(_CAST) - 1))
    def come(self, number: int) -> int:
        """A user who is away logs in on a new connection."""
        away = [user for user in _CAST if user not in self.there.values()]
        link, user = self._open(), away[number % len(away)]
        self.steps.append(Step(StepKind.LOGIN, link, user))
        self.there[link] = user
        return link

    @precondition(lambda self: self.there and len(self.there) < len(_CAST))
    @rule(link=links, number=st.integers(0, len(_CAST) - 1))
    def become_another(self, link: int, number: int) -> None:
        """A user logs out by logging in on the same connection as one who is away."""
        away = [user for user in _CAST if user not in self.there.values()]
        self.there[link] = away[number % len(away)]
        self.steps.append(Step(StepKind.LOGIN, link, self.there[link]))

    @rule(link=consumes(links), how=_leavings)
    def leave(self, link: int, how: StepKind) -> None:
        """A user goes, politely or not."""
        del self.there[link]
        self.steps.append(Step(how, link))

    @rule(link=consumes(links), frame=_said, at=st.integers(1, 40), how=_leavings)
    def be_cut_off(self, link: int, frame: ClientFrame, at: int, how: StepKind) -> None:
        """A user goes within a frame."""
        del self.there[link]
        data = encode(frame)
        self.steps.append(Step(StepKind.SEND, link, data[: 1 + (at - 1) % max(1, len(data) - 1)]))
        self.steps.append(Step(how, link))

    @rule(link=links, frames=st.lists(_messages, min_size=1, max_size=3))
    def write(self, link: int, frames: list[ClientFrame]) -> None:
        """A user writes to others in one segment."""
        self._send(link, *frames)

    @rule(link=links, frames=st.lists(_said, min_size=1, max_size=4))
    def say(self, link: int, frames: list[ClientFrame]) -> None:
        """A user sends frames in one segment."""
        self._send(link, *frames)

    @rule(link=links, frame=_said, at=st.integers(1, 40))
    def say_in_two(self, link: int, frame: ClientFrame, at: int) -> None:
        """A user sends a frame that TCP cuts."""
        data = encode(frame)
        cut = 1 + (at - 1) % max(1, len(data) - 1)
        for part in (data[:cut], data[cut:]):
            if part:
                self.steps.append(Step(StepKind.SEND, link, part))

    @precondition(lambda self: self.opened < _CONNECTIONS)
    @rule(frame=_messages | _requests)
    def say_before_login(self, frame: ClientFrame) -> None:
        """A stranger sends a frame: it must do nothing, unless it asks for a status."""
        self._send(self._open(), frame)

    @rule(link=links)
    def acknowledge(self, link: int) -> None:
        """A user confirms what was delivered last."""
        self._wait()
        self._send(link, Ack(MSGID_TOKEN))

    @rule(link=links, sender=_users)
    def report_as_read(self, link: int, sender: bytes) -> None:
        """A user tells the sender of what was delivered last that it was read."""
        self._wait()
        self._send(link, ReadReceipt(MSGID_TOKEN, sender))

    @rule(link=links)
    def enter_the_group(self, link: int) -> None:
        """A user founds the group, or enters it."""
        if self.members:
            self._wait()
        self._send(link, GroupCreate(GROUP_TOKEN if self.members else b"g"))
        self.members.add(self.there[link])
        self.grouped = True

    @precondition(lambda self: self.members)
    @rule(link=links, frames=st.lists(_to_the_group, min_size=1, max_size=3))
    def use_the_group(self, link: int, frames: list[ClientFrame]) -> None:
        """A member writes to the group, or asks who is in it."""
        if self.there[link] in self.members:
            self._wait()
            self._send(link, *frames)

    @precondition(lambda self: self.members)
    @rule(link=links)
    def leave_the_group(self, link: int) -> None:
        """A member leaves the group; the last one takes it away."""
        if self.there[link] in self.members:
            self.members.discard(self.there[link])
            self._wait()
            self._send(link, GroupLeave(GROUP_TOKEN))

    @precondition(lambda self: self.grouped)
    @rule(link=links, frame=_to_the_group)
    def intrude(self, link: int, frame: ClientFrame) -> None:
        """One who is not in the group writes to it: it must be refused."""
        if self.there[link] not in self.members:
            self._wait()
            self._send(link, frame)

    @precondition(lambda self: self.floods)
    @rule(link=links, to=_users, sizes=st.lists(_floods, min_size=1, max_size=2))
    def flood(self, link: int, to: bytes, sizes: list[int]) -> None:
        """A user sends as many messages as the rate limit allows, or some more."""
        self._send(link, *(BatchSend(to, (b"",) * size) for size in sizes))

    @rule()
    def wait(self) -> None:
        """All that was sent is handled before anything else happens."""
        self._wait()


def _run(ground: Ground) -> Iterator[Trial]:
    """Yield the plays of examples until time is up; a finding comes with its smallest case."""
    table = Table(ground, len(ground.rig.endpoint.edges()))
    while not ground.deadline.expired():
        table.clear()
        with suppress(FoundError):  # the table has it
            _explore(table)
        yield from (Trial(trial.name, trial.case) for trial in table.trials)
        if table.found is not None:
            table.known.update(finding.fingerprint for finding in table.found.findings)
            yield from _small(ground, table.found)


def _small(ground: Ground, found: Trial) -> Iterator[Trial]:
    """Yield the findings of a trial, each with the smallest case that shows it."""
    for finding in found.findings:
        judge = judge_of(ground.rig, found.case, finding)
        small = minimise(found.case, judge, _BUDGET, ground.rig.clock)
        yield Trial(found.name, small.case, (judge.seen or finding,))


def _explore(table: Table) -> None:
    machine = seed(table.ground.random.getrandbits(32))(
        type("Dialogue", (Dialogue,), {"play": staticmethod(table.play)})
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=_EXAMPLES,
            stateful_step_count=_RULES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            print_blob=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        ),
    )


MODEL = Check("model", "users who behave, in any order: nothing is lost, nobody is lied to", _run)
