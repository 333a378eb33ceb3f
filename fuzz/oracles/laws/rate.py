"""Rule 7: a token bucket of 100 messages a second for each user, and a burst of 500.

What a bucket held is worked out from what was sent and when: each segment was handled after it
was sent and before the node was known to be at rest. So there is a least and a most of what can
have passed, and the law speaks of what is outside of both: on a busy machine they are far apart.

What passed is counted by what arrived at users of this play (others may get what was sent
long before), of users who send to no group (there one message arrives many times). Of a batch
that finds too few tokens, a server may let pass a part or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import floor, inf

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import Dialogue, Link, Said, Stay, messages_in
from grammar import Ack, Error, GroupMsg, Login, RateLimited, SenderKeyDist
from grammar.limits import RATE_BURST, RATE_PER_SECOND, UNACKED

#: The rate may be off by so much: a server's clock has its grain, and counts in its own units.
REFILL_TOLERANCE = 0.1
#: Tokens may come in lots, so that these are still to come: those of a tenth of a second.
_LOT = RATE_PER_SECOND / 10
#: A wait of this many seconds between two segments lets a bucket fill.
_REST_SECONDS = 1.0
#: The longest wait that can be right: then a bucket is full, and it gets no fuller.
RETRY_MOST_MS = 1000 * RATE_BURST // RATE_PER_SECOND
#: Half of what may await an ACK: whoever gets no more than this has room for all of it.
_ROOM = UNACKED // 2


def rate(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge refusals, the waits that they tell, and bursts that were let through."""
    if not dialogue.sure:
        return
    sent = Counter(message.sender for message in dialogue.messages)
    refused = any(isinstance(f, RateLimited) for link in dialogue.links for f in link.heard)
    if not refused and max(sent.values(), default=0) <= RATE_BURST:
        return  # the usual play: spare it the count of who sent what
    for finding in (*_waits(dialogue), *_early(dialogue, sent), *_accounts(dialogue, sent)):
        yield finding
        return


