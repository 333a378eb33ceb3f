"""Key bundles (RFC-001 Amendment 001): a one-time key is used once, and the last upload counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fuzz.finding import Cause, Finding, Kind
from fuzz.oracles.laws import wire
from fuzz.oracles.laws.dialogue import Dialogue, Link, Said
from grammar import FetchPrekeys, PrekeyResponse, UploadPrekeys, cbor
from grammar.errors import GrammarError

#: What a bundle is known by: all of it that does not change with each fetch.
_LASTING = ("identity_key", "signed_prekey", "signed_prekey_signature")
_Map = dict[object, object]
#: A request about keys, its reply as a map (empty if it is none), and where that came.
_Asked = tuple[Said, _Map, Link]


def bundles(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge what fetches bring by what was uploaded before them, for users made for this play."""
    if not dialogue.sure or FetchPrekeys not in dialogue.kinds:
        return
    asked = _asked(dialogue)
    for said, told, link in asked:
        if not isinstance(said.frame, FetchPrekeys) or said.frame.user not in dialogue.users:
            continue
        owner = said.frame.user
        uploads = [
            one
            for one in asked
            if isinstance(one[0].frame, UploadPrekeys)
            and one[0].user == owner
            and one[0].moment < said.moment
        ]
        wrong = _wrong(told, uploads)
        if wrong:
            place = sum(one[0].place < said.place for one in asked if one[2] is link)
            look = wire.check("bundle", link, reply=place, keys=_lasting_of(uploads))
            yield Finding(
                Kind.SEMANTIC,
                f"FETCH_PREKEYS brought {_WRONG[wrong]}",
                Cause("bundle", wrong),
                {"connection": link.number, **look},
            )
            return


_WRONG = {
    "not the last": "other keys than its user has uploaded last",
    "nothing": "nothing, though its user has uploaded a bundle",
    "nobody's": "a bundle of a user who has uploaded none",
}


def _wrong(told: _Map, uploads: list[_Asked]) -> str:
    """Return the key of what is wrong with the reply to a fetch, empty if it may be right."""
    brought = {name: told[name] for name in _LASTING if name in told}
    if not uploads:
        return "nobody's" if brought else ""
    said, reply, _ = max(uploads, key=lambda one: one[0].moment)
    assert isinstance(said.frame, UploadPrekeys)
    sent = _map(said.frame.bundle)
    plain = all(_is_plain(said.frame.bundle, sent, name) for name in _LASTING)
    if reply.get("status") != "ok" or not plain:
        return ""  # it was refused, or is no bundle: what is kept is the server's affair
    if told.get("status") == "not_found":
        return "nothing"
    return "not the last" if any(value != sent[name] for name, value in brought.items()) else ""


def _is_plain(bundle: bytes, sent: _Map, name: str) -> bool:
    """Tell whether a bundle names a key once, and gives it bytes."""
    return isinstance(sent.get(name), bytes) and bundle.count(cbor.dumps(name)) == 1


def _lasting_of(uploads: list[_Asked]) -> list[str]:
    """Return what the last of ``uploads`` is known by, in hex; nothing without any."""
    if not uploads:
        return []
    said, _, _ = max(uploads, key=lambda one: one[0].moment)
    assert isinstance(said.frame, UploadPrekeys)
    sent = _map(said.frame.bundle)
    keys = [sent.get(name) for name in _LASTING]
    return [key.hex() for key in keys if isinstance(key, bytes)]


def _asked(dialogue: Dialogue) -> list[_Asked]:
    """Return all requests about keys with their replies; nothing where these cannot be told."""
    asked: list[_Asked] = []
    for link in dialogue.links:
        requests = [s for s in link.said if isinstance(s.frame, FetchPrekeys | UploadPrekeys)]
        replies = [_map(f.bundle) for f in link.heard if isinstance(f, PrekeyResponse)]
        if (requests or replies) and (link.refused or len(requests) != len(replies)):
            return []
        asked += zip(requests, replies, [link] * len(requests), strict=True)
    return asked


def _map(bundle: bytes) -> _Map:
    """Return the map that a field holds; what is no map has nothing in it."""
    try:
        value = cbor.loads(bundle)
    except GrammarError:
        return {}
    return value if isinstance(value, dict) else {}


def one_time_keys(dialogue: Dialogue) -> Iterator[Finding]:
    """Judge one-time keys that were handed out twice (RFC-001 Amendment 001).

    Who fetches the keys of somebody else than the users of this play may get what others have
    published before, and that may be the same keys: of such a client nothing is counted.
    """
    if not dialogue.sure or FetchPrekeys not in dialogue.kinds:
        return
    published: Counter[bytes] = Counter()
    for link in dialogue.links:
        for said in link.said:
            if isinstance(said.frame, UploadPrekeys):
                published.update(_keys(said.frame.bundle))
    handed: Counter[bytes] = Counter()
    bundles: list[bytes] = []
    for link in dialogue.links:
        fetched = {said.frame.user for said in link.said if isinstance(said.frame, FetchPrekeys)}
        if not fetched:
            continue
        for frame in link.heard:
            if isinstance(frame, PrekeyResponse):
                bundles.append(frame.bundle)
                if fetched <= dialogue.users:
                    handed.update(_keys(frame.bundle))
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
    keys = _map(bundle).get("one_time_prekeys")
    return [key for key in keys if isinstance(key, bytes)] if isinstance(keys, list) else []
