"""Whole dialogues, made up from nothing: a few users come, talk about one thing, and go.

Coverage leads the search to the code behind each frame. It does not lead to the order of
events in which a server loses a message, or serves one who has left: the same lines are passed
in every order. So a part of all cases are conversations, valid and short, of two or three
users who do on purpose what matters together: they write to those who are away, leave before
they confirm, join and leave the same group, use up the same keys. They are there for the laws
(:mod:`fuzz.oracles.laws`), and for the other operations to bend.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fuzz.case import GROUP_TOKEN, USER_TOKENS, Step, StepKind
from fuzz.generate.draft import MAX_CONNECTIONS, MAX_STEPS, Draft, Operation
from fuzz.generate.edges import arrival
from fuzz.generate.segments import split_in_length
from fuzz.generate.values import OPEN_ENDED, frame_with
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
    encode,
)
from grammar.limits import RATE_BURST

#: What a dialogue is about. What stands twice is said twice as often.
THEMES: tuple[tuple[type[ClientFrame], ...], ...] = (
    (SendMessage, SendMessage, SendSeq, BatchSend, CborMsg, Ack),
    (GroupCreate, GroupCreate, GroupLeave, GroupMsg, GroupMsg, SenderKeyDist, GroupRoster),
    (UploadPrekeys, FetchPrekeys, FetchPrekeys, E2eeMsg, Ack),
    (TypingStart, TypingStop, GetStatus, SendMessage, ReadReceipt, Ack),
)

#: How many things happen, at least and at most: a user comes, talks or goes.
_MOVES = 4, 14
#: Frames that one user says in a row at most, in one segment.
_IN_A_ROW = 3
#: Of the dialogues, those of which some length is cut: the frame means the same, and what it does
#: is known, so the laws find out a server that reads half of a number.
_CUT = 0.3
#: Of the dialogues, those whose batches are large: they take as long as twenty others.
_FLOODS = 0.03
#: Messages of such a batch: half a bucket of the rate limiter, a whole one, one more.
_FLOOD = (RATE_BURST // 2, RATE_BURST, RATE_BURST + 1)
#: Of the dialogues, those whose first user writes to nobody for a while.
_LATE = 0.4
#: Of those who come, the ones who confirm at once what has waited for them; of those who come when
#: there is a group, the ones who join it. A server takes note of both for later.
_CONFIRMS, _JOINS = 0.3, 0.6
#: Of the dialogues, those in which all come back in the end: what a server still holds for one,
#: or has lost, shows when that one logs in.
_COLLECTS = 0.5
#: Fields that name a user of the dialogue, and those that name its group: in an order, for a user
#: is drawn for each.
_USERS = ("user", "target", "recipient", "sender")
_GROUPS = ("group_id", "name")
_WAIT = Step(StepKind.WAIT)


@dataclass(slots=True)
class _Scene:
    """A dialogue in the making: who is there, on which connection."""

    draft: Draft
    theme: tuple[type[ClientFrame], ...]
    cast: tuple[bytes, ...]
    steps: list[Step] = field(default_factory=list)
    there: dict[bytes, int] = field(default_factory=dict)
    connections: int = 0
    grouped: bool = False
    flooding: bool = False
    #: Whether who comes first may speak before anybody else is there.
    late: bool = False

    def play(self, moves: int) -> None:
        """Let ``moves`` things happen, or fewer where no connection or no step is left."""
        for _ in range(moves):
            if len(self.steps) >= MAX_STEPS:
                return
            away = [user for user in self.cast if user not in self.there]
            may_come = bool(away) and self.connections < MAX_CONNECTIONS
            alone = not self.late and len(self.steps) < 2
            if may_come and (alone or not self.there or self.draft.chance(0.3)):
                self._come(self.draft.pick(away))
            elif not self.there:
                return
            elif self.draft.chance(0.2):
                self._go(self.draft.pick(list(self.there)))
            else:
                self._talk(self.draft.pick(list(self.there)))

    def _come(self, user: bytes) -> None:
        self.there[user] = self.connections
        self.steps += arrival(self.draft, self.connections)
        self.steps.append(Step(StepKind.LOGIN, self.connections, user))
        self.connections += 1
        if self.grouped and self.draft.chance(_JOINS):
            self._send(user, encode(GroupCreate(GROUP_TOKEN)))
        elif Ack in self.theme and self.draft.chance(_CONFIRMS):
            self.steps.append(_WAIT)
            self._send(user, self._frame(Ack))

    def collect(self) -> None:
        """Let everybody go who is there, and all come back, as far as there are connections."""
        for user in list(self.there):
            self._go(user)
        for user in self.cast[: MAX_CONNECTIONS - self.connections]:
            self._come(user)

    def _go(self, user: bytes) -> None:
        leaving = StepKind.HALF_CLOSE if self.draft.chance(0.5) else StepKind.RESET
        if self.draft.chance(0.3):
            self.steps.append(_WAIT)
        self.steps.append(Step(leaving, self.there.pop(user)))

    def _talk(self, user: bytes) -> None:
        segment = b""
        for _ in range(1 + self.draft.below(_IN_A_ROW)):
            frame = self.draft.pick(self.theme)
            if frame in _GROUP_FRAMES and not self.grouped:
                self._send(user, segment)
                segment = b""
                self._found_group(user)
            if frame.opcode in OPEN_ENDED or frame is ReadReceipt:
                # It speaks of what has come, which must be known; and it may end its segment.
                self._send(user, segment)
                self.steps.append(_WAIT)
                segment = b""
            segment += self._frame(frame)
            if frame.opcode in OPEN_ENDED:
                break
        self._send(user, segment)

    def _found_group(self, user: bytes) -> None:
        self.grouped = True
        self._send(user, encode(GroupCreate(b"g")))
        self.steps.append(_WAIT)

    def _frame(self, frame: type[ClientFrame]) -> bytes:
        given: dict[str, object] = {name: self.draft.pick(self.cast) for name in _USERS}
        given |= dict.fromkeys(_GROUPS, GROUP_TOKEN)
        if self.flooding:
            given["messages"] = (b"",) * self.draft.pick(_FLOOD)
        return frame_with(self.draft, frame, given)

    def _send(self, user: bytes, segment: bytes) -> None:
        if segment:
            self.steps.append(Step(StepKind.SEND, self.there[user], segment))


_GROUP_FRAMES = frozenset({GroupCreate, GroupLeave, GroupMsg, SenderKeyDist, GroupRoster})


def make_up(draft: Draft) -> bool:
    """Put a dialogue of two users, or of three, in the place of the case."""
    cast = USER_TOKENS[: 2 if draft.chance(0.7) else 3]
    scene = _Scene(draft, draft.pick(THEMES), cast, late=draft.chance(_LATE))
    if draft.chance(_FLOODS):
        scene.theme, scene.flooding = (SendMessage, BatchSend, BatchSend), True
    scene.play(_MOVES[0] + draft.below(_MOVES[1] - _MOVES[0] + 1))
    if draft.chance(_COLLECTS):
        scene.collect()
    draft.steps[:] = scene.steps[:MAX_STEPS]
    if draft.chance(_CUT):
        split_in_length(draft)
    return True


#: One in twenty or so: they take several times as long as the usual case.
OPERATIONS = (Operation("dialogue", 60, make_up),)
