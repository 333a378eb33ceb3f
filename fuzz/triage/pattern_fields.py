"""Conditions on the fields of a frame: what of them is needed for it to fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from fuzz.case import ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN
from fuzz.generate.anatomy import Anatomy, Part
from fuzz.triage.pattern_frames import People
from grammar import Direction, Role
from grammar.cbor import walk
from grammar.layout import PLANS, Field, Shape


class Aspect(StrEnum):
    """What of a field a condition is about."""

    #: The bytes of its content, which its length tells truly.
    SIZE = "size"
    #: What its length says, whether or not that much follows.
    SAID = "said"
    #: By how much its length says more than follows.
    EXCESS = "excess"
    #: An integer.
    NUMBER = "number"
    #: The messages in a batch.
    COUNT = "count"
    #: The CBOR containers that are inside one another.
    DEPTH = "depth"
    #: Messages, or CBOR, that end inside an item.
    BROKEN = "broken"
    #: All of its bytes, or the first of them: a template.
    CONTENT = "content"
    START = "start"
    #: What it does not begin with: a template.
    UNLIKE = "unlike"
    #: Whose name or id it is: a :class:`Relation`.
    RELATION = "relation"
    #: Whose it is not.
    OTHER = "other"


class Relation(StrEnum):
    """Whose name, or id, the content of a field is."""

    OWN = "the sender's own name"
    PEER = "the name of another client that is logged in"
    GROUP = "the id of a group that was made in the case"
    MESSAGE = "the id of the message delivered last"
    FORMER = "the name of a user whose connection has logged in as another since"
    NEW = "one that is new on each play"


#: Any one byte, in a template of hex digits.
FREE = ".."
#: Bytes of a template that are shown to a person.
_SHOWN = 16
#: What is bound while playing, as it stands in a template: a person is shown its text.
_TOKENS = {token.hex(): token.decode() for token in (*ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN)}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field must be: ``least`` to ``most`` (None: any above), or as ``content`` says.

    ``field`` is its name in the frame, ``[]`` for each index, and empty for the frame as a
    whole. ``content`` is a template (two hex digits or :data:`FREE` for each byte) or a
    :class:`Relation`.
    """

    field: str
    aspect: Aspect
    least: int = 0
    most: int | None = None
    content: str = ""

    def words(self) -> str:
        """Return the condition as it follows "whose"."""
        name = plain_name(self.field) if self.field else "bytes"
        match self.aspect:
            case Aspect.CONTENT if not self.content.strip(".") and not self.field:
                return f"size is {len(self.content) // 2} bytes"
            case Aspect.CONTENT:
                return f"{name} {'is' if self.field else 'are'} {_template_words(self.content)}"
            case Aspect.START:
                verb = "begins" if self.field else "begin"
                return f"{name} {verb} with {_template_words(self.content)}"
            case Aspect.UNLIKE:
                return f"{name} does not begin with {_template_words(self.content)}"
            case Aspect.RELATION:
                return f"{name} is {self.content}"
            case Aspect.OTHER:
                return f"{name} is not {self.content}"
            case Aspect.SIZE if self.most == 0:
                return f"{name} is empty"
            case Aspect.EXCESS:
                if self.least <= 1 and self.most is None:
                    return f"{name} length says more than follows"
                return f"{name} length says {_range(self.least, self.most)} more than follow"
            case Aspect.NUMBER:
                return f"{name} is {_range(self.least, self.most)}"
            case Aspect.COUNT:
                return f"number of {name} is {_range(self.least, self.most)}"
            case Aspect.BROKEN:
                item = "message" if name == "messages" else "CBOR item"
                return f"{name} end{'s' * (name != 'messages')} inside a {item}"
            case Aspect.DEPTH:
                return f"{name} is CBOR nested {_range(self.least, self.most)} deep"
        return f"{name} length is {_range(self.least, self.most)}"

    def holds(self, anatomy: Anatomy, main: int, user: bytes | None, people: People) -> bool:
        """Tell whether a frame meets the condition in any of the fields that it is about.

        ``main`` is the opcode whose layout names the field, ``user`` is logged in on the
        connection of the frame, and ``people`` on any.
        """
        if self.aspect is Aspect.NUMBER:
            return any(
                self._within(int.from_bytes(anatomy.data[s.offset : s.offset + s.length], "big"))
                for s in anatomy.spans
                if s.role is Role.INTEGER and field_name(s.path, main) == self.field
            )
        if not self.field:
            return self._like(anatomy.data)
        if self.aspect is Aspect.COUNT:
            name = f"{self.field}[]"
            return self._within(sum(1 for _ in _parts(anatomy, name, main)))
        return any(
            self._met(anatomy, part, user, people) for part in _parts(anatomy, self.field, main)
        )

    def _met(self, anatomy: Anatomy, part: Part, user: bytes | None, people: People) -> bool:
        match self.aspect:
            case Aspect.SIZE:
                return self._within(part.length)
            case Aspect.SAID | Aspect.EXCESS:
                if part.counter is None:
                    return False
                said = anatomy.value(part.counter)
                return self._within(said - part.length * (self.aspect is Aspect.EXCESS))
            case Aspect.DEPTH:
                return self._within(depth_of(anatomy.content(part)))
            case Aspect.BROKEN:
                return divides_badly(anatomy.content(part), self.field == "messages")
            case Aspect.RELATION | Aspect.OTHER:
                related = _related(Relation(self.content), anatomy.content(part), user, people)
                return related is (self.aspect is Aspect.RELATION)
        return self._like(anatomy.content(part))

    def _like(self, content: bytes) -> bool:
        found = _template(self.content, self.aspect is Aspect.CONTENT)(content)
        return (found is None) is (self.aspect is Aspect.UNLIKE)

    def _within(self, number: int) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)


