"""CBOR (RFC 8949): a total walk over items, and values through cbor2.

Theory of operation. :func:`walk` reads heads one after another, with a stack of the
containers that are still open, so neither depth nor a count of 2**64 costs anything that
the bytes themselves do not pay for. It yields one :class:`Item` for each head and stops at
the first fault, which it returns and does not raise. It knows well-formedness (what is an
item); validity (UTF-8, what a tag may hold) is left to cbor2 in :func:`loads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
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


@dataclass(slots=True)
class _Open:
    """A container being read: ``total`` items in all, None until a break.

    ``chunks`` is the kind that the chunks of an indefinite string must have, and ``seen``
    the items that are complete.
    """

    total: int | None
    pairs: bool = False
    chunks: Kind | None = None
    seen: int = 0


def walk(data: bytes, offset: int = 0, stop: int | None = None, max_items: int = MAX_ITEMS) -> Walk:
    """Walk the one item at ``offset``, reading up to ``stop`` and never raising."""
    limit = len(data) if stop is None else min(stop, len(data))
    items: list[Item] = []
    opened: list[_Open] = []
    while True:
        item = _read(data, offset, limit, len(opened))
        fault = item if isinstance(item, Fault) else _misplaced(item, opened)
        if fault is None and len(items) >= max_items:
            fault = Fault(offset, f"more than {max_items} items")
        if fault is not None or isinstance(item, Fault):
            return Walk(tuple(items), offset, fault)
        items.append(item)
        offset += item.head + item.content
        if item.counted and item.content < (item.argument or 0):
            return Walk(tuple(items), offset, _ends_early(offset))
        _enter(item, opened)
        if not opened:
            return Walk(tuple(items), offset, None)
        if len(opened) > MAX_DEPTH:
            return Walk(tuple(items), offset, Fault(offset, f"nested deeper than {MAX_DEPTH}"))


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


def _read(data: bytes, offset: int, limit: int, depth: int) -> Item | Fault:
    """Read the head at ``offset`` (RFC 8949, section 3) and measure what follows it."""
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
    content = 0
    if argument is not None and kind in _STRINGS:
        content = min(argument, limit - offset - head)
    return Item(offset, head, content, kind, argument, depth)


def _misplaced(item: Item, opened: list[_Open]) -> Fault | None:
    """Return the fault of an item that may not stand where it does."""
    top = opened[-1] if opened else None
    if item.kind is Kind.BREAK:
        if top is None or top.total is not None:
            return Fault(item.offset, "a break outside of an indefinite item")
        if top.pairs and top.seen % 2:
            return Fault(item.offset, "a break between a key and its value")
        return None
    if top is None or top.chunks is None:
        return None
    if item.kind is top.chunks and item.counted:
        return None
    return Fault(item.offset, "a chunk of another kind than its string")


def _enter(item: Item, opened: list[_Open]) -> None:
    """Open the container that ``item`` begins, or count it as complete where it stands."""
    count = item.argument
    if item.kind is Kind.BREAK:
        opened.pop()
    elif item.kind is Kind.TAG:
        opened.append(_Open(1))
        return
    elif item.kind in _STRINGS and count is None:
        opened.append(_Open(None, chunks=item.kind))
        return
    elif item.kind in _CONTAINERS and count != 0:
        pairs = item.kind is Kind.MAP
        opened.append(_Open(count if count is None else count * (1 + pairs), pairs))
        return
    while opened:
        top = opened[-1]
        top.seen += 1
        if top.total is None or top.seen < top.total:
            return
        opened.pop()
