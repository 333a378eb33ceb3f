"""What a client is told: that it is told at all (rule 3), and that it is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import Dialogue, Link, Said
from grammar import (
    CLIENT_OPCODES,
    ClientFrame,
    ClientOpcode,
    GetStatus,
    Login,
    ReadReceipt,
    ReadReceiptRelay,
    StatusResponse,
    TypingRelay,
    TypingStart,
    TypingStop,
)
from grammar.dialogue import RULES, State, always_answered


def unanswered(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge requests that got no answer at all, though their connection ended in order."""
    for link in dialogue.links:
        if not (link.clean and link.read_to_the_end):
            continue
        asked = [said.frame.opcode for said in link.said if _must_be_answered(said)]
        for opcode, count in Counter(asked).items() if asked else ():
            replies = RULES[opcode].replies
            if sum(isinstance(frame, replies) for frame in link.heard) < count:
                yield Finding(
                    Kind.HANG,
                    f"{opcode.name} was never answered, though its connection was served",
                    Cause("unanswered", opcode.name),
                    {
                        "connection": link.number,
                        "asked": count,
                        **wire.check(
                            "answered",
                            link,
                            opcodes=[int(frame.opcode) for frame in replies if frame.opcode],
                            least=count,
                        ),
                    },
                )
                return


def _answered(state: State) -> frozenset[type[ClientFrame]]:
    answered = {CLIENT_OPCODES[o] for o in ClientOpcode if always_answered(o, state)}
    return frozenset(answered - {Login})


#: What must always be answered, but for LOGIN: before it, and behind it.
_ANSWERED = (_answered(State.CONNECTED), _answered(State.LOGGED_IN))


def _must_be_answered(said: Said) -> bool:
    return type(said.frame) in _ANSWERED[said.user is not None]


def status(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge what GET_STATUS says of users that were made for this play."""
    for link in dialogue.links:
        asked = [said for said in link.said if isinstance(said.frame, GetStatus)]
        told = [frame for frame in link.heard if isinstance(frame, StatusResponse)]
        if not link.sure or len(asked) != len(told) or link.refused:
            continue
        for place, (said, reply) in enumerate(zip(asked, told, strict=True)):
            assert isinstance(said.frame, GetStatus)
            user = wire.name(dialogue, said.frame.user)
            if said.frame.user != reply.user:
                look = wire.check("status", link, reply=place, user=user, online=None)
                words = "tells of another user than was asked for"
                yield _wrong_status(link, "another name", words, look)
                return
            online = _online(dialogue, reply.user, said.order)
            if online is not None and bool(reply.state) is not online:
                why = "offline" if online else "online"
                look = wire.check("status", link, reply=place, user=user, online=online)
                yield _wrong_status(link, why, f"says {why} of a user who is not", look)
                return


def _wrong_status(link: Link, why: str, words: str, look: Mapping[str, object]) -> Finding:
    return Finding(
        Kind.SEMANTIC,
        f"a status reply {words}",
        Cause("status", why),
        {"connection": link.number, **look},
    )


def _online(dialogue: Dialogue, user: bytes, order: int) -> bool | None:
    """Tell whether ``user`` was online when segment ``order`` was sent; None if unclear."""
    if user not in dialogue.users or not dialogue.sure:
        return None
    stays = [pair for pair in dialogue.stays_of(user) if pair[1].since < order]
    there = [link for link, stay in stays if stay.until is None or order <= stay.until]
    if any(link.clean for link in there):
        return True
    # On others, the server may have closed the connection meanwhile.
    return None if there else False


def relays(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge typing and receipt notices by whether the user they name sent one."""
    if not dialogue.sure:
        return
    typing: set[tuple[bytes | None, bytes]] = set()
    receipts: set[tuple[bytes | None, bytes]] = set()
    for link in dialogue.links:
        for said in link.said:
            if isinstance(said.frame, TypingStart | TypingStop):
                typing.add((said.user, said.frame.target))
            elif isinstance(said.frame, ReadReceipt):
                receipts.add((said.user, said.frame.sender))
    for link in dialogue.links:
        here = {stay.user for stay in link.stays}
        if not here or not here <= dialogue.users:
            continue
        for frame in link.heard:
            if isinstance(frame, TypingRelay):
                what, who, true = "TYPING_RELAY", frame.sender, typing
            elif isinstance(frame, ReadReceiptRelay):
                what, who, true = "READ_RECEIPT_RELAY", frame.reader, receipts
            else:
                continue
            if not any((who, user) in true for user in here):
                senders = {wire.name(dialogue, who) for who, user in true if who and user in here}
                look = wire.check("relay", link, opcode=int(frame.opcode), senders=sorted(senders))
                yield Finding(
                    Kind.SEMANTIC,
                    f"{what} names a user who sent none to this client",
                    Cause("relay", what),
                    {"connection": link.number, **look},
                )
                return
