"""The users of the model: what they may do next, as rules that Hypothesis chooses from.

A rule adds steps to a case and plays nothing; see :mod:`fuzz.checks.model`. To add one: what a user
does, and when that may be. Which defects it helps to find, and after how many examples, is to be
measured with ``iris-fuzz planted run --only NAME``.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN, USER_TOKENS, Case, Step, StepKind
from fuzz.generate import strategies
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
#: Restarts of an example that has any: what comes back twice is different from what comes once.
_RESTARTS = 2

_users = st.sampled_from(_CAST)
_GIVEN = {"target": _users, "recipient": _users, "user": _users, "sender": _users}
_group = st.just(GROUP_TOKEN)
_short = st.binary(max_size=3)
#: Maps in a few forms: all that a correct server does with them is to hand them on.
_maps = st.sampled_from([cbor.dumps({}), cbor.dumps({"n": 1}), b"\xbf\x61n\x01\xff"])
_numbers = st.integers(0, 9)
_one_in_ten = _numbers.map(lambda number: number == 9)
_one_in_five = _numbers.map(lambda number: number >= 8)
#: Which of those who are there, or away, counted round.
_who = st.integers(0, len(_CAST) - 1)


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


_several_messages = st.lists(_messages, min_size=1, max_size=3)
_several_to_the_group = st.lists(_to_the_group, min_size=1, max_size=3)
_bundles = st.builds(_bundle, _numbers, st.lists(_numbers, max_size=2, unique=True))
#: What a user says without knowing anything.
_said: _Frames = st.one_of(
    _messages, _messages, _requests, _notices, _frames(UploadPrekeys, bundle=_bundles)
)
#: Messages of a large batch: half a bucket of the rate limiter, a whole one, one more.
_floods = st.sampled_from([RATE_BURST // 2, RATE_BURST, RATE_BURST + 1])
_leavings = st.sampled_from([StepKind.HALF_CLOSE, StepKind.RESET])


#: A rule for users who are there.
_somebody = precondition(lambda self: self.there)


class Dialogue(RuleBasedStateMachine):
    """Users who behave. What they do is added to ``steps``, and played at the end."""

    play: Callable[[Case], None]
    #: Whether a case may have the server restarted.
    can_restart = False

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.there: dict[int, bytes] = {}
        self.opened = 0
        self.members: set[bytes] = set()
        self.grouped = self.floods = self.orderly = self.collects = False
        self.restarts = 0

    @initialize(
        floods=_one_in_ten, restarts=_one_in_five, orderly=st.booleans(), collects=st.booleans()
    )
    def begin(self, floods: bool, restarts: bool, orderly: bool, collects: bool) -> None:
        """Say what kind of an example this is.

        Floods take as long as ten other examples, restarts as all else in one, and longer where a
        server is large. Where all is orderly, nothing is refused or cut off, and each connection is
        of one user: then what is owed to whom is clear to the end. And all who are away may come
        back in the end, to collect what waits for them.
        """
        self.floods, self.orderly, self.collects = floods, orderly, collects
        self.restarts = _RESTARTS if restarts and self.can_restart else 0

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

    def _link(self, who: int) -> int:
        """Return the connection of one of the users who are there."""
        return list(self.there)[who % len(self.there)]

    @precondition(lambda self: self.opened < _CONNECTIONS and len(self.there) < len(_CAST))
    @rule(number=_who, collects=_one_in_five)
    def come(self, number: int, collects: bool) -> None:
        """A user who is away logs in on a new connection, and may confirm what waited there."""
        away = [user for user in _CAST if user not in self.there.values()]
        link, user = self._open(), away[number % len(away)]
        self.steps.append(Step(StepKind.LOGIN, link, user))
        self.there[link] = user
        if collects:
            self._wait()
            self._send(link, Ack(MSGID_TOKEN))

    @precondition(lambda self: 0 < len(self.there) < len(_CAST) and not self.orderly)
    @rule(who=_who, number=_who)
    def become_another(self, who: int, number: int) -> None:
        """A user logs out by logging in on the same connection as one who is away."""
        link = self._link(who)
        away = [user for user in _CAST if user not in self.there.values()]
        self.there[link] = away[number % len(away)]
        self.steps.append(Step(StepKind.LOGIN, link, self.there[link]))

    @_somebody
    @rule(who=_who, how=_leavings)
    def leave(self, who: int, how: StepKind) -> None:
        """A user goes, politely or not."""
        link = self._link(who)
        del self.there[link]
        self.steps.append(Step(how, link))

    @precondition(lambda self: self.there and not self.orderly)
    @rule(who=_who, frame=_said, at=st.integers(1, 40), how=_leavings)
    def be_cut_off(self, who: int, frame: ClientFrame, at: int, how: StepKind) -> None:
        """A user goes within a frame."""
        link = self._link(who)
        del self.there[link]
        data = encode(frame)
        self.steps.append(Step(StepKind.SEND, link, data[: 1 + (at - 1) % max(1, len(data) - 1)]))
        self.steps.append(Step(how, link))

    @precondition(lambda self: len(self.there) > 1 and self.opened < _CONNECTIONS)
    @rule(who=_who, how=_leavings, frames=_several_messages, news=_several_to_the_group)
    def miss_something(
        self, who: int, how: StepKind, frames: list[ClientFrame], news: list[ClientFrame]
    ) -> None:
        """A user goes, another one writes to users or to their group, and the user comes back."""
        link, other = self._link(who), self._link(who + 1)
        user, there = self.there.pop(link), self.there[other]
        self.steps.append(Step(how, link))
        self._send(other, *(news if {user, there} <= self.members else frames))
        link = self._open()
        self.there[link] = user
        self.steps.append(Step(StepKind.LOGIN, link, user))

    @_somebody
    @rule(who=_who, frames=_several_messages)
    def write(self, who: int, frames: list[ClientFrame]) -> None:
        """A user writes to others in one segment."""
        self._send(self._link(who), *frames)

    @_somebody
    @rule(who=_who, frames=st.lists(_said, min_size=1, max_size=4))
    def say(self, who: int, frames: list[ClientFrame]) -> None:
        """A user sends frames in one segment."""
        self._send(self._link(who), *frames)

    @_somebody
    @rule(who=_who, frame=_said, at=st.integers(1, 40))
    def say_in_two(self, who: int, frame: ClientFrame, at: int) -> None:
        """A user sends a frame that TCP cuts."""
        link = self._link(who)
        data = encode(frame)
        cut = 1 + (at - 1) % max(1, len(data) - 1)
        for part in (data[:cut], data[cut:]):
            if part:
                self.steps.append(Step(StepKind.SEND, link, part))

    @_somebody
    @rule(who=_who, bundle=_bundles, times=st.integers(1, 4))
    def hand_out_keys(self, who: int, bundle: bytes, times: int) -> None:
        """A user publishes keys, and another one asks for them, perhaps until there are none."""
        owner = self._link(who)
        self._send(owner, UploadPrekeys(bundle))
        self._send(self._link(who + 1), *[FetchPrekeys(self.there[owner])] * times)

    @precondition(lambda self: self.opened < _CONNECTIONS and not self.orderly)
    @rule(frame=_messages | _requests)
    def say_before_login(self, frame: ClientFrame) -> None:
        """A stranger sends a frame: it must do nothing, unless it asks for a status."""
        self._send(self._open(), frame)

    @_somebody
    @rule(who=_who)
    def acknowledge(self, who: int) -> None:
        """A user confirms what was delivered last."""
        self._wait()
        self._send(self._link(who), Ack(MSGID_TOKEN))

    @_somebody
    @rule(who=_who, sender=_users)
    def report_as_read(self, who: int, sender: bytes) -> None:
        """A user tells the sender of what was delivered last that it was read."""
        self._wait()
        self._send(self._link(who), ReadReceipt(MSGID_TOKEN, sender))

    @_somebody
    @rule(who=_who, others=st.booleans())
    def enter_the_group(self, who: int, others: bool) -> None:
        """A user founds the group, or enters it, and the others who are there may do as well."""
        first = self._link(who)
        for link in (first, *(link for link in self.there if others and link != first)):
            if self.members:
                self._wait()
            self._send(link, GroupCreate(GROUP_TOKEN if self.members else b"g"))
            self.members.add(self.there[link])
        self.grouped = True

    @precondition(lambda self: self.there and self.members)
    @rule(who=_who, frames=_several_to_the_group)
    def use_the_group(self, who: int, frames: list[ClientFrame]) -> None:
        """A member writes to the group, or asks who is in it."""
        link = self._link(who)
        if self.there[link] in self.members:
            self._wait()
            self._send(link, *frames)

    @precondition(lambda self: self.there and self.members)
    @rule(who=_who, frames=_several_to_the_group, goes_on=st.booleans(), others_write=st.booleans())
    def leave_the_group(
        self, who: int, frames: list[ClientFrame], goes_on: bool, others_write: bool
    ) -> None:
        """A member leaves the group, and may go on using it; the last one takes it away.

        Others may write to it before that and after it.
        """
        link = self._link(who)
        if self.there[link] not in self.members:
            return
        self.members.discard(self.there[link])
        writers = [other for other, user in self.there.items() if user in self.members]
        writer = writers[:1] if others_write else ()
        self._wait()
        for other in writer:
            self._send(other, *frames)
        more = frames if goes_on and not self.orderly else ()
        self._send(link, GroupLeave(GROUP_TOKEN), *more)
        for other in writer:
            self._send(other, *frames)

    @precondition(lambda self: self.there and self.grouped and not self.orderly)
    @rule(who=_who, frame=_to_the_group)
    def intrude(self, who: int, frame: ClientFrame) -> None:
        """One who is not in the group writes to it: it must be refused."""
        link = self._link(who)
        if self.there[link] not in self.members:
            self._wait()
            self._send(link, frame)

    @precondition(lambda self: self.there and self.floods)
    @rule(who=_who, to=_users, sizes=st.lists(_floods, min_size=1, max_size=2))
    def flood(self, who: int, to: bytes, sizes: list[int]) -> None:
        """A user sends as many messages as the rate limit allows, or some more."""
        self._send(self._link(who), *(BatchSend(to, (b"",) * size) for size in sizes))

    @precondition(lambda self: self.restarts)
    @rule()
    def restart(self) -> None:
        """The server is restarted: everybody is away then, and may come back."""
        self.restarts -= 1
        self.there.clear()
        self.steps.append(Step(StepKind.RESTART))

    @rule()
    def wait(self) -> None:
        """All that was sent is handled before anything else happens."""
        self._wait()
