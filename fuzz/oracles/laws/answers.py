"""What a client is told: that it is told at all (rule 3), and that it is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import Dialogue, Link, Said
from grammar import (
    Direction,
    FetchPrekeys,
    GetStatus,
    GroupCreate,
    GroupDelivery,
    GroupLeave,
    GroupLeft,
    GroupMsg,
    Login,
    PrekeyResponse,
    ReadReceipt,
    ReadReceiptRelay,
    SenderKeyDelivery,
    SenderKeyDist,
    StatusResponse,
    TypingRelay,
    TypingStart,
    TypingStop,
    UploadPrekeys,
    cbor,
    decode,
)
from grammar.dialogue import RULES, State, always_answered
from grammar.errors import GrammarError


def unanswered(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge requests that got no answer at all, though their connection ended in order."""
    for link in dialogue.links:
        if not (link.clean and link.read_to_the_end):
            continue
        asked = Counter(said.frame.opcode for said in link.said if _must_be_answered(said))
        for opcode, count in asked.items():
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


def _must_be_answered(said: Said) -> bool:
    state = State.CONNECTED if said.user is None else State.LOGGED_IN
    return not isinstance(said.frame, Login) and always_answered(said.frame.opcode, state)


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


def one_time_keys(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge one-time keys that were handed out twice (RFC-001 Amendment 001)."""
    if not dialogue.sure:
        return
    published: Counter[bytes] = Counter()
    for link in dialogue.links:
        for said in link.said:
            if isinstance(said.frame, UploadPrekeys):
                published.update(_keys(said.frame.bundle))
    handed: Counter[bytes] = Counter()
    bundles: list[bytes] = []
    for link in dialogue.links:
        if not any(isinstance(said.frame, FetchPrekeys) for said in link.said):
            continue
        for frame in link.heard:
            if isinstance(frame, PrekeyResponse):
                handed.update(_keys(frame.bundle))
                bundles.append(frame.bundle)
    twice = [key for key, count in handed.items() if count > published[key] > 0]
    if twice:
        # The bytes of a key may stand in a bundle for something else as well.
        seen = sum(bundle.count(twice[0]) for bundle in bundles)
        most = seen - handed[twice[0]] + published[twice[0]]
        yield Finding(
            Kind.SEMANTIC,
            "a one-time key was handed out more often than it was published",
            Cause("one-time key"),
            wire.check("key", key=twice[0].hex(), most=most) if twice[0] else {},
        )


def _keys(bundle: bytes) -> list[bytes]:
    """Return the one-time keys of a bundle; what is no bundle has none."""
    try:
        value = cbor.loads(bundle)
    except GrammarError:
        return []
    keys = value.get("one_time_prekeys") if isinstance(value, dict) else None
    return [key for key in keys if isinstance(key, bytes)] if isinstance(keys, list) else []


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


def groups(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge what is written to a group by one who has left it, and was told so."""
    if not dialogue.sure:
        return
    written: Counter[tuple[bytes, bytes]] = Counter()
    strange: set[tuple[bytes, bytes]] = set()
    for link in dialogue.links:
        left = _left(dialogue, link)
        for said in link.said:
            if isinstance(said.frame, GroupMsg):
                key = (said.frame.group_id, said.frame.ciphertext)
            elif isinstance(said.frame, SenderKeyDist):
                key = (said.frame.group_id, said.frame.key_data)
            else:
                continue
            if (said.user, said.frame.group_id) in left and _behind(link, said):
                strange.add(key)
            else:
                written[key] += 1
    for link in dialogue.links:
        for message in link.delivered:
            key_of = _group_content(message.message)
            if key_of is not None and key_of in strange and not written[key_of]:
                yield Finding(
                    Kind.SEMANTIC,
                    "a member of a group was sent what one who has left it wrote",
                    Cause("group", "written by one who has left"),
                    {
                        "connection": link.number,
                        **wire.group_content(dialogue, link, key_of[1]),
                    },
                )
                return


def _left(dialogue: Dialogue, link: Link) -> set[tuple[bytes | None, bytes]]:
    """Return the groups that a user left on ``link`` for good, and was told so.

    One who is on another connection as well may enter there again.
    """
    leaves = [said for said in link.said if isinstance(said.frame, GroupLeave)]
    confirmed = sum(isinstance(frame, GroupLeft) for frame in link.heard)
    users = {said.user for said in link.said}
    if len(leaves) != confirmed or len(users - {None}) != 1:
        return set()
    if any(other is not link for user in users if user for other, _ in dialogue.stays_of(user)):
        return set()
    return {
        (said.user, said.frame.group_id) for said in leaves if isinstance(said.frame, GroupLeave)
    }


def _behind(link: Link, said: Said) -> bool:
    """Tell whether a frame was sent behind a leave of its group, and no entry behind that."""
    assert isinstance(said.frame, GroupMsg | SenderKeyDist)
    group, place = said.frame.group_id, link.said.index(said)
    before = [other.frame for other in link.said[:place]]
    leaves = [n for n, f in enumerate(before) if isinstance(f, GroupLeave) and f.group_id == group]
    return bool(leaves) and not any(isinstance(f, GroupCreate) for f in before[leaves[-1] :])


def _group_content(message: bytes) -> tuple[bytes, bytes] | None:
    """Return group and content of a delivery to a group, None for anything else."""
    try:
        frames = decode(message, Direction.SERVER)
    except GrammarError:
        return None
    frame = frames[0] if len(frames) == 1 else None
    if isinstance(frame, GroupDelivery):
        return frame.group_id, frame.ciphertext
    if isinstance(frame, SenderKeyDelivery):
        return frame.group_id, frame.key_data
    return None
