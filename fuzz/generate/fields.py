"""Operations on the fields of one frame: lengths that lie, sizes and numbers at their limits.

Where a field changes its size, the lengths around it are mostly kept true, so that the
server gets past its framing and into what the field is for. The operations whose point is
a lie say so.
"""

from __future__ import annotations

from fuzz.case import GROUP_TOKEN, MSGID_TOKEN
from fuzz.generate.anatomy import Part
from fuzz.generate.draft import TRUTH, Draft, Operation, Place
from fuzz.generate.values import odd_name
from grammar import Role, Span
from grammar.limits import boundaries, field_limit

#: What a server compares, or reads as a text.
_TEXTS = (Role.NAME, Role.LITERAL, Role.CBOR_VALUE)
# To ask an enum for its member takes longer than to compare with it.
_INTEGER, _NAME = Role.INTEGER, Role.NAME
#: Bytes that are repeated within a field at most: a CBOR item or two.
_RUN = 8


def nudge_length(draft: Draft) -> bool:
    """Let a length be off by one, or by a few."""
    found = _pick_length(draft)
    if found is None:
        return False
    place, span = found
    by = 1 if draft.chance(0.6) else 1 + draft.below(8)
    value = place.anatomy.value(span) + (by if draft.chance(0.5) else -by)
    return _set_number(draft, place, span, value % (1 << 8 * span.length))


def boundary_length(draft: Draft) -> bool:
    """Let a length be 0, the largest, or one next to a limit, whatever is there."""
    found = _pick_length(draft)
    if found is None:
        return False
    place, span = found
    values = boundaries(field_limit(span.path), span.length)
    value = draft.pick((0, values[-1])) if draft.chance(0.3) else draft.pick(values)
    return _set_number(draft, place, span, value)


def swap_length(draft: Draft) -> bool:
    """Put the bytes of a length in the other order."""
    found = _pick_length(draft)
    if found is None:
        return False
    place, span = found
    data = place.data[span.offset : span.offset + span.length]
    return draft.set_frame(place, place.anatomy.overwrite(span.offset, span.length, data[::-1]))


def borrow_length(draft: Draft) -> bool:
    """Let a length be that of another field, or count all the rest of the frame."""
    found = _pick_length(draft)
    if found is None:
        return False
    place, span = found
    values = [place.anatomy.value(other) for other in place.anatomy.lengths if other is not span]
    values.append(len(place.data) - span.offset - span.length)
    return _set_number(draft, place, span, draft.pick(values))


def resize(draft: Draft) -> bool:
    """Bring a field to a size at a limit, the lengths around it kept true."""
    return _resize(draft, truly=True)


def resize_untold(draft: Draft) -> bool:
    """Bring a field to a size at a limit, with the lengths left as they were."""
    return _resize(draft, truly=False)


def repeat_within(draft: Draft) -> bool:
    """Repeat a few bytes of a field where they stand: more of what the server loops over."""
    place = draft.pick_frame()
    parts = () if place is None else place.anatomy.parts
    if place is None or not parts:
        return False
    # A map of a hundred strings is one field all the same, and what follows it is in no string.
    whole = [part for part in parts if part.holds_cbor] if draft.chance(0.5) else []
    part = draft.pick(whole or parts)
    if part.length == 0:
        return False
    size, end = 1 + draft.below(_RUN), part.offset + part.length
    # At its end it may be more than the field should hold, which is a case of its own.
    start = (
        max(part.offset, end - size)
        if draft.chance(0.3)
        else part.offset + draft.below(part.length)
    )
    run = place.data[start : min(end, start + size)]
    most = draft.growth() // len(run)
    if most == 0:
        return False
    times = most if draft.chance(0.25) else 1 + draft.below(min(most, 2 * part.length + 1))
    return draft.set_frame(place, place.anatomy.splice(start + len(run), 0, run * times))


def boundary_integer(draft: Draft) -> bool:
    """Give an integer a value at which integers turn over, or a neighbour of its own."""
    place = draft.pick_frame()
    if place is None:
        return False
    spans = [span for span in place.anatomy.outline if span.role is _INTEGER]
    if not spans:
        return False
    span = draft.pick(spans)
    modulus = 1 << 8 * span.length
    if draft.chance(0.2):
        old = int.from_bytes(place.data[span.offset : span.offset + span.length], "big")
        value = old + draft.pick((-1, 1))
    elif draft.chance(0.3):
        value = draft.pick((0, modulus - 1))
    else:
        value = draft.pick(boundaries(None, span.length))
    return _set_number(draft, place, span, value % modulus)


def other_name(draft: Draft) -> bool:
    """Name somebody else: another user, the case's group or message, nobody, an odd name."""
    place = draft.pick_frame()
    if place is None:
        return False
    names = [part for part in place.anatomy.fields if part.role is _NAME]
    if not names:
        return False
    part = draft.pick(names)
    return draft.set_part(place, part, _name_for(draft, part))


def word_for_field(draft: Draft) -> bool:
    """Put a word of the dictionary in the place of a field's content."""
    found = _pick_part(draft)
    if found is None:
        return False
    place, part = found
    return draft.set_part(place, part, draft.pick(draft.dictionary.words).data)


