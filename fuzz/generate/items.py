"""Operations on the CBOR in a frame (RFC 8949): depth, kinds, counts, order, endings.

Each takes the content of one field and gives another; the lengths around the field are
then mostly kept true, so that the server's own decoder gets to see the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from itertools import pairwise

from fuzz.generate.anatomy import CBOR_OPCODES, SMALL, bounds_of, cbor_head
from fuzz.generate.dictionary import CBOR_KEYS, CBOR_ODDITIES
from fuzz.generate.draft import TRUTH, Draft, Operation, Place
from grammar import cbor
from grammar.cbor import Item, Kind, Walk, walk

#: Items of one field that are told apart: far above any map of the protocol, and it bounds
#: an operation on a field full of one-byte items.
MAX_ITEMS = 512
#: Nesting, mostly at most: past the depth of any map of the protocol.
DEPTH = 6
#: And in one of five, as far as there is room: past every decoder's own ceiling. Such bytes cost
#: little, and a recursion that nobody bounded is what CBOR is known for.
GREAT_DEPTH = 5_000
_GREAT_ODDS = 0.2

_STRINGS = (Kind.BYTES, Kind.TEXT)
_CONTAINERS = (Kind.ARRAY, Kind.MAP)
_COUNTED = _STRINGS + _CONTAINERS
#: Kinds whose argument may be said in more bytes than it needs.
_ARGUED = tuple(Kind)[:7]

#: One small item of each kind.
SAMPLES = tuple(
    cbor.dumps(value)
    for value in (0, -1, 24, 2**64 - 1, -(2**64), b"", b"\x00", "", "ik", [], [0], {}, {"n": 0},
                  None, True, 1.5, 2**70)
)  # fmt: skip
FLOATS = tuple(
    bytes.fromhex(text)
    for text in ("f97e00", "f97c00", "f9fc00", "f98000", "f90001", "fa7fc00000",
                 "fb7ff8000000000000", "fb7ff0000000000000", "fbfff0000000000000",
                 "fb7fefffffffffffff")
)  # fmt: skip
#: What wraps an item one deeper: array, map with the key 0, two tags, open array.
_SHELLS = (b"\x81", b"\xa1\x00", b"\xc1", b"\xd8\x18", b"\x9f")
#: Tags that decoders treat on their own: dates, bignums, fractions, references, self-description.
_TAGS = (0, 1, 2, 3, 4, 5, 24, 25, 28, 29, 30, 37, 55799, 2**32, 2**64 - 1)
_COUNTS = (0, 1, 23, 24, 255, 256, 65_535, 65_536, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_ODDITIES = tuple(CBOR_ODDITIES.values())
_KEYS = tuple(cbor.dumps(key) for key in CBOR_KEYS)


#: Content and its items to other content, or None where there is nothing to work on.
Change = Callable[[Draft, bytes, Walk], bytes | None]

_walk = partial(walk, max_items=MAX_ITEMS)
_walk_small = lru_cache(maxsize=1_024)(_walk)
_walk_large = lru_cache(maxsize=64)(_walk)


def walk_of(content: bytes) -> Walk:
    """Return the items that ``content`` begins with, as far as they are CBOR."""
    return _walk_small(content) if len(content) <= SMALL else _walk_large(content)


def nest(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Wrap an item in arrays, maps or tags, some in very many; open ones may stay open."""
    index = _pick(draft, walked)
    shell = draft.pick(_SHELLS)
    most = GREAT_DEPTH if draft.chance(_GREAT_ODDS) else DEPTH
    depth = 1 + draft.below(min(most, max(1, draft.growth() // (len(shell) + 1))))
    closing = b"\xff" * depth if shell == b"\x9f" and draft.chance(0.5) else b""
    item = content[walked.items[index].offset : walked.end_of(index)]
    return _put(content, walked, index, shell * depth + item + closing)


def other_kind(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Put an item of another kind in the place of one, or something that is no item."""
    index = _pick(draft, walked)
    return _put(content, walked, index, draft.pick(SAMPLES if draft.chance(0.8) else _ODDITIES))


def open_item(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Give a string or a container an indefinite length, with its break or without."""
    # The outermost item half of the time: what is open there runs to the end of its field.
    index = 0 if draft.chance(0.5) else _pick_kind(draft, walked, _COUNTED)
    if index is None:
        return None
    item = walked.items[index]
    if item.kind not in _COUNTED or item.argument is None:
        return None
    start = item.offset if item.kind in _STRINGS else item.offset + item.head
    inside = content[start : walked.end_of(index)]
    ending = b"\xff" if draft.chance(0.5) else b""
    return _put(content, walked, index, bytes([item.kind << 5 | 31]) + inside + ending)


def add_tag(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Put a tag on an item."""
    item = draft.pick(walked.items)
    tag = cbor_head(Kind.TAG, draft.pick(_TAGS))
    return content[: item.offset] + tag + content[item.offset :]


def to_float(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Put a float in the place of an item: not a number, infinite, the least, the largest."""
    return _put(content, walked, _pick(draft, walked), draft.pick(FLOATS))


def lie_in_count(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Let a string or a container claim another size: off by one, or huge."""
    index = _pick_kind(draft, walked, _COUNTED)
    item = None if index is None else walked.items[index]
    if item is None or item.argument is None:
        return None
    near = (max(0, item.argument - 1), item.argument + 1)
    count = draft.pick(near if draft.chance(0.5) else _COUNTS)
    return _put_head(content, item, cbor_head(item.kind, count))


def widen_head(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Say the argument of an item in more bytes than it needs."""
    index = _pick_kind(draft, walked, _ARGUED)
    item = None if index is None else walked.items[index]
    if item is None or item.argument is None or item.head == 9:
        return None
    widths = [width for width in (2, 3, 5, 9) if width > item.head]
    return _put_head(content, item, cbor_head(item.kind, item.argument, draft.pick(widths)))


def drop_item(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Leave an item out of a container, or a pair out of a map."""
    picked = _pick_children(draft, content, walked)
    if picked is None:
        return None
    container, children = picked
    at, size = _unit(draft, walked.items[container], children)
    return _rebuilt(draft, content, walked, container, children[:at] + children[at + size :])


def double_item(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Repeat an item of a container, or a pair of a map: then a key comes twice."""
    picked = _pick_children(draft, content, walked)
    if picked is None:
        return None
    container, children = picked
    at, size = _unit(draft, walked.items[container], children)
    times = 1 + (draft.below(30) if draft.chance(0.1) else 0)
    children[at:at] = children[at : at + size] * times
    return _rebuilt(draft, content, walked, container, children)


def double_key(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Let a key of a map come twice, with another value the second time."""
    index = _pick_kind(draft, walked, (Kind.MAP,))
    children = [] if index is None else _children(content, walked, index)
    if index is None or len(children) < 2:
        return None
    key = children[2 * draft.below(len(children) // 2)]
    return _rebuilt(draft, content, walked, index, [*children, key, draft.pick(SAMPLES)])


def swap_items(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Exchange two items of a container: in a map, keys and values too."""
    picked = _pick_children(draft, content, walked)
    if picked is None or len(picked[1]) < 2:
        return None
    container, children = picked
    first, second = draft.rng.sample(range(len(children)), 2)
    children[first], children[second] = children[second], children[first]
    return _rebuilt(draft, content, walked, container, children)


def insert_item(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
    """Put one more item into a container, or one more pair into a map."""
    container = _pick_kind(draft, walked, _CONTAINERS)
    if container is None:
        return None
    children = _children(content, walked, container)
    at = draft.below(len(children) + 1)
    new = [draft.pick(SAMPLES)]
    if walked.items[container].kind is Kind.MAP:
        at -= at % 2
        new.insert(0, draft.pick(_KEYS))
    children[at:at] = new
    return _rebuilt(draft, content, walked, container, children)


def into_map(draft: Draft, place: Place, key: bytes | None, value: bytes | None) -> bool:
    """Put a pair into a map of CBOR; what is None is any, or that of a pair that is there.

    A key that is there keeps its place, and has the value.
    """

    def change(draft: Draft, content: bytes, walked: Walk) -> bytes | None:
        index = _pick_kind(draft, walked, (Kind.MAP,))
        if index is None:
            return None
        children = _children(content, walked, index)
        old = 2 * draft.below(len(children) // 2) if len(children) > 1 else None
        if key in children[::2] and value is not None:
            children[2 * children[::2].index(key) + 1] = value
        elif old is not None and (key is None or draft.chance(0.3)):
            kept_key, kept_value = children[old : old + 2]
            children[old : old + 2] = [key or kept_key, value or kept_value]
        else:
            children += [key or draft.pick(_KEYS), value or draft.pick(SAMPLES)]
        return _rebuilt(draft, content, walked, index, children)

    return place.data[0] in CBOR_OPCODES and _apply_at(place, change, draft)


def _apply(change: Change, draft: Draft) -> bool:
    """Carry ``change`` out on a CBOR field of a random frame that has one."""
    place = _pick_place(draft)
    return place is not None and _apply_at(place, change, draft)


def _apply_at(place: Place, change: Change, draft: Draft) -> bool:
    anatomy = place.anatomy
    parts = anatomy.cbor
    if not parts:
        return False
    part = draft.pick(parts)
    content = anatomy.content(part)
    walked = walk_of(content)
    new = change(draft, content, walked) if walked.items else draft.pick(SAMPLES + _ODDITIES)
    if new is None:
        return False
    return draft.set_part(place, part, new)


def _pick_place(draft: Draft) -> Place | None:
    places = [
        (index, offset, length)
        for index in draft.sends()
        for offset, length, opcode in bounds_of(draft.steps[index].data)
        if opcode in CBOR_OPCODES
    ]
    if not places:
        return None
    index, offset, length = draft.pick(places)
    return Place(index, offset, draft.steps[index].data[offset : offset + length])


def _put(content: bytes, walked: Walk, index: int, new: bytes) -> bytes:
    return content[: walked.items[index].offset] + new + content[walked.end_of(index) :]


def _put_head(content: bytes, item: Item, head: bytes) -> bytes:
    return content[: item.offset] + head + content[item.offset + item.head :]


def _pick(draft: Draft, walked: Walk) -> int:
    return draft.below(len(walked.items))


def _pick_kind(draft: Draft, walked: Walk, kinds: Sequence[Kind]) -> int | None:
    """Return an item of one of ``kinds``, by index, or None where there is none."""
    fitting = [index for index, item in enumerate(walked.items) if item.kind in kinds]
    return draft.pick(fitting) if fitting else None


def _pick_children(draft: Draft, content: bytes, walked: Walk) -> tuple[int, list[bytes]] | None:
    """Return a container that is not empty, by index, and the bytes of what is in it."""
    # What is in a container stands right behind its head.
    full = [
        index
        for index, (item, after) in enumerate(pairwise(walked.items))
        if item.kind in _CONTAINERS and after.depth > item.depth and after.kind is not Kind.BREAK
    ]
    if not full:
        return None
    container = draft.pick(full)
    return container, _children(content, walked, container)


def _children(content: bytes, walked: Walk, container: int) -> list[bytes]:
    children = walked.children(container)
    return [content[walked.items[at].offset : walked.end_of(at)] for at in children]


def _unit(draft: Draft, container: Item, children: Sequence[bytes]) -> tuple[int, int]:
    """Return where an item begins and how many children it is: mostly a pair in a map."""
    at = draft.below(len(children))
    if container.kind is Kind.MAP and draft.chance(0.8):
        return at - at % 2, 2
    return at, 1


def _rebuilt(
    draft: Draft, content: bytes, walked: Walk, container: int, children: Sequence[bytes]
) -> bytes:
    """Return ``content`` with other children of a container, its count mostly kept true."""
    item = walked.items[container]
    start = item.offset + item.head
    before = walked.children(container)
    end = walked.end_of(before[-1]) if before else start
    head = content[item.offset : start]
    if item.argument is not None and draft.chance(TRUTH):
        count = len(children) // (2 if item.kind is Kind.MAP else 1)
        head = cbor_head(item.kind, count, item.head)
    return content[: item.offset] + head + b"".join(children) + content[end:]


def _operation(name: str, weight: int, change: Change) -> Operation:
    return Operation(name, weight, partial(_apply, change))


OPERATIONS = (
    _operation("cbor-nest", 16, nest),
    _operation("cbor-other-kind", 18, other_kind),
    _operation("cbor-open", 30, open_item),
    _operation("cbor-tag", 8, add_tag),
    _operation("cbor-float", 8, to_float),
    _operation("cbor-count", 16, lie_in_count),
    _operation("cbor-widen", 8, widen_head),
    _operation("cbor-drop", 14, drop_item),
    _operation("cbor-double", 10, double_item),
    _operation("cbor-double-key", 8, double_key),
    _operation("cbor-swap", 8, swap_items),
    _operation("cbor-insert", 12, insert_item),
)
