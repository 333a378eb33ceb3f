"""Rule 7: a token bucket of 100 messages a second for each user, and a burst of 500.

What a bucket held is worked out from what was sent and when: each segment was handled after it
was sent and before the node was known to be at rest. So there is a least and a most of what can
have passed, and the law speaks of what is outside of both: on a busy machine they are far apart.

What passed is counted by what arrived at users of this play (others may get what was sent
long before), of users who send to no group (there one message arrives many times). Of a batch
that finds too few tokens, a server may let pass a part or nothing. Buckets are in memory: after a
restart they are full again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import floor, inf

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import Dialogue, Link, Said, messages_in
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
    if not dialogue.sure or dialogue.restarts:
        return
    refused = RateLimited in dialogue.heard_kinds
    if not refused and len(dialogue.messages) <= RATE_BURST:
        return  # the usual play: spare it the count of who sent what
    sent = Counter(message.sender for message in dialogue.messages)
    if not refused and max(sent.values(), default=0) <= RATE_BURST:
        return
    for finding in (*_waits(dialogue), *_early(dialogue, sent), *_accounts(dialogue, sent)):
        yield finding
        return


def _waits(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge the waits that refusals tell.

    The next token may come within a millisecond; no wait at all is for who has one.
    """
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
class _Charge:
    """A frame with messages: to whom, and how many."""

    link: Link
    said: Said
    target: bytes
    count: int


@dataclass(frozen=True, slots=True)
class _Account:
    """What one user sent, frame by frame in order, and how much of it came, by target.

    ``refusals`` counts the frames FF that the user was sent. ``clear`` tells that each of them
    is for a message, and that all of them were read.
    """

    user: bytes
    charges: tuple[_Charge, ...]
    came: Counter[bytes]
    refusals: int
    clear: bool

    @property
    def sent(self) -> int:
        """Return the number of messages."""
        return sum(charge.count for charge in self.charges)

    def most(self, seconds: float) -> int:
        """Return how many messages can have passed: a burst, and what came in meanwhile.

        The play took so many ``seconds``.
        """
        since = min(charge.said.at for charge in self.charges)
        until = max(min(charge.said.done, seconds) for charge in self.charges)
        refill = RATE_PER_SECOND * (1 + REFILL_TOLERANCE) * max(0.0, until - since)
        return RATE_BURST + floor(refill) + 1

    def least(self) -> dict[bytes, tuple[int, str]]:
        """Return by target how many messages must have passed, and why if they have not."""
        tokens, handled, why = float(RATE_BURST), inf, "too early"
        must: dict[bytes, tuple[int, str]] = {}
        beyond = False
        for charge in self.charges:
            rested = charge.said.at - handled
            refill = RATE_PER_SECOND * (1 - REFILL_TOLERANCE) * rested - _LOT
            if refill > 0:
                tokens = min(RATE_BURST, tokens + refill)
                why = "refused ones counted" if beyond else "refill too slow"
            handled = charge.said.done
            if charge.count <= tokens:
                before, _ = must.get(charge.target, (0, ""))
                must[charge.target] = before + charge.count, why
            else:
                beyond = True
            # What was refused is not charged.
            tokens = max(0.0, tokens - charge.count)
        return must

    def why_too_many(self) -> str:
        """Return where there were more tokens than one bucket holds.

        One that has run out, and let through too much all the same, was full again too soon.
        """
        if self.refusals:
            return "refill too fast"
        by_edge = Counter[int]()
        by_link = Counter[int]()
        by_stay = Counter[tuple[int, int]]()
        for charge in self.charges:
            logins = sum(login < charge.said.order for login in charge.link.logins)
            by_edge[charge.link.edge] += charge.count
            by_link[charge.link.number] += charge.count
            by_stay[charge.link.number, logins] += charge.count
        if max(by_edge.values()) <= RATE_BURST:
            return "per edge"
        if max(by_link.values()) <= RATE_BURST:
            return "per connection"
        if max(by_stay.values()) <= RATE_BURST:
            return "per login"
        rests = (b.said.at - a.said.done for a, b in pairwise(self.charges))
        return "refill too fast" if max(rests, default=0.0) >= _REST_SECONDS else "not limited"


def _accounts(dialogue: Dialogue, sent: Counter[bytes | None]) -> Iterator[Finding]:
    """Judge what passed of those who sent more than a full bucket."""
    over = {user for user, count in sent.items() if user is not None and count > RATE_BURST}
    passed = _passed(dialogue)
    for user in sorted((over & dialogue.users) - _grouped(dialogue)):
        if dialogue.stays_of(user):
            account = _account(dialogue, user, passed.get(user, {}))
            yield from _too_many(dialogue, account, passed)
            yield from _too_few(dialogue, account)