def insert_word(draft: Draft) -> bool:
    """Insert a word of the dictionary into a field."""
    found = _pick_part(draft)
    if found is None:
        return False
    place, part = found
    at = part.offset + draft.below(part.length + 1)
    word = draft.pick(draft.dictionary.words).data
    if draft.chance(TRUTH):
        return draft.set_frame(place, place.anatomy.splice(at, 0, word))
    return draft.set_frame(place, place.anatomy.overwrite(at, 0, word))


def overwrite_word(draft: Draft) -> bool:
    """Write a word of the dictionary over the bytes of a frame, wherever they are."""
    place = draft.pick_frame()
    if place is None:
        return False
    word = draft.pick(draft.dictionary.words).data[: len(place.data)]
    at = draft.below(len(place.data) - len(word) + 1)
    return draft.set_frame(place, place.anatomy.overwrite(at, len(word), word))


def damage_text(draft: Draft) -> bool:
    """Damage a name, a literal or a key by one bit, one byte or its case."""
    place = draft.pick_frame()
    if place is None:
        return False
    spans = [span for span in place.anatomy.spans if span.role in _TEXTS]
    if not spans:
        return False
    span = draft.pick(spans)
    text = bytearray(place.data[span.offset : span.offset + span.length])
    at = draft.below(len(text))
    kind = draft.below(4)
    if kind == 0:
        text[at] ^= 1 << draft.below(8)
    elif kind == 1:
        del text[at]
    elif kind == 2:
        text.insert(at, text[at])
    else:
        text = text.swapcase()
    new = place.anatomy.splice(span.offset, span.length, bytes(text))
    return draft.set_frame(place, new)


def _resize(draft: Draft, *, truly: bool) -> bool:
    found = _pick_part(draft)
    if found is None:
        return False
    place, part = found
    size = _size_at_limit(draft, place, part)
    if size is None:
        return False
    anatomy = place.anatomy
    old = anatomy.content(part) or b"A"
    new = (old * (size // len(old) + 1))[:size]
    if truly:
        return draft.set_frame(place, anatomy.replace(part, new))
    return draft.set_frame(place, anatomy.overwrite(part.offset, part.length, new))


def _size_at_limit(draft: Draft, place: Place, part: Part) -> int | None:
    """Return a size at which the field that ``part`` is, or is in, meets a boundary.

    A string in CBOR is grown so that the whole field gets there, for its limit is the
    field's; should its head widen on the way, the field is those few bytes over.
    """
    limit = field_limit(part.path)
    most = part.length + draft.growth()
    beside = 0
    if part.role is Role.CBOR_VALUE and not part.holds_cbor and place.anatomy.lengths:
        field = _field_around(place, part)
        beside = field - part.length
    sizes = [size - beside for size in boundaries(limit, 4)]
    fitting = [size for size in sizes if 0 <= size <= most and size != part.length]
    near = [size for size in fitting if limit and abs(size + beside - limit) <= 1]
    if near and draft.chance(0.6):
        return draft.pick(near)
    if not fitting:
        return None
    # Most boundaries are small, and most mistakes of a size are made above them.
    return max(fitting) if draft.chance(0.25) else draft.pick(fitting)


def _field_around(place: Place, part: Part) -> int:
    """Return the size of the smallest counted field that holds ``part``."""
    sizes = [
        span.counts[1]
        for span in place.anatomy.lengths
        if span.counts is not None
        and span.counts[0] <= part.offset
        and part.offset + part.length <= sum(span.counts)
    ]
    return min(sizes, default=part.length)


def _name_for(draft: Draft, part: Part) -> bytes:
    if draft.chance(0.25):
        return odd_name(draft)
    if part.path.endswith("group_id") and draft.chance(0.7):
        return GROUP_TOKEN
    if part.path.endswith("msg_id") and draft.chance(0.7):
        return MSGID_TOKEN
    return draft.someone()


def _set_number(draft: Draft, place: Place, span: Span, value: int) -> bool:
    """Write ``value`` into ``span`` as far as its width can say it."""
    value = min(value, (1 << 8 * span.length) - 1)
    new = value.to_bytes(span.length, "big")
    return draft.set_frame(place, place.anatomy.overwrite(span.offset, span.length, new))


def _pick_length(draft: Draft) -> tuple[Place, Span] | None:
    place = draft.pick_frame()
    lengths = () if place is None else place.anatomy.lengths
    return (place, draft.pick(lengths)) if place is not None and lengths else None


def _pick_part(draft: Draft) -> tuple[Place, Part] | None:
    """Return the content of a field, or of a string in CBOR, of a random frame."""
    place = draft.pick_frame()
    parts = () if place is None else place.anatomy.parts
    return (place, draft.pick(parts)) if place is not None and parts else None


OPERATIONS = (
    Operation("length-nudge", 34, nudge_length),
    Operation("length-boundary", 30, boundary_length),
    Operation("length-swap", 6, swap_length),
    Operation("length-borrow", 10, borrow_length),
    Operation("field-resize", 34, resize),
    Operation("field-resize-untold", 12, resize_untold),
    Operation("field-repeat", 12, repeat_within),
    Operation("integer-boundary", 48, boundary_integer),
    Operation("name-other", 44, other_name),
    Operation("word-replace", 24, word_for_field),
    Operation("word-insert", 20, insert_word),
    Operation("word-overwrite", 20, overwrite_word),
    Operation("text-damage", 16, damage_text),
)
