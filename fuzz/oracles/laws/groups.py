"""Groups: what is written to one reaches its members, all of them, and nobody else.

Who is in a group, the server itself tells: with GROUP_JOIN it lets a user in, with GROUP_LEFT out.
The protocol has no other way in, so who was never let in is none. Source: RFC-001 Amendment 001.

Where a user's comings and goings cannot be told (a request was refused, or its answer did not
come, or the user is on several connections at a time), the laws are silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.delivery import Where, first_missing
from fuzz.oracles.laws.dialogue import Dialogue, Link, Message, Said
from grammar import (
    Direction,
    GroupCreate,
    GroupDelivery,
    GroupJoin,
    GroupLeave,
    GroupLeft,
    GroupMsg,
    GroupRoster,
    GroupRosterReply,
    SenderKeyDelivery,
    SenderKeyDist,
    cbor,
    decode,
)
from grammar.errors import GrammarError

#: When something was said; see :attr:`fuzz.oracles.laws.dialogue.Said.moment`.
_Moment = tuple[int, int]
#: A delivery's first byte, the group, and what was written to it.
_Content = tuple[int, bytes, bytes]
_BEFORE: _Moment = (-1, 0)
_NEVER: _Moment = (1 << 62, 0)
_ENTERING = frozenset({GroupCreate, GroupLeave})


@dataclass(frozen=True, slots=True)
class Spell:
    """A user in a group, from being let in until being let out."""

    user: bytes
    group: bytes
    since: _Moment
    until: _Moment = _NEVER

    def covers(self, moment: _Moment) -> bool:
        """Tell whether the user was in the group at a moment."""
        return self.since < moment < self.until


@dataclass(frozen=True, slots=True)
class Membership:
    """Who was in which group, and the users of whom that cannot be told."""

    spells: tuple[Spell, ...]
    unclear: frozenset[bytes]

    def of(self, user: bytes | None, group: bytes) -> list[Spell]:
        """Return when a user was in a group."""
        return [spell for spell in self.spells if (spell.user, spell.group) == (user, group)]

    def covers(self, user: bytes | None, group: bytes, moment: _Moment) -> bool:
        """Tell whether a user was in a group at a moment."""
        return any(spell.covers(moment) for spell in self.of(user, group))


@dataclass(frozen=True, slots=True)
class _Move:
    """A user who was let into a group at a moment, or out of it."""

    user: bytes
    group: bytes
    moment: _Moment
    comes: bool


@dataclass(frozen=True, slots=True)
class _Written:
    """What a user wrote to a group, and on which connection."""

    said: Said
    link: Link
    group: bytes
    content: bytes

    @property
    def key(self) -> _Content:
        return int(self.said.frame.opcode), self.group, self.content


def group_writers(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge what is written to a group by one who has left it, and was told so."""
    membership = _membership(dialogue)
    if membership is None:
        return
    lawful: Counter[_Content] = Counter()
    strange: set[_Content] = set()
    for one in _written(dialogue):
        writer, theirs = one.said.user, membership.of(one.said.user, one.group)
        if theirs and writer not in membership.unclear and not _covered(theirs, one):
            strange.add(one.key)
        else:
            lawful[one.key] += 1
    for link in dialogue.links:
        for message in link.delivered:
            key = _content(message.message)
            if key is not None and key in strange and not lawful[key]:
                title = "a member of a group was sent what one who has left it wrote"
                yield _told(dialogue, link, title, "written by one who has left", key)
                return


