"""Rule 6: what is accepted is delivered, to whom it is for, once, in order, the same bytes.

And rule 4: before LOGIN nothing has an effect. All of these speak only of users made for
this play, and only where every connection of the case is sure (see
:mod:`fuzz.oracles.laws.dialogue`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import CUT, Dialogue, Link, Message, Stay
from grammar import Ack, GroupMsg, LoginOk, SenderKeyDist

#: What is said of what a restart of the server has changed.
OVER = " over a restart"
#: First bytes of a delivery to a group (IRIS_WIRE: 33, 36), which is for its members.
_GROUP = (b"\x33", b"\x36")


def invented(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge messages that nobody who might sent to the user who got them."""
    if not dialogue.sure:
        return
    groups = any(
        isinstance(said.frame, GroupMsg | SenderKeyDist)
        for link in dialogue.links
        for said in link.said
    )
    for link in dialogue.links:
        here = [stay.user for stay in link.stays]
        if not here or not dialogue.users.issuperset(here):
            continue
        wanted = {m.body for m in dialogue.messages if m.sender is not None and m.target in here}
        for message in link.delivered:
            if message.message in wanted or (groups and message.message.startswith(_GROUP)):
                continue
            why = _why(message.message, here, dialogue.messages)
            yield Finding(
                Kind.SEMANTIC,
                f"a client was sent a message that {_INVENTED[why]}",
                Cause("invented", why),
                {
                    "connection": link.number,
                    "message": message.message[:64].hex(),
                    **wire.message(dialogue, link, message.message, most=0),
                },
            )
            return


_INVENTED = {
    "before login": "its sender sent before LOGIN",
    "another user": "is for another user",
    "altered": "differs from what was sent to it",
    "unknown": "nobody sent",
}


def _why(body: bytes, here: list[bytes], messages: list[Message]) -> str:
    """Return the key of what is wrong with a message that should not have come."""
    if any(m.body == body and m.target in here for m in messages):
        return "before login"
    if any(m.body == body for m in messages):
        return "another user"
    ours = [m.body for m in messages if m.target in here]
    altered = any(other.startswith(body) or len(other) == len(body) for other in ours)
    return "altered" if altered else "unknown"


