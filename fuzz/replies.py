"""Replies in words: what a connection heard, or is to hear, whatever the play.

These are the nouns; :mod:`fuzz.heard` makes them of a play, and says what the words are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fuzz.errors import CaseFileError

#: How a connection ends that is served until its client has left.
IN_ORDER = "closed"

#: A value that needs no quotation marks to be told from what is around it.
_WORD = re.compile(r"[\w<>:.-]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame that came back: its name in the grammar, and its fields with their values.

    In a reply that is expected, a field that is left out may hold anything.
    """

    frame: str
    fields: tuple[tuple[str, str], ...] = ()

    def allows(self, other: Reply) -> bool:
        """Tell whether ``other`` has all that this one has."""
        return self.frame == other.frame and set(self.fields) <= set(other.fields)

    def told(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {"frame": self.frame, **dict(self.fields)}

    def __str__(self) -> str:
        """Return it in one line: ``STATUS_RESPONSE user=<user:A> state=1 last_seen=given``."""
        return " ".join((self.frame, *(f"{name}={_shown(text)}" for name, text in self.fields)))


@dataclass(frozen=True, slots=True)
class Heard:
    """What one connection of a play heard, and how it ended.

    ``ending`` is one word, the same for an end in order and a reset by the peer: which of them
    it is depends on what is still on its way. ``first`` tells that the peer was seen to end it
    before we did.
    """

    number: int
    replies: tuple[Reply, ...] = ()
    ending: str = IN_ORDER
    first: bool = False

    def ended(self) -> str:
        """Return how it ended, in words."""
        return f"{self.ending}, by the server first" if self.first else self.ending


@dataclass(frozen=True, slots=True)
class Expectation:
    """What each connection of a case is to hear; ``name`` is that of the dialogue."""

    name: str
    heard: tuple[Heard, ...]

    def told(self) -> dict[str, object]:
        """Return it as JSON values; :func:`expectation` reads them."""
        return {
            "name": self.name,
            "heard": [
                {
                    "connection": heard.number,
                    "replies": [reply.told() for reply in heard.replies],
                    "ending": heard.ending,
                }
                for heard in self.heard
            ],
        }


def expectation(told: object) -> Expectation:
    """Return the expectation in JSON values; raise :class:`CaseFileError` for what is none."""
    values = _mapping(told)
    heard = values.get("heard")
    if not (isinstance(heard, list) and heard):
        raise CaseFileError("it tells of no connection: 'heard' is no list, or empty")
    return Expectation(_text(values, "name"), tuple(_heard(_mapping(one)) for one in heard))


def _heard(values: Mapping[str, object]) -> Heard:
    number, replies = values.get("connection"), values.get("replies")
    if not (isinstance(number, int) and isinstance(replies, list)):
        raise CaseFileError("a connection in it has no number, or no list of replies")
    return Heard(number, tuple(_reply(_mapping(one)) for one in replies), _text(values, "ending"))


def _reply(values: Mapping[str, object]) -> Reply:
    names = [name for name in values if name != "frame"]
    return Reply(_text(values, "frame"), tuple((name, _text(values, name)) for name in names))


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise CaseFileError("an object was to be read, and there is something else")
    return value


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise CaseFileError(f"{name!r} in it is missing, or no text")
    return value


def _shown(value: str) -> str:
    return value if _WORD.fullmatch(value) else f'"{value}"'
