"""Operations on the CBOR in a frame (RFC 8949): depth, kinds, counts, order, endings.

Each takes the content of one field and gives another; the lengths around the field are
then mostly kept true, so that the server's own decoder gets to see the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from fuzz.generate.anatomy import CBOR_OPCODES, SMALL, bounds_of, cbor_head
from fuzz.generate.dictionary import CBOR_KEYS, CBOR_ODDITIES
from fuzz.generate.draft import TRUTH, Draft, Operation, Place
from grammar import cbor
from grammar.cbor import Kind, walk

#: Items of one field that are told apart: far above any map of the protocol, and it bounds
#: an operation on a field full of one-byte items.
MAX_NODES = 512
#: Nesting, mostly at most: past the depth of any map of the protocol.
DEPTH = 6
#: And in one of five, as far as there is room: past every decoder's own ceiling. Such bytes cost
#: little, and a recursion that nobody bounded is what CBOR is known for.
GREAT_DEPTH = 5_000
_GREAT_ODDS = 0.2

_STRINGS = (Kind.BYTES, Kind.TEXT)
_CONTAINERS = (Kind.ARRAY, Kind.MAP)
_COUNTED = _STRINGS + _CONTAINERS

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


@dataclass(frozen=True, slots=True)
class Node:
    """An item with its extent: ``offset`` to ``end``, of which the first ``head`` bytes are
    its head. ``parent`` is the index of the item it is in, -1 for the outermost.
    """

    offset: int
    head: int
    end: int
    kind: Kind
    argument: int | None
    parent: int


#: Content and its nodes to other content, or None where there is nothing to work on.
Change = Callable[[Draft, bytes, Sequence[Node]], bytes | None]


def _nodes(content: bytes) -> tuple[Node, ...]:
    walked = walk(content, max_items=MAX_NODES)
    ends = [walked.end] * len(walked.items)
    parents: list[int] = []
    opened: list[int] = []
    for index, item in enumerate(walked.items):
        while opened and walked.items[opened[-1]].depth >= item.depth:
            ends[opened.pop()] = item.offset
        parents.append(opened[-1] if opened else -1)
        opened.append(index)
    return tuple(
        Node(item.offset, item.head, end, item.kind, item.argument, parent)
        for item, end, parent in zip(walked.items, ends, parents, strict=True)
    )


_nodes_small = lru_cache(maxsize=1_024)(_nodes)


def nodes_of(content: bytes) -> tuple[Node, ...]:
    """Return the items that ``content`` begins with, outermost first, as far as they are CBOR."""
    return _nodes_small(content) if len(content) <= SMALL else _nodes(content)


def nest(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Wrap an item in arrays, maps or tags, some in very many; open ones may stay open."""
    node = draft.pick(nodes)
    shell = draft.pick(_SHELLS)
    most = GREAT_DEPTH if draft.chance(_GREAT_ODDS) else DEPTH
    depth = 1 + draft.below(min(most, max(1, draft.growth() // (len(shell) + 1))))
    closing = b"\xff" * depth if shell == b"\x9f" and draft.chance(0.5) else b""
    item = content[node.offset : node.end]
    return _put(content, node, shell * depth + item + closing)


def other_kind(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Put an item of another kind in the place of one, or something that is no item."""
    node = draft.pick(nodes)
    return _put(content, node, draft.pick(SAMPLES if draft.chance(0.8) else _ODDITIES))


def open_item(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Give a string or a container an indefinite length, with its break or without."""
    # The outermost item half of the time: what is open there runs to the end of its field.
    node = nodes[0] if draft.chance(0.5) else _pick_kind(draft, nodes, _COUNTED)
    if node is None or node.kind not in _COUNTED or node.argument is None:
        return None
    start = node.offset if node.kind in _STRINGS else node.offset + node.head
    ending = b"\xff" if draft.chance(0.5) else b""
    return _put(content, node, bytes([node.kind << 5 | 31]) + content[start : node.end] + ending)


def add_tag(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Put a tag on an item."""
    node = draft.pick(nodes)
    tag = cbor_head(Kind.TAG, draft.pick(_TAGS))
    return content[: node.offset] + tag + content[node.offset :]


def to_float(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Put a float in the place of an item: not a number, infinite, the least, the largest."""
    return _put(content, draft.pick(nodes), draft.pick(FLOATS))


def lie_in_count(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Let a string or a container claim another size: off by one, or huge."""
    node = _pick_kind(draft, nodes, _COUNTED)
    if node is None or node.argument is None:
        return None
    near = (max(0, node.argument - 1), node.argument + 1)
    count = draft.pick(near if draft.chance(0.5) else _COUNTS)
    return _put_head(content, node, cbor_head(node.kind, count))


def widen_head(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Say the argument of an item in more bytes than it needs."""
    node = _pick_kind(draft, nodes, tuple(Kind)[:7])
    if node is None or node.argument is None or node.head == 9:
        return None
    widths = [width for width in (2, 3, 5, 9) if width > node.head]
    return _put_head(content, node, cbor_head(node.kind, node.argument, draft.pick(widths)))


def drop_item(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Leave an item out of a container, or a pair out of a map."""
    picked = _pick_children(draft, content, nodes)
    if picked is None:
        return None
    container, children = picked
    at, size = _unit(draft, nodes[container], children)
    del children[at : at + size]
    return _rebuilt(draft, content, nodes, container, children)


def double_item(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Repeat an item of a container, or a pair of a map: then a key comes twice."""
    picked = _pick_children(draft, content, nodes)
    if picked is None:
        return None
    container, children = picked
    at, size = _unit(draft, nodes[container], children)
    times = 1 + (draft.below(30) if draft.chance(0.1) else 0)
    children[at:at] = children[at : at + size] * times
    return _rebuilt(draft, content, nodes, container, children)


def double_key(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Let a key of a map come twice, with another value the second time."""
    maps = [i for i, node in enumerate(nodes) if node.kind is Kind.MAP]
    index = draft.pick(maps) if maps else -1
    children = _children(content, nodes, index) if maps else []
    if len(children) < 2:
        return None
    key = children[2 * draft.below(len(children) // 2)]
    return _rebuilt(draft, content, nodes, index, [*children, key, draft.pick(SAMPLES)])


def swap_items(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Exchange two items of a container: in a map, keys and values too."""
    picked = _pick_children(draft, content, nodes)
    if picked is None or len(picked[1]) < 2:
        return None
    container, children = picked
    first, second = draft.rng.sample(range(len(children)), 2)
    children[first], children[second] = children[second], children[first]
    return _rebuilt(draft, content, nodes, container, children)


def insert_item(draft: Draft, content: bytes, nodes: Sequence[Node]) -> bytes | None:
    """Put one more item into a container, or one more pair into a map."""
    containers = [i for i, node in enumerate(nodes) if node.kind in _CONTAINERS]
    if not containers:
        return None
    container = draft.pick(containers)
    children = _children(content, nodes, container)
    at = draft.below(len(children) + 1)
    new = [draft.pick(SAMPLES)]
    if nodes[container].kind is Kind.MAP:
        at -= at % 2
        new.insert(0, draft.pick(_KEYS))
    children[at:at] = new
    return _rebuilt(draft, content, nodes, container, children)


def _apply(change: Change, draft: Draft) -> bool:
    """Carry ``change`` out on a CBOR field of a random frame that has one."""
    place = _pick_place(draft)
    if place is None:
        return False
    parts = [part for part in place.anatomy.parts if part.holds_cbor]
    if not parts:
        return False
    part = draft.pick(parts)
    content = place.anatomy.content(part)
    nodes = nodes_of(content)
    new = change(draft, content, nodes) if nodes else draft.pick(SAMPLES + _ODDITIES)
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


def _put(content: bytes, node: Node, new: bytes) -> bytes:
    return content[: node.offset] + new + content[node.end :]


def _put_head(content: bytes, node: Node, head: bytes) -> bytes:
    return content[: node.offset] + head + content[node.offset + node.head :]


def _pick_kind(draft: Draft, nodes: Sequence[Node], kinds: Sequence[Kind]) -> Node | None:
    fitting = [node for node in nodes if node.kind in kinds]
    return draft.pick(fitting) if fitting else None


def _pick_children(
    draft: Draft, content: bytes, nodes: Sequence[Node]
) -> tuple[int, list[bytes]] | None:
    """Return a container that is not empty, by index, and the bytes of what is in it."""
    parents = {node.parent for node in nodes if node.kind is not Kind.BREAK}
    full = [i for i in sorted(parents) if i >= 0 and nodes[i].kind in _CONTAINERS]
    if not full:
        return None
    container = draft.pick(full)
    return container, _children(content, nodes, container)


def _children(content: bytes, nodes: Sequence[Node], container: int) -> list[bytes]:
    return [
        content[node.offset : node.end]
        for node in nodes[container + 1 :]
        if node.parent == container and node.kind is not Kind.BREAK
    ]


def _unit(draft: Draft, container: Node, children: Sequence[bytes]) -> tuple[int, int]:
    """Return where an item begins and how many children it is: mostly a pair in a map."""
    at = draft.below(len(children))
    if container.kind is Kind.MAP and draft.chance(0.8):
        return at - at % 2, 2
    return at, 1


def _rebuilt(
    draft: Draft, content: bytes, nodes: Sequence[Node], container: int, children: Sequence[bytes]
) -> bytes:
    """Return ``content`` with other children of a container, its count mostly kept true."""
    node = nodes[container]
    inside = sum(len(child) for child in _children(content, nodes, container))
    start = node.offset + node.head
    head = content[node.offset : start]
    if node.argument is not None and draft.chance(TRUTH):
        count = len(children) // (2 if node.kind is Kind.MAP else 1)
        head = cbor_head(node.kind, count, node.head)
    return content[: node.offset] + head + b"".join(children) + content[start + inside :]


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
