"""CBOR (RFC 8949): a total walk over items, and values through cbor2.

Theory of operation. :func:`walk` reads heads one after another, with a stack of the
containers that are still open, so neither depth nor a count of 2**64 costs anything that
the bytes themselves do not pay for. It yields one :class:`Item` for each head and stops at
the first fault, which it returns and does not raise. It knows well-formedness (what is an
item); validity (UTF-8, what a tag may hold) is left to cbor2 in :func:`loads`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import partial
from itertools import islice
from typing import NamedTuple

import cbor2

from grammar.errors import CborError, EncodeError

#: Containers in containers. Iris nests two deep; this is far above, and below the 400 at which
#: cbor2 gives up, so that a walk and a load refuse the same bytes.
MAX_DEPTH = 256
#: Items of one walk: above any map of the protocol at its limit that is not all small
#: integers, and bounds the time of a walk to some milliseconds.
MAX_ITEMS = 8_192


class Kind(IntEnum):
    """The major type of a head; a break is the stop code of an indefinite item."""

    UNSIGNED = 0
    NEGATIVE = 1
    BYTES = 2
    TEXT = 3
    ARRAY = 4
    MAP = 5
    TAG = 6
    SIMPLE = 7
    FLOAT = 8
    BREAK = 9


_KINDS = tuple(Kind)
_SIMPLE_KINDS = {25: Kind.FLOAT, 26: Kind.FLOAT, 27: Kind.FLOAT, 31: Kind.BREAK}
# Tuples, since an enum's hash is a call to Python code and a walk is on a hot path.
_STRINGS = (Kind.BYTES, Kind.TEXT)
_CONTAINERS = (Kind.ARRAY, Kind.MAP)
#: Major types that have an indefinite form (for 7 that is the break).
_INDEFINITE = (2, 3, 4, 5, 7)


class Item(NamedTuple):
    """One head, and the content that follows it if it is a definite string.

    ``offset`` of the head, ``head`` and ``content`` in bytes, ``argument`` as in RFC 8949
    section 3 (None for an indefinite length and for a break), ``depth`` in containers and
    tags. In a walk that ended early, ``content`` is what is there.
    """

    offset: int
    head: int
    content: int
    kind: Kind
    argument: int | None
    depth: int

    @property
    def counted(self) -> bool:
        """Tell whether the head counts the bytes that follow: that of a definite string."""
        return self.kind in _STRINGS and self.argument is not None


#: Makes an item of its fields: as calling the class does, in half the time.
_item: Callable[[tuple[int, int, int, Kind, int | None, int]], Item] = partial(tuple.__new__, Item)


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a walk stopped; ``early`` when more bytes could have gone on."""

    offset: int
    reason: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """The items of one top-level item in wire order, and where the walk stopped."""

    items: tuple[Item, ...]
    end: int
    fault: Fault | None

    def end_of(self, index: int) -> int:
        """Return where an item ends with all that is in it, its break too, as far as was walked."""
        depth = self.items[index].depth
        for item in islice(self.items, index + 1, None):
            if item.depth <= depth:
                return item.offset
        return self.end

    def children(self, index: int) -> list[int]:
        """Return what is directly in an item, by index, without the break that ends it."""
        depth = self.items[index].depth
        found: list[int] = []
        for place, item in enumerate(islice(self.items, index + 1, None), index + 1):
            if item.depth <= depth:
                break
            if item.depth == depth + 1 and item.kind is not Kind.BREAK:
                found.append(place)
        return found


class _Form(Enum):
    """What a head means for the walk."""

    LEAF = "leaf"
    #: A string whose bytes follow.
    STRING = "string"
    #: A container, a tag or an indefinite string: items follow.
    OPENS = "opens"
    BREAK = "break"


#: A head that was read: its form, its size in bytes, kind and argument.
_Head = tuple[_Form, int, Kind, int | None]

#: A container that is being read: the items still to come, whether they are pairs, and the kind
#: that the chunks of an indefinite string must have. Until a break, what is to come is counted
#: down from -1.
_Open = tuple[int, bool, Kind | None]

# To ask an enum for its member takes as long as all else that is done for a small item.
_LEAF, _STRING, _OPENS, _BREAK = _Form


