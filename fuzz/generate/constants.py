"""What the server compares with, put where it may look.

A branch that was never taken has constants in its pattern or its guard (see
:class:`fuzz.node.Gate`). Where in a frame the server looks for one is not known: it is put into a
field, a count, a CBOR map or bytes that the grammar cannot tell apart, at random. Now and then it
is said in a segment of its own, behind what was said before: a server may wait for one word after
the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fuzz.generate.anatomy import CBOR_OPCODES, WINDOW, bounds_of, cbor_head
from fuzz.generate.draft import Draft, Place
from fuzz.generate.items import into_map
from fuzz.node import Constant
from grammar import ClientOpcode, Role, cbor
from grammar.cbor import Kind

#: The odds that the segment is said once more first, and only the second one is changed.
_AGAIN = 0.3
#: Of an unknown frame, the bytes among which lengths of one byte are looked for, and how long a
#: field is that is put into it, at most.
_NEAR, _FIELD = 32, 8
#: The odds that a constant goes behind a word that was passed, if there is one.
_BEHIND = 0.3
#: The odds that a word goes where one of the branches beside stands, if it does.
_INSTEAD = 0.4
#: Of numbers, the share that is off by one: the far side of a comparison.
_BESIDE = 0.4
#: Bytes that a number is put as, besides as few as it needs.
_WIDTHS = (1, 2, 4, 8)
#: The odds that what follows a constant in a frame goes: it was said to another branch.
_CUT = 0.3
#: The odds that a constant goes to the head of a frame, which says what it is, or else to its end;
#: and how far from its start that is, in bytes, on the mean.
_HEAD_ODDS, _HEAD = (0.4, 0.7), 4.0
#: Bytes of the argument of a CBOR item, by what its head says (RFC 8949, section 3).
_ARGUMENTS = {24: 1, 25: 2, 26: 4, 27: 8}
_RESERVED, _INDEFINITE = (28, 29, 30), 31

# To ask an enum for its member takes longer than to compare with it.
_INTEGER = Role.INTEGER

#: A word of a text, or a number in it.
_TOKEN = re.compile(rb"[A-Za-z]\w*|\d+")
#: Opcodes whose frames the grammar tells apart.
_KNOWN = frozenset(int(opcode) for opcode in ClientOpcode)

Say = Callable[[Draft, Place, bytes], bool]
SayNumber = Callable[[Draft, Place, int], bool]


@dataclass(frozen=True, slots=True)
class Saying:
    """Some constants, of which there is one at least, and where the server may look for them.

    ``beside`` are words of the branches beside the one that waits for these: where one of them
    stands, it looks. ``passed`` are words of branches that were taken on the way, the latest last:
    it looks on behind one of them.
    """

    constants: tuple[Constant, ...]
    beside: tuple[bytes, ...] = ()
    passed: tuple[bytes, ...] = ()


def say(draft: Draft, saying: Saying) -> bool:
    """Put one of the constants somewhere; tell whether that changed anything."""
    place = _place(draft)
    if place is None:
        return False
    constant = _wanting(draft, place, saying.constants)
    if draft.chance(_BEHIND) and _behind(draft, place, constant, saying.passed):
        return True
    if isinstance(constant, bytes):
        if draft.chance(_INSTEAD) and _instead(draft, place, constant, saying.beside):
            return True
        return draft.pick(_BYTES)(draft, place, constant)
    number = constant
    if draft.chance(_BESIDE):
        number += draft.pick((-1, 1))
    return draft.pick(_NUMBERS)(draft, place, number)


def _wanting(draft: Draft, place: Place, constants: Sequence[Constant]) -> Constant:
    """Return one of the constants, mostly one that is not there yet."""
    first = draft.pick(constants)
    if isinstance(first, bytes) and place.data.find(first, 0, WINDOW) >= 0:
        return draft.pick(constants)
    return first


def _place(draft: Draft) -> Place | None:
    """Return a frame to say something in: one that was there, or one that is said once more."""
    index = draft.pick_send()
    if index is None:
        return None
    if draft.chance(_AGAIN) and draft.insert(index + 1, draft.steps[index]):
        index += 1
    data = draft.steps[index].data
    offset, length, _ = draft.pick(bounds_of(data))
    return Place(index, offset, data[offset : offset + length])


def _instead(draft: Draft, place: Place, data: bytes, beside: Sequence[bytes]) -> bool:
    """Put bytes in the place of a word of a branch beside theirs."""
    found = [(place.data.find(word, 0, WINDOW), word) for word in beside if word != data]
    said = [(at, word) for at, word in found if at >= 0]
    if not said:
        return False
    at, word = draft.pick(said)
    return draft.set_frame(place, place.anatomy.splice(at, len(word), data))


def _behind(draft: Draft, place: Place, constant: Constant, passed: Sequence[bytes]) -> bool:
    """Put a constant behind a word that a branch was taken for, mostly the latest of these."""
    found = [(place.data.rfind(word, 0, WINDOW), word) for word in passed]
    ends = [at + len(word) for at, word in found if at >= 0]
    if not ends:
        return False
    if place.data[0] in CBOR_OPCODES and draft.chance(0.5):
        key = next(word for at, word in reversed(found) if at >= 0)
        return into_map(draft, place, _text(key), _value(draft, constant))
    at = ends[-1] if draft.chance(0.5) else draft.pick(ends)
    data = constant if isinstance(constant, bytes) else _as_wide(draft, constant)
    return _put_at(draft, place, at, data)


def _in_frame(draft: Draft, place: Place, data: bytes) -> bool:
    """Put bytes over others of a frame, between them, or behind them."""
    size, where = len(place.data), draft.rng.random()
    if where < _HEAD_ODDS[0]:
        at = min(int(draft.rng.expovariate(1 / _HEAD)), size)
    else:
        at = size if where < _HEAD_ODDS[1] else draft.below(size)
    return _put_at(draft, place, at, data)


def _put_at(draft: Draft, place: Place, at: int, data: bytes) -> bool:
    """Put bytes at an offset: over what is there, before it, or in the place of what follows."""
    before, after = place.data[:at], place.data[at:]
    if draft.chance(_CUT):
        return draft.set_frame(place, before + data)
    over = len(data) if draft.chance(0.5) else 0
    return draft.set_frame(place, before + data + after[over:])


def _in_field(draft: Draft, place: Place, data: bytes) -> bool:
    """Put bytes into a field: as all of it, or somewhere in it."""
    if not place.anatomy.parts:
        return False
    part = draft.pick(place.anatomy.parts)
    if draft.chance(0.5):
        return draft.set_part(place, part, data)
    old = place.anatomy.content(part)
    # A text that begins, or goes on, with a word is another one.
    at = draft.pick((0, len(old), draft.below(len(old) + 1)))
    over = len(data) if draft.chance(0.5) else 0
    return draft.set_part(place, part, old[:at] + data + old[at + over :])


def _as_key(draft: Draft, place: Place, data: bytes) -> bool:
    """Put a pair into a CBOR map, with bytes as its key."""
    return into_map(draft, place, _text(data), None)


def _text(data: bytes) -> bytes:
    """Return bytes as CBOR: as a text if they are one."""
    try:
        return cbor.dumps(data.decode())
    except UnicodeDecodeError:
        return cbor.dumps(data)


def _value(draft: Draft, constant: Constant) -> bytes:
    """Return CBOR that a constant is compared with: as a value, or as the byte that heads one."""
    if isinstance(constant, int):
        return cbor.dumps(constant)
    return _item(draft, constant[0]) if draft.chance(0.5) else _text(constant)


def _as_token(draft: Draft, place: Place, data: bytes) -> bool:
    """Put bytes in the place of a word as texts are made of."""
    found = list(_TOKEN.finditer(place.data, 0, WINDOW))
    if not found:
        return False
    token = draft.pick(found)
    start, end = token.span()
    return draft.set_frame(place, place.anatomy.splice(start, end - start, data))


def _counted(draft: Draft, place: Place, data: bytes) -> bool:
    """Put bytes where others stand behind what looks like their length, which is made true."""
    found = _counts(place.data)
    if not found:
        return False
    at, size = draft.pick(found)
    behind = place.data[at + 1 + size :]
    return draft.set_frame(place, place.data[:at] + bytes([len(data)]) + data + behind)


def _counts(data: bytes) -> list[tuple[int, int]]:
    """Return the offsets of bytes that may count those behind them, and how many these are.

    No opcode does; nothing in a frame that the grammar knows has a length of one byte.
    """
    if data[0] in _KNOWN:
        return []
    near = enumerate(data[1 : _NEAR + 1], 1)
    return [(at, size) for at, size in near if size and at + 1 + size <= len(data)]


def _tagged(draft: Draft, place: Place, number: int) -> bool:
    """Put a number in front of a few bytes with their length: the tag of one more field."""
    if not 0 <= number < 256 or place.data[0] in _KNOWN:
        return False
    size = 1 + draft.below(_FIELD)
    field = bytes([number, size]) + draft.rng.randbytes(size)
    ends = [at + 1 + counted for at, counted in _counts(place.data)]
    at = draft.pick(ends) if ends and draft.chance(0.5) else draft.pick((1, len(place.data)))
    return draft.set_frame(place, place.data[:at] + field + place.data[at:])


def _as_head(draft: Draft, place: Place, data: bytes) -> bool:
    """Put an item into a CBOR map that begins with a byte: what a decoder looks at."""
    return into_map(draft, place, None, _item(draft, data[0]))


def _in_bytes(draft: Draft, place: Place, number: int) -> bool:
    """Put a number somewhere, as bytes."""
    return draft.pick((_in_frame, _in_field, _as_head))(draft, place, _as_wide(draft, number))


def _as_wide(draft: Draft, number: int) -> bytes:
    """Return a number in so many bytes as it needs, or a few more."""
    bits = number.bit_length() if number >= 0 else (~number).bit_length() + 1
    least = max(1, (bits + 7) // 8)
    wide = [width for width in _WIDTHS if width >= least]
    width = least if draft.chance(0.5) or not wide else draft.pick(wide)
    return (number % (1 << 8 * width)).to_bytes(width, "big")


def _as_text(draft: Draft, place: Place, number: int) -> bool:
    """Put a number somewhere as it is written, or another one that a count may be."""
    said = number if draft.chance(0.5) else draft.below(abs(number) + 1)
    return draft.pick((_in_frame, _in_field, _as_token))(draft, place, b"%d" % said)


def _as_integer(draft: Draft, place: Place, number: int) -> bool:
    """Give an integer of a frame the value of a number."""
    spans = [span for span in place.anatomy.outline if span.role is _INTEGER]
    if not spans:
        return False
    span = draft.pick(spans)
    data = (number % (1 << 8 * span.length)).to_bytes(span.length, "big")
    return draft.set_frame(place, place.anatomy.overwrite(span.offset, span.length, data))


def _as_opcode(draft: Draft, place: Place, number: int) -> bool:
    """Give a frame the opcode of a number."""
    if not 0 <= number < 256:
        return False
    return draft.set_frame(place, bytes([number]) + place.data[1:])


def _as_size(draft: Draft, place: Place, number: int) -> bool:
    """Bring a field to as many bytes as a number says."""
    if not place.anatomy.parts:
        return False
    part = draft.pick(place.anatomy.parts)
    if not 0 <= number <= part.length + draft.growth():
        return False
    old = place.anatomy.content(part) or b"A"
    return draft.set_part(place, part, (old * (number // len(old) + 1))[:number])


def _as_value(draft: Draft, place: Place, number: int) -> bool:
    """Put a pair into a CBOR map, or change one, with a number as its value."""
    return into_map(draft, place, None, cbor.dumps(number))


def _item(draft: Draft, head: int) -> bytes:
    """Return a whole CBOR item with this first byte; only that where there can be none."""
    kind, info = head >> 5, head & 31
    if info in _RESERVED:
        return bytes([head])
    if info == _INDEFINITE:
        return bytes([head, 0xFF])
    width = _ARGUMENTS.get(info, 0)
    size = draft.below(4) if width else info
    if kind in (Kind.UNSIGNED, Kind.NEGATIVE, Kind.SIMPLE):
        return bytes([head]) + draft.rng.randbytes(width)
    start = cbor_head(kind, size, 1 + width)
    if kind in (Kind.BYTES, Kind.TEXT):
        return start + b"A" * size
    items = {Kind.ARRAY: size, Kind.MAP: 2 * size}.get(Kind(kind), 1)
    return start + bytes(number % 24 for number in range(items))  # which are integers


_BYTES: tuple[Say, ...] = (
    _in_frame, _in_frame, _in_field, _in_field, _as_token, _counted, _as_key, _as_head,
)  # fmt: skip
_NUMBERS: tuple[SayNumber, ...] = (
    _in_bytes, _as_integer, _as_opcode, _as_size, _as_value, _as_text, _tagged,
)  # fmt: skip
