"""Rule 7: a token bucket of 100 messages a second for each user, and a burst of 500."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import ceil

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import Dialogue
from grammar import GroupMsg, RateLimited, SenderKeyDist
from grammar.limits import RATE_BURST, RATE_PER_SECOND


def rate(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge refusals that came too early, and bursts that were let through.

    What passed is counted by what arrived at users of this play (others may get what was sent
    long before), of users who send to no group (there one message arrives many times).
    """
    if not dialogue.sure:
        return
    sent = Counter(m.sender for m in dialogue.messages)
    grouped = {
        said.user
        for link in dialogue.links
        for said in link.said
        if isinstance(said.frame, GroupMsg | SenderKeyDist)
    }
    for link in dialogue.links:
        users = {stay.user for stay in link.stays}
        if len(users) != 1 or not users <= dialogue.users or users & grouped:
            continue
        (user,) = users
        if sent[user] <= RATE_BURST and any(isinstance(f, RateLimited) for f in link.heard):
            look = wire.check("absent", link, opcode=int(RateLimited.opcode))
            title = f"{sent[user]} messages were too many for the rate limit"
            yield Finding(Kind.SEMANTIC, title, Cause("rate", "too early"), look)
            return
    if sum(len(link.delivered) for link in dialogue.links) <= RATE_BURST:
        return  # the usual play: spare it the count of who sent what
    bound = RATE_BURST + ceil(RATE_PER_SECOND * dialogue.seconds) + 1
    senders: dict[bytes, set[bytes | None]] = {}
    for message in dialogue.messages:
        senders.setdefault(message.body, set()).add(message.sender)
    passed: dict[bytes | None, set[bytes]] = {}
    for link in dialogue.links:
        if not {stay.user for stay in link.stays} <= dialogue.users:
            continue
        for came in link.delivered:
            who = senders.get(came.message, set())
            if len(who) == 1:
                passed.setdefault(next(iter(who)), set()).add(came.msg_id)
    for name in sorted(dialogue.users - grouped):
        if dialogue.stays_of(name) and len(passed.get(name, ())) > bound:
            all_ids = {came.msg_id for link in dialogue.links for came in link.delivered}
            look = wire.check(
                "burst", burst=RATE_BURST, rate=RATE_PER_SECOND, others=len(all_ids - passed[name])
            )
            title = "a burst beyond the rate limit was let through"
            yield Finding(Kind.SEMANTIC, title, Cause("rate", "not limited"), look)
            return