def walk(data: bytes, offset: int = 0, stop: int | None = None, max_items: int = MAX_ITEMS) -> Walk:
    """Walk the one item at ``offset``, reading up to ``stop`` and never raising."""
    limit = len(data) if stop is None else min(stop, len(data))
    items: list[Item] = []
    outer: list[_Open] = []
    left, pairs, chunks = _ALONE
    while True:
        read = (_SHORT[data[offset]] if offset < limit else None) or _read(data, offset, limit)
        if isinstance(read, Fault):
            return Walk(tuple(items), offset, read)
        form, head, kind, argument = read
        if form is _BREAK or chunks is not None:
            reason = _misplaced(kind, argument, (left, pairs, chunks))
            if reason:
                return Walk(tuple(items), offset, Fault(offset, reason))
        if len(items) >= max_items:
            return Walk(tuple(items), offset, Fault(offset, f"more than {max_items} items"))
        if form is _STRING:
            size = argument or 0
            content = min(size, limit - offset - head)
            items.append(_item((offset, head, content, kind, argument, len(outer))))
            offset += head + content
            if content < size:
                return Walk(tuple(items), offset, _ends_early(offset))
        else:
            items.append(_item((offset, head, 0, kind, argument, len(outer))))
            offset += head
        if form is _OPENS:
            outer.append((left, pairs, chunks))
            if len(outer) > MAX_DEPTH:
                deep = Fault(offset, f"nested deeper than {MAX_DEPTH}")
                return Walk(tuple(items), offset, deep)
            left, pairs, chunks = _opened(kind, argument)
            continue
        left = 0 if form is _BREAK else left - 1
        while left == 0:
            if not outer:
                return Walk(tuple(items), offset, None)
            left, pairs, chunks = outer.pop()
            left -= 1


def loads(data: bytes) -> object:
    """Return the value of the one item that fills ``data``; raise :class:`CborError`.

    The walk goes first: it bounds the depth and refuses counts that the bytes cannot hold
    before anything is built for them.
    """
    walked = walk(data, max_items=len(data))
    if walked.fault is not None:
        raise CborError(walked.fault.offset, "cbor", walked.fault.reason)
    if walked.end != len(data):
        raise CborError(walked.end, "cbor", f"{len(data) - walked.end} bytes follow the item")
    try:
        value: object = cbor2.loads(data)
    except cbor2.CBORError as error:
        raise CborError(0, "cbor", str(error)) from None
    return value


def dumps(value: object) -> bytes:
    """Return ``value`` as one CBOR item; raise :class:`EncodeError` for what CBOR cannot say."""
    try:
        return bytes(cbor2.dumps(value))
    except cbor2.CBORError as error:
        raise EncodeError("cbor", str(error)) from None


def _ends_early(offset: int) -> Fault:
    return Fault(offset, "the bytes end inside an item", early=True)


def _read(data: bytes, offset: int, limit: int) -> _Head | Fault:
    """Read the head at ``offset`` (RFC 8949, section 3)."""
    if offset >= limit:
        return _ends_early(offset)
    major, info = data[offset] >> 5, data[offset] & 31
    argument: int | None = info
    head = 1
    if 24 <= info < 28:
        head += 1 << (info - 24)
        if offset + head > limit:
            return _ends_early(offset)
        argument = int.from_bytes(data[offset + 1 : offset + head], "big")
    elif info == 31 and major in _INDEFINITE:
        argument = None
    elif info >= 28:
        return Fault(offset, f"additional information {info} is not for major type {major}")
    kind = _KINDS[major] if major < 7 or info < 25 else _SIMPLE_KINDS[info]
    if kind is Kind.SIMPLE and head == 2 and data[offset + 1] < 32:
        return Fault(offset, "a simple value below 32 in two bytes")
    return _form(kind, argument), head, kind, argument


def _form(kind: Kind, argument: int | None) -> _Form:
    if kind is Kind.BREAK:
        return _BREAK
    if kind in _STRINGS:
        return _OPENS if argument is None else _STRING
    opens = kind is Kind.TAG or (kind in _CONTAINERS and argument != 0)
    return _OPENS if opens else _LEAF


def _misplaced(kind: Kind, argument: int | None, inside: _Open) -> str:
    """Return why an item may not stand where it does, empty if it may."""
    left, pairs, chunks = inside
    if kind is Kind.BREAK:
        if left > 0:
            return "a break outside of an indefinite item"
        # An odd number of items was counted down from -1.
        return "a break between a key and its value" if pairs and left % 2 == 0 else ""
    if chunks is None or (kind is chunks and argument is not None):
        return ""
    return "a chunk of another kind than its string"


def _opened(kind: Kind, argument: int | None) -> _Open:
    """Return the container that a head begins."""
    if kind is Kind.TAG:
        return _ALONE
    if kind in _STRINGS:
        return -1, False, kind
    pairs = kind is Kind.MAP
    return -1 if argument is None else argument * (1 + pairs), pairs, None


#: One item: what a tag is put on, and what is in no container.
_ALONE: _Open = (1, False, None)


def _short(first: int) -> _Head | None:
    head = _read(bytes([first]), 0, 1)
    return None if isinstance(head, Fault) else head


#: The heads of one byte, by that byte; None for one that goes on, or is none.
_SHORT = tuple(map(_short, range(256)))