def misrouted(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge messages to a user who was not on that connection any more when they were sent."""
    if not dialogue.sure:
        return
    for link in dialogue.links:
        stays = link.stays
        if not {stay.user for stay in stays} <= dialogue.users:
            continue
        for number, (stay, after) in enumerate(pairwise(stays), 1):
            if stay.user in {later.user for later in stays[number:]}:
                continue
            others = {m.body for m in dialogue.messages if m.target != stay.user}
            late = {
                m.body for m in dialogue.messages if m.target == stay.user and m.order > after.since
            }
            early = {
                m.body for m in dialogue.messages if m.target == stay.user and m.order < after.since
            }
            wrong = late - early - others
            came = [m.message for m in link.delivered if m.message in wrong]
            if came:
                yield Finding(
                    Kind.SEMANTIC,
                    "a message came to a connection that its user had logged out of",
                    Cause("misrouted"),
                    {
                        "connection": link.number,
                        **wire.message(dialogue, link, came[0], most=0),
                    },
                )
                return


def duplicated(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge messages that came to one connection more often than they were sent.

    A second copy of what another user was sent too may be theirs: that is no duplicate for sure.
    """
    if not dialogue.sure:
        return
    for link in dialogue.links:
        stays = link.stays
        if len(stays) != 1 or stays[0].user not in dialogue.users:
            continue
        user = stays[0].user
        sent = Counter(m.body for m in dialogue.messages if m.target == user)
        theirs = {m.body for m in dialogue.messages if m.target != user}
        came = Counter(m.message for m in link.delivered if not m.message.startswith(_GROUP))
        ids = Counter(message.msg_id for message in link.delivered)
        again = [
            body
            for body, count in came.items()
            if body in sent and body not in theirs and count > sent[body]
        ]
        if again or max(ids.values(), default=0) > 1:
            why = "one message twice" if not again else "a copy under another id"
            look = (
                wire.message(dialogue, link, again[0], most=sent[again[0]])
                if again
                else wire.check("once", link)
            )
            yield Finding(
                Kind.SEMANTIC,
                f"a message was delivered more often than it was sent ({why})",
                Cause("duplicated"),
                {
                    "connection": link.number,
                    "messages": [body[:64].hex() for body in again[:4]],
                    **look,
                },
            )
            return


def lost(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge messages that were accepted, and did not come though their receiver was there."""
    if not dialogue.sure:
        return
    gone = first_missing(dialogue, dialogue.messages, lambda body: body)
    if gone is not None:
        why, body = _LOST[gone.where], gone.message.body
        yield Finding(
            Kind.SEMANTIC,
            f"a message {why} was accepted and never delivered{gone.over} ({gone.message.how})",
            Cause("lost", why + gone.way),
            {
                "connection": gone.link.number,
                "first": body[:64].hex(),
                "lost": gone.count,
                **wire.message(dialogue, gone.link, body, least=gone.least),
            },
        )


class Where(Enum):
    """Where the receiver of a message was when it was sent, or that it should come again."""

    ONLINE = "online"
    OFFLINE = "offline"
    AGAIN = "again"


_LOST = {
    Where.ONLINE: "to a user who is online",
    Where.OFFLINE: "to a user who is offline",
    Where.AGAIN: "that was not acknowledged",
}


@dataclass(frozen=True, slots=True)
class Missing:
    """The first of ``count`` messages that ``link`` had to bring, ``least`` times, and did not.

    ``over`` is empty, or says that the server was restarted in between.
    """

    message: Message
    link: Link
    where: Where
    count: int
    least: int
    over: str

    @property
    def way(self) -> str:
        """Return what tells two defects apart besides ``where``, with a colon before it.

        What is lost on its way to a user who is there may be lost by the frame it came in, or by
        the cut of TCP. What is lost later was in the store, where all are alike, unless that was
        started anew.
        """
        if self.where is not Where.ONLINE:
            return f":{self.over}" if self.over else ""
        how = self.message.how
        return ": a frame" + CUT if how.endswith(CUT) else f": {how}"


def first_missing(
    dialogue: Dialogue, messages: Sequence[Message], key_of: Callable[[bytes], bytes | None]
) -> Missing | None:
    """Return what is owed of ``messages`` and did not come.

    Each is owed to the connection that its user was on when it was sent, else to the next one;
    and again to the next, as long as none was acknowledged. ``key_of`` returns the ``body`` of
    the message that a delivery stands for.
    """
    accepted = list(_accepted(dialogue, messages))
    for user in sorted(dialogue.users):
        stays = dialogue.stays_of(user)
        ours = [m for m in accepted if m.target == user]
        if not ours or not stays or not dialogue.one_after_the_other(user):
            continue
        for number, (link, stay) in enumerate(stays):
            if number and _takes_over(*stays[number - 1]):
                break
            if not (link.read_to_the_end and link.clean) or len(link.stays) > 1:
                continue
            owed = [m for m in ours if stay.until is not None and m.order < stay.until]
            missing: Counter[bytes | None] = Counter(m.body for m in owed)
            missing.subtract(Counter(key_of(m.message) for m in link.delivered))
            gone = [body for body, count in missing.items() if count > 0]
            if gone:
                first = next(m for m in owed if m.body in gone)
                least = sum(m.body == first.body for m in owed)
                before = stays[number - 1][1] if number else None
                where = _where(first, stay, before)
                over = OVER if dialogue.over_a_restart(first.order, stay.since) else ""
                return Missing(first, link, where, len(gone), least, over)
    return None


def _takes_over(link: Link, stay: Stay) -> bool:
    """Tell whether it is open what the next connection of a user is owed, behind this one."""
    return stay.until is None or any(isinstance(said.frame, Ack) for said in link.said)


def _where(message: Message, stay: Stay, before: Stay | None) -> Where:
    """Tell where the receiver was who should have got a message by the end of ``stay``."""
    if message.order > stay.since:
        return Where.ONLINE
    came = before is not None and before.until is not None and message.order < before.until
    return Where.AGAIN if came else Where.OFFLINE


def returned(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge messages that came again on a later connection, though they were acknowledged."""
    if not dialogue.sure or Ack not in dialogue.kinds:
        return
    for user in sorted(dialogue.users):
        stays = dialogue.stays_of(user)
        if len(stays) < 2 or not dialogue.one_after_the_other(user):
            continue
        for number, (link, _) in enumerate(stays[:-1]):
            if len(link.stays) > 1 or not link.clean or link.left is None:
                continue
            done = _acknowledged(link)
            for later, stay in stays[number + 1 :]:
                again = [m for m in later.delivered if m.msg_id in done]
                if again and len(later.stays) == 1:
                    look = wire.message(dialogue, later, again[0].message, most=0)
                    over = OVER if dialogue.over_a_restart(link.left, stay.since) else ""
                    yield Finding(
                        Kind.SEMANTIC,
                        f"a message came again{over} though it was acknowledged",
                        Cause("returned", over.strip()),
                        {"connection": later.number, **look},
                    )
                    return


def _acknowledged(link: Link) -> set[bytes]:
    """Return the ids of messages that came to a connection and were acknowledged there."""
    acknowledged = {said.frame.msg_id for said in link.said if isinstance(said.frame, Ack)}
    return acknowledged & {message.msg_id for message in link.delivered}


def reordered(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge messages of one connection to another, while both were there, by their order."""
    if not dialogue.sure:
        return
    for link in dialogue.links:
        stays = link.stays
        if len(stays) != 1 or stays[0].user not in dialogue.users:
            continue
        bodies = Counter(m.body for m in dialogue.messages)
        came = [m.message for m in link.delivered]
        places = {body: place for place, body in enumerate(came) if came.count(body) == 1}
        for sender in {m.link for m in dialogue.messages}:
            bodies_sent = [
                m.body
                for m in dialogue.messages
                if m.link == sender
                and m.target == stays[0].user
                and m.order > stays[0].since
                and bodies[m.body] == 1
                and m.body in places
            ]
            order = [places[body] for body in bodies_sent]
            if order != sorted(order):
                yield Finding(
                    Kind.SEMANTIC,
                    "messages of one client came in another order than they were sent",
                    Cause("reordered"),
                    {
                        "connection": link.number,
                        "order": order[:16],
                        **wire.messages_in_order(dialogue, link, bodies_sent),
                    },
                )
                return


def _accepted(dialogue: Dialogue, messages: Sequence[Message]) -> Iterator[Message]:
    """Yield those of ``messages`` that no server may refuse, on connections without a refusal.

    A sender's bucket holds 500 messages (rule 7), and a connection that ended badly for the
    sender may not have been read to its end.
    """
    good = {
        link.number
        for link in dialogue.links
        if not link.refused and link.left is not None and LoginOk() in link.heard
    }
    spent: Counter[bytes | None] = Counter()
    aimed = Counter(message.target for message in messages)
    for message in messages:
        spent[message.sender] += 1
        if message.sender is None or message.link not in good:
            continue
        if spent[message.sender] <= _ROOM and aimed[message.target] <= _CROWD:
            yield message


#: A tenth of the bucket of 500, and of the thousand messages that may await an ACK: whoever
#: sends less is near no limit.
_ROOM = 50
#: Half of the thousand messages that may await an ACK, whoever sent them: no receiver has to hold
#: more, and which ones a full one lets go is its own affair.
_CROWD = 500