def depth_of(content: bytes) -> int:
    """Return how many CBOR items are inside one another at most; 0 for no bytes."""
    return max((item.depth + 1 for item in walk(content).items), default=0)


def divides_badly(content: bytes, is_batch: bool) -> bool:
    """Tell whether the messages of a batch, or a CBOR item, end before they are whole."""
    if not is_batch:
        fault = walk(content).fault
        return bool(content) and fault is not None and fault.early
    offset = 0
    while offset < len(content):
        if offset + 2 > len(content):
            return True
        offset += 2 + int.from_bytes(content[offset : offset + 2], "big")
    return offset > len(content)


def template_of(content: bytes, free: frozenset[int] = frozenset()) -> str:
    """Return the template of ``content`` in which the bytes at ``free`` may be any."""
    return "".join(FREE if at in free else f"{byte:02x}" for at, byte in enumerate(content))


@lru_cache(maxsize=4_096)
def field_name(path: str, main: int) -> str:
    """Return the name, in the layout of the opcode ``main``, of the field at ``path``.

    A field of another frame has the name of the field that lies in the same place, if the two
    have the same layout; else its own, with that of its frame.
    """
    frame, _, name = re.sub(r"\[\d+\]", "[]", path).partition(".")
    plans = PLANS[Direction.CLIENT]
    plan = plans.get(main)
    if plan is None or plan.name == frame:
        return name
    other = next((plan for plan in plans.values() if plan.name == frame), None)
    if other is None or _shape(plan.fields) != _shape(other.fields):
        return f"{frame}.{name}"
    first, bracket, rest = name.partition("[")
    for mine, theirs in zip(plan.fields, other.fields, strict=True):
        if theirs.name == first:
            return mine.name + bracket + rest
    return f"{frame}.{name}"


def plain_name(name: str) -> str:
    """Return the name of a field as a person says it: one of several messages is a message."""
    return name.replace("messages[]", "message").replace("[]", "")


def _shape(fields: tuple[Field, ...]) -> list[tuple[Shape, int]]:
    return [(field.shape, field.width) for field in fields]


def _range(least: int, most: int | None) -> str:
    if most is None:
        return f"{least} or more"
    if least == most:
        return f"exactly {least}"
    return f"{least} to {most}" if least else f"{most} or less"


def _template_words(template: str) -> str:
    """Return the first bytes of a template, its tokens as text; one is not cut."""
    shown: list[str] = []
    at = 0
    while at < len(template) and len(shown) < _SHOWN:
        token = next((hexed for hexed in _TOKENS if template.startswith(hexed, at)), None)
        shown.append(template[at : at + 2] if token is None else _TOKENS[token])
        at += 2 if token is None else len(token)
    return " ".join(shown) + (f" ... ({len(template) // 2} bytes)" if at < len(template) else "")


@lru_cache(maxsize=1_024)
def _template(template: str, whole: bool) -> Callable[[bytes], object]:
    """Return what tells whether bytes are, or begin, as ``template`` says."""
    pairs = (template[at : at + 2] for at in range(0, len(template), 2))
    source = b"".join(b"." if pair == FREE else re.escape(bytes.fromhex(pair)) for pair in pairs)
    pattern = re.compile(source, re.DOTALL)
    return pattern.fullmatch if whole else pattern.match


def _parts(anatomy: Anatomy, name: str, main: int) -> Iterator[Part]:
    return (part for part in anatomy.parts if field_name(part.path, main) == name)


def _related(relation: Relation, content: bytes, user: bytes | None, people: People) -> bool:
    match relation:
        case Relation.OWN:
            return content == user
        case Relation.PEER:
            return content in people.users - people.former and content != user
        case Relation.GROUP:
            return content == GROUP_TOKEN
        case Relation.MESSAGE:
            return content == MSGID_TOKEN
        case Relation.FORMER:
            return content in people.former
    # What is new on each play is told by no case alone.
    return True
