"""What a law saw, as a stand-alone reproducer can look for it in a play of its own.

Each function returns what goes into the evidence of a finding under ``wire``: the check of
:mod:`fuzz.report.standalone.verdict` and what that needs. Messages are told apart by a mark,
which is the same in each play: the names of a play are not in it. What holds an id that the
server made has no mark that lasts; then there is nothing to look for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fuzz.case import unbind
from fuzz.oracles.laws.dialogue import Dialogue, Link
from grammar import GroupJoin, ReliableMsg

#: Shorter ids may be part of a message by chance.
_ID_BYTES = 4


def message(dialogue: Dialogue, link: Link, body: bytes, **times: int) -> dict[str, object]:
    """Tell how often a message must come to a connection: ``least`` or ``most``."""
    mark = _mark(dialogue, body)
    return _wire("delivered", link, mark=mark, **times) if mark else {}


def messages_in_order(dialogue: Dialogue, link: Link, bodies: Iterable[bytes]) -> dict[str, object]:
    """Tell in which order messages must come to a connection."""
    marks = [_mark(dialogue, body) for body in bodies]
    return _wire("order", link, marks=marks) if all(marks) else {}


def group_content(
    dialogue: Dialogue, link: Link, content: bytes, **times: int
) -> dict[str, object]:
    """Tell what of a group must not come to a connection, or ``least`` so often."""
    mark = _mark(dialogue, content)
    return _wire("group", link, mark=mark, **times) if mark else {}


def name(dialogue: Dialogue, user: bytes) -> str:
    """Return the name of a user as it can be looked for, in hex."""
    return unbind(user, dialogue.users).hex()


def check(what: str, link: Link | None = None, **needs: object) -> dict[str, object]:
    """Tell which check is to be made, and what it needs."""
    return _wire(what, link, **needs)


def _wire(what: str, link: Link | None, **needs: object) -> dict[str, object]:
    where = {} if link is None else {"connection": link.number}
    return {"wire": {"check": what, **where, **needs}}


def _mark(dialogue: Dialogue, body: bytes) -> str:
    for link in dialogue.links:
        for frame in link.heard:
            made = (
                frame.group_id
                if isinstance(frame, GroupJoin)
                else frame.msg_id
                if isinstance(frame, ReliableMsg)
                else b""
            )
            if len(made) >= _ID_BYTES and made in body:
                return ""
    return hashlib.sha1(unbind(body, dialogue.users)).hexdigest()