def group_readers(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge who is sent what was written to a group: nobody who is not in it."""
    membership = _membership(dialogue)
    if membership is None:
        return
    written = _written(dialogue)
    for link in dialogue.links:
        users = {stay.user for stay in link.stays}
        if len(users) != 1 or not users <= dialogue.users - membership.unclear:
            continue
        (user,) = users
        for message in link.delivered:
            key = _content(message.message)
            copies = [one for one in written if one.key == key]
            theirs = membership.of(user, copies[0].group) if copies else []
            if key is None or not copies or any(_may_read(theirs, one) for one in copies):
                continue
            who = "one who has left" if theirs else "a stranger"
            title = f"what was written to a group was read by {who}"
            yield _told(dialogue, link, title, f"read by {who}", key)
            return


def _may_read(spells: list[Spell], one: _Written) -> bool:
    """Tell whether a user was in a group when something was written, or is let in later.

    Who comes later may be shown what was said before: the protocol is silent there.
    """
    return any(spell.until > one.said.moment for spell in spells)


def _covered(spells: list[Spell], one: _Written) -> bool:
    return any(spell.covers(one.said.moment) for spell in spells)


def _told(dialogue: Dialogue, link: Link, title: str, why: str, key: _Content) -> Finding:
    look = wire.group_content(dialogue, link, key[-1])
    return Finding(Kind.SEMANTIC, title, Cause("group", why), {"connection": link.number, **look})


def group_lost(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge what was written to a group and did not come to one of its members."""
    membership = _membership(dialogue)
    if membership is None:
        return
    owed = {
        Message(
            one.said.order, one.link.number, one.said.user, spell.user, _mark(one.key), one.said.how
        ): one
        for one in _written(dialogue)
        for spell in membership.spells
        # What goes to one who leaves before reading it is the server's affair.
        if spell.group == one.group and spell.until == _NEVER and spell.covers(one.said.moment)
        and spell.user != one.said.user and spell.user not in membership.unclear
        and membership.covers(one.said.user, one.group, one.said.moment)
    }  # fmt: skip
    gone = first_missing(dialogue, list(owed), _mark_of)
    if gone is not None:
        content, who = owed[gone.message].content, _MEMBER[gone.where]
        yield Finding(
            Kind.SEMANTIC,
            f"what was written to a group never came to a member {who}{gone.over}"
            f" ({gone.message.how})",
            Cause("group", f"lost to a member {who}{gone.way}"),
            {
                "connection": gone.link.number,
                **wire.group_content(dialogue, gone.link, content, least=gone.least),
            },
        )


_MEMBER = {
    Where.ONLINE: "who is online",
    Where.OFFLINE: "who is offline",
    Where.AGAIN: "who did not acknowledge it",
}


def _mark(key: _Content) -> bytes:
    """Return a message body that stands for a delivery to a group, whatever its header."""
    kind, group, content = key
    return bytes([kind]) + len(group).to_bytes(2, "big") + group + content


def _mark_of(message: bytes) -> bytes | None:
    key = _content(message)
    return None if key is None else _mark(key)


def rosters(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge whom a roster names, of groups that were made in this play."""
    if GroupRoster not in dialogue.kinds:
        return
    membership = _membership(dialogue)
    if membership is None or membership.unclear:
        return
    for link in dialogue.links:
        asked = [said for said in link.said if isinstance(said.frame, GroupRoster)]
        told = [frame for frame in link.heard if isinstance(frame, GroupRosterReply)]
        if link.refused or len(asked) != len(told):
            continue
        for place, (said, reply) in enumerate(zip(asked, told, strict=True)):
            named = _names(reply.roster)
            members = _members(membership, reply.group_id, said.moment)
            wrong = _wrong_roster(named, members)
            if wrong:
                names = sorted(wire.name(dialogue, name) for name in members)
                look = wire.check("roster", link, reply=place, members=names)
                yield Finding(
                    Kind.SEMANTIC,
                    f"a roster {wrong}",
                    Cause("roster", wrong),
                    {"connection": link.number, **look},
                )
                return


def _wrong_roster(named: list[bytes] | None, members: set[bytes]) -> str:
    """Return what is wrong with whom a roster names, empty if it may be right."""
    if named is None or not members:
        return ""
    if set(named) - members:
        return "names a user who is not in the group"
    if members - set(named):
        return "leaves out a member of the group"
    return "names a member twice" if len(named) > len(members) else ""


def _names(roster: bytes) -> list[bytes] | None:
    """Return the names in a roster: texts, or bytes where they are none."""
    try:
        value = cbor.loads(roster)
    except GrammarError:
        return None
    if not isinstance(value, list):
        return None
    names = [name.encode() if isinstance(name, str) else name for name in value]
    return names if all(isinstance(name, bytes) for name in names) else None


def _members(membership: Membership, group: bytes, moment: _Moment) -> set[bytes]:
    """Return the members of a group at a moment; nobody where some came before this play."""
    theirs = [spell for spell in membership.spells if spell.group == group]
    if any(spell.since == _BEFORE for spell in theirs):
        return set()
    return {spell.user for spell in theirs if spell.covers(moment)}


def _membership(dialogue: Dialogue) -> Membership | None:
    """Return who was in which group, or None in a dialogue that is about no group."""
    if not dialogue.sure or not dialogue.kinds & _ENTERING:
        return None
    theirs: dict[tuple[bytes, bytes], list[_Move]] = {}
    unclear: set[bytes] = set()
    for link in dialogue.links:
        moves = _moves(dialogue, link)
        if moves is None:
            unclear.update(stay.user for stay in link.stays)
        for move in moves or ():
            theirs.setdefault((move.user, move.group), []).append(move)
    spells = [
        Spell(user, group, since, until)
        for (user, group), moves in theirs.items()
        for since, until in _intervals(sorted(moves, key=lambda move: move.moment))
    ]
    return Membership(tuple(spells), frozenset(unclear))


def _intervals(moves: list[_Move]) -> Iterator[tuple[_Moment, _Moment]]:
    # Whoever is let out of a group that nobody saw it enter was in it before.
    since: _Moment | None = None if moves[0].comes else _BEFORE
    for move in moves:
        if move.comes and since is None:
            since = move.moment
        elif not move.comes and since is not None:
            yield since, move.moment
            since = None
    if since is not None:
        yield since, _NEVER


def _moves(dialogue: Dialogue, link: Link) -> list[_Move] | None:
    """Return what was done on a connection, or None where that cannot be told."""
    creates = [said for said in link.said if isinstance(said.frame, GroupCreate)]
    leaves = [said for said in link.said if isinstance(said.frame, GroupLeave)]
    users = {stay.user for stay in link.stays}
    joins = [f for f in link.heard if isinstance(f, GroupJoin) and f.user in users]
    lefts = sum(isinstance(frame, GroupLeft) for frame in link.heard)
    if not (creates or leaves or joins):
        return []
    if len(users) != 1 or len(joins) != len(creates) or lefts != len(leaves):
        return None
    (user,) = users
    strangers = any(said.user is None for said in (*creates, *leaves))
    if strangers or user not in dialogue.users or not dialogue.one_after_the_other(user):
        return None
    return [
        *(_Move(user, j.group_id, s.moment, True) for s, j in zip(creates, joins, strict=True)),
        *(_Move(user, _group(said), said.moment, False) for said in leaves),
    ]


def _group(said: Said) -> bytes:
    assert isinstance(said.frame, GroupLeave)
    return said.frame.group_id


def _written(dialogue: Dialogue) -> list[_Written]:
    written = []
    for link in dialogue.links:
        for said in link.said:
            if isinstance(said.frame, GroupMsg):
                written.append(_Written(said, link, said.frame.group_id, said.frame.ciphertext))
            elif isinstance(said.frame, SenderKeyDist):
                written.append(_Written(said, link, said.frame.group_id, said.frame.key_data))
    return written


def _content(message: bytes) -> _Content | None:
    """Return group and content of a delivery to a group, None for anything else."""
    if not message.startswith((b"\x33", b"\x36")):
        return None
    try:
        frames = decode(message, Direction.SERVER)
    except GrammarError:
        return None
    frame = frames[0] if len(frames) == 1 else None
    if isinstance(frame, GroupDelivery):
        return message[0], frame.group_id, frame.ciphertext
    if isinstance(frame, SenderKeyDelivery):
        return message[0], frame.group_id, frame.key_data
    return None