def _passed(dialogue: Dialogue) -> dict[bytes | None, dict[bytes, bytes]]:
    """Return what came of each sender: the ids of messages, and the users they came to."""
    senders: dict[bytes, set[bytes | None]] = {}
    for message in dialogue.messages:
        senders.setdefault(message.body, set()).add(message.sender)
    passed: dict[bytes | None, dict[bytes, bytes]] = {}
    for link in dialogue.links:
        users = {stay.user for stay in link.stays}
        if not users <= dialogue.users:
            continue
        for came in link.delivered:
            who = senders.get(came.message, set())
            if len(who) == 1 and users:
                passed.setdefault(next(iter(who)), {})[came.msg_id] = next(iter(users))
    return passed


def _account(dialogue: Dialogue, user: bytes, passed: Mapping[bytes, bytes]) -> _Account:
    links = list(dict.fromkeys(link for link, _ in dialogue.stays_of(user)))
    said = [(link, one) for link in links for one in link.said if one.user == user]
    charges = []
    for link, one in sorted(said, key=lambda pair: pair[1].order):
        messages = list(messages_in(one))
        if messages:
            charges.append(_Charge(link, one, messages[0][0], len(messages)))
    heard = [frame for link in links for frame in link.heard]
    clear = (
        all(link.read_to_the_end and not link.pending for link in links)
        and not any(isinstance(frame, Error) for frame in heard)
        and len(charges) == sum(not isinstance(one.frame, Login | Ack) for _, one in said)
    )
    refusals = sum(isinstance(frame, RateLimited) for frame in heard)
    return _Account(user, tuple(charges), Counter(passed.values()), refusals, clear)


def _too_many(
    dialogue: Dialogue, account: _Account, passed: Mapping[bytes | None, Mapping[bytes, bytes]]
) -> Iterator[Finding]:
    """Judge what was delivered: no more than a bucket has tokens for, and nothing refused."""
    came = account.came.total()
    others = sum(len(ids) for user, ids in passed.items() if user != account.user)
    # Who comes back gets again what was not acknowledged.
    once = all(len(dialogue.stays_of(target)) == 1 for target in account.came)
    if once and account.clear and came + account.refusals > account.sent:
        look = wire.check("metered", sent=account.sent, others=others)
        title = "a message was refused for its rate, and delivered all the same"
        yield Finding(Kind.SEMANTIC, title, Cause("rate", "refused and delivered"), look)
    elif came > account.most(dialogue.seconds):
        look = wire.check("burst", burst=RATE_BURST, rate=RATE_PER_SECOND, others=others)
        why = account.why_too_many()
        yield Finding(Kind.SEMANTIC, _TOO_MANY[why], Cause("rate", why), look)


_TOO_MANY = {
    "per edge": "a burst of one user on each edge was let through",
    "per connection": "a burst on each connection of one user was let through",
    "per login": "a burst after each login of one user was let through",
    "refill too fast": "a bucket of the rate limit was full again too soon",
    "not limited": "a burst beyond the rate limit was let through",
}


def _too_few(dialogue: Dialogue, account: _Account) -> Iterator[Finding]:
    """Judge refusals of what there were tokens for, and messages dropped without a refusal."""
    if not account.clear:
        return
    must = account.least()
    targets = dict.fromkeys(charge.target for charge in account.charges)
    places = {target: _place(dialogue, account, target) for target in targets}
    for target, (least, why) in must.items():
        link = places[target]
        if account.refusals and link is not None and account.came[target] < least:
            title = (
                f"{account.came[target]} messages passed the rate limit where there were tokens"
                f" for {least}"
            )
            look = wire.check("passed", link, least=least)
            yield Finding(Kind.SEMANTIC, title, Cause("rate", why), look)
            return
    whole = None not in places.values() and all(
        account.came[t] >= least for t, (least, _) in must.items()
    )
    if whole and not account.refusals and account.came.total() < account.sent:
        look = wire.check("metered", sent=account.sent, silent=True)
        title = "messages beyond the rate limit were dropped, and their sender was not told"
        yield Finding(Kind.SEMANTIC, title, Cause("rate", "not told"), look)


def _place(dialogue: Dialogue, account: _Account, target: bytes) -> Link | None:
    """Return where all messages to ``target`` that passed must have come, None if unclear."""
    stays = dialogue.stays_of(target)
    if target not in dialogue.users or len(stays) != 1:
        return None
    (link, stay) = stays[0]
    aimed = [m for m in dialogue.messages if m.target == target]
    bodies = {m.body for m in aimed}
    alone = all(m.sender == account.user for m in dialogue.messages if m.body in bodies)
    there = stay.until is not None and stay.since < aimed[0].order and aimed[-1].order < stay.until
    held = len(aimed) <= _ROOM and len(link.stays) == 1 and link.clean and link.read_to_the_end
    return link if alone and there and held else None