def _waits(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge the waits that refusals tell: until the next token, or for longer, but not for ever."""
    for link in dialogue.links:
        for frame in link.heard:
            if isinstance(frame, RateLimited) and not 0 < frame.retry_after <= RETRY_MOST_MS:
                why = "no wait" if frame.retry_after == 0 else "too long a wait"
                look = wire.check("waits", link, most=RETRY_MOST_MS)
                title = f"a message was refused for its rate, with a wait of {frame.retry_after} ms"
                yield Finding(Kind.SEMANTIC, title, Cause("rate", why), look)


def _early(dialogue: Dialogue, sent: Counter[bytes | None]) -> Iterator[Finding]:
    """Judge refusals to users who never sent more than a full bucket, whatever the time."""
    grouped = _grouped(dialogue)
    for link in dialogue.links:
        users = {stay.user for stay in link.stays}
        if len(users) != 1 or not users <= dialogue.users or users & grouped:
            continue
        (user,) = users
        if sent[user] > RATE_BURST or not any(isinstance(f, RateLimited) for f in link.heard):
            continue
        look = wire.check("absent", link, opcode=int(RateLimited.opcode))
        # Who is near no limit was refused for what others sent.
        if 2 * sent[user] <= RATE_BURST < sum(sent.values()):
            title = f"{sent[user]} messages were refused for what another user sent"
            yield Finding(Kind.SEMANTIC, title, Cause("rate", "shared"), look)
        else:
            title = f"{sent[user]} messages were too many for the rate limit"
            yield Finding(Kind.SEMANTIC, title, Cause("rate", "too early"), look)


def _grouped(dialogue: Dialogue) -> set[bytes | None]:
    """Return the users who send to groups."""
    return {
        said.user
        for link in dialogue.links
        for said in link.said
        if isinstance(said.frame, GroupMsg | SenderKeyDist)
    }


@dataclass(frozen=True, slots=True)
class _Account:
    """What one user sent, frame by frame in order, and how much of it came, by target.

    ``frames`` are the frames with messages, and their target and number; ``refusals`` how many
    frames FF the user was sent. ``bare`` tells that nothing else was said that may be refused.
    """

    user: bytes
    stays: tuple[tuple[Link, Stay], ...]
    frames: tuple[tuple[Said, bytes, int], ...]
    came: Counter[bytes]
    refusals: int
    bare: bool

    @property
    def sent(self) -> int:
        return sum(count for _, _, count in self.frames)

    def most(self, seconds: float) -> int:
        """Return how many messages can have passed: a burst, and what came in meanwhile."""
        since = min(said.at for said, _, _ in self.frames)
        until = max(min(said.done, seconds) for said, _, _ in self.frames)
        refill = RATE_PER_SECOND * (1 + REFILL_TOLERANCE) * max(0.0, until - since)
        return RATE_BURST + floor(refill) + 1

    def least(self) -> tuple[Counter[bytes], bool]:
        """Return how many messages must have passed, by target.

        The flag tells that one of these stands behind messages that may have been refused.
        """
        tokens, handled = float(RATE_BURST), inf
        must: Counter[bytes] = Counter()
        beyond = behind = False
        for said, target, count in self.frames:
            refill = RATE_PER_SECOND * (1 - REFILL_TOLERANCE) * (said.at - handled) - _LOT
            tokens = min(RATE_BURST, tokens + max(0.0, refill))
            handled = said.done
            if count <= tokens:
                must[target] += count
                behind = behind or beyond
            else:
                beyond = True
            # What was refused is not charged.
            tokens = max(0.0, tokens - count)
        return must, behind


def _accounts(dialogue: Dialogue, sent: Counter[bytes | None]) -> Iterator[Finding]:
    """Judge what passed of those who sent more than a full bucket."""
    over = {user for user, count in sent.items() if user is not None and count > RATE_BURST}
    grouped = _grouped(dialogue)
    passed = _passed(dialogue)
    for user in sorted(over & dialogue.users - grouped):
        if not dialogue.stays_of(user):
            continue
        account = _account(dialogue, user, passed.get(user, {}))
        yield from _too_many(dialogue, account, passed)
        yield from _too_few(dialogue, account)


def _passed(dialogue: Dialogue) -> dict[bytes | None, dict[bytes, tuple[bytes, Link]]]:
    """Return what came of each sender: the messages by their ids, and where they came to."""
    senders: dict[bytes, set[bytes | None]] = {}
    for message in dialogue.messages:
        senders.setdefault(message.body, set()).add(message.sender)
    passed: dict[bytes | None, dict[bytes, tuple[bytes, Link]]] = {}
    for link in dialogue.links:
        if not {stay.user for stay in link.stays} <= dialogue.users:
            continue
        for came in link.delivered:
            who = senders.get(came.message, set())
            if len(who) == 1:
                passed.setdefault(next(iter(who)), {})[came.msg_id] = (came.message, link)
    return passed


def _account(
    dialogue: Dialogue, user: bytes, passed: dict[bytes, tuple[bytes, Link]]
) -> _Account:
    stays = dialogue.stays_of(user)
    links = list(dict.fromkeys(link for link, _ in stays))
    said = sorted(
        (said for link in links for said in link.said if said.user == user),
        key=lambda one: one.order,
    )
    frames = []
    for one in said:
        messages = list(messages_in(one))
        if messages:
            frames.append((one, messages[0][0], len(messages)))
    heard = [frame for link in links for frame in link.heard]
    return _Account(
        user,
        tuple(stays),
        tuple(frames),
        Counter(link.stays[0].user for _, link in passed.values() if link.stays),
        sum(isinstance(frame, RateLimited) for frame in heard),
        all(list(messages_in(one)) or isinstance(one.frame, Login | Ack) for one in said)
        and not any(isinstance(frame, Error) for frame in heard),
    )
