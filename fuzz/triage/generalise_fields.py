"""What of the fields of one frame is needed for it to fail.

A field that tells its length truly is made longer and shorter with its length repaired. A
length that says more than follows is the harder case: is it the number that fails, whether or
not so much follows, or is it the lie? The field is once given all the bytes that its length
says; if that fails too, the number is it, and the content is free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set

from fuzz.generate.anatomy import WINDOW, Anatomy, anatomy_of
from fuzz.generate.anatomy import Part as Field
from fuzz.triage.generalise_bounds import downward, upward
from fuzz.triage.generalise_names import identity_of, is_given, is_name
from fuzz.triage.generalise_survey import Look, MessagesLook, Survey, Tally, messages_of
from fuzz.triage.pattern import Part, Place
from fuzz.triage.pattern_fields import (
    FREE,
    Aspect,
    Condition,
    depth_of,
    divides_badly,
    field_name,
    plain_name,
    template_of,
)
from fuzz.triage.reduce import PLAIN_TEXT, units
from grammar import Direction, Role, Span
from grammar.cbor import walk
from grammar.layout import measure, plan_at

#: Sizes that are tried beyond the smallest that fails: above the limits of a name (256), of a
#: header (1,024) and of what is looked into at once (4,096). What fails at the last is taken to
#: fail at any size: a frame over 64 KiB may be refused for its size alone.
_SIZES = (8, 300, 1_100, 5_000)
#: The same for the messages of a batch, of which Iris allows 1,000.
_COUNTS = (10, 100)
#: The same for numbers: where integers of one, two, four and eight bytes end.
_NUMBERS = tuple((1 << bits) - 1 for bits in (8, 15, 16, 31, 32, 63, 64))
#: A field is given all that its length says up to this: more cannot pass a buffer of 64 KiB.
_MOST_CONTENT = 65_000
#: Bytes of all messages of a batch that are made longer together: well below that buffer.
_MOST_TRIED = 32_000
#: Contents up to this many units are examined byte by byte.
_BYTEWISE = 32
#: Bytes of a longer content that a pattern keeps.
_KEPT = 64
#: CBOR in containers this deep is examined for its depth: Iris nests two deep.
_DEEP = 4
#: What is put in the place of a content or a byte to see whether it matters.
_FILLS = (b"b", b"\x00", b"\xff")
#: A batch and a CBOR map that are whole, and others that end inside an item in several ways.
_BATCHES = (b"\x00\x01a", (b"\x00", b"\x00\x01", b"\x00\x01a\x00\x02b"))
_CBORS = (b"\xa0", (b"\x81", b"\xa1\x61n", b"\xa1\x61n\x19"))
#: A key and a value that belong into a CBOR map, and what ends one of indefinite length.
_PAIR, _BREAK = b"\x61n\x01", b"\xff"
#: The field of a batch that holds its messages.
_MESSAGES = ".messages"


def conditions_of(survey: Survey, run: Sequence[int], parts: list[Part]) -> Iterator[Condition]:
    """Yield what the fields of a frame must be, and append what is said of each.

    ``run`` are the numbers of frames that are all the same, and are varied together.
    """
    frame = survey.frames[run[0]]
    anatomy = anatomy_of(frame.data)
    if frame.unknown or not anatomy.parts or _ragged(anatomy):
        yield from _whole_frame(survey, run, parts)
        return
    for span in anatomy.spans:
        if span.role is Role.INTEGER:
            yield from _integer(survey, run, span, parts)
    # The budget may not be enough for all, so what is odd comes first.
    for look in sorted(_looks(survey, run, anatomy, parts), key=_ordinary):
        counted = look.field.path.endswith(_MESSAGES) and _whole_messages(anatomy)
        before = len(parts)
        found = list(_messages(look) if counted else _field(look))
        if survey.exhausted:
            # What was found of it so far may be owed to answers that were never given.
            del parts[before:]
            found = list(_as_it_is(look))
        yield from found


def _looks(
    survey: Survey, run: Sequence[int], anatomy: Anatomy, parts: list[Part]
) -> Iterator[Look]:
    """Yield the fields of a frame, and the messages of a batch, those together that are alike."""
    for field in anatomy.parts:
        if "[" not in field.path:
            yield Look(survey, run, anatomy, field, parts)
    alike: dict[bytes, list[Field]] = {}
    for field in messages_of(anatomy) if _whole_messages(anatomy) else ():
        alike.setdefault(anatomy.content(field), []).append(field)
    for fields in alike.values():
        yield MessagesLook(survey, run, anatomy, fields, parts)


def _ordinary(look: Look) -> bool:
    """Tell whether a field tells its length truly and holds nothing that is broken or deep."""
    cbor = look.field.holds_cbor and (
        depth_of(look.content) >= _DEEP or divides_badly(look.content, is_batch=False)
    )
    return look.said == look.field.length and not cbor


def _ragged(anatomy: Anatomy) -> bool:
    """Tell whether the frame ends before a field has begun, or inside a length or an integer."""
    plan = plan_at(anatomy.data, 0, Direction.CLIENT)
    missing = None if plan is None else measure(plan, anatomy.data, 0)[1]
    if missing is None:
        return False
    head = next((s for s in anatomy.spans if s.path in (missing.path, missing.length_path)), None)
    return head is None or head.length < missing.width


def _whole_messages(anatomy: Anatomy) -> bool:
    """Tell whether the frame is a batch in which every message has its whole length.

    Not all messages of a frame that is longer than the window are known.
    """
    if len(anatomy.data) > WINDOW:
        return False
    inner = [span for span in anatomy.spans if "messages[" in span.path]
    lengths = [span for span in inner if span.role is Role.LENGTH]
    tails = [span for span in anatomy.spans if span.path.endswith(f"{_MESSAGES}.tail")]
    return bool(lengths) and not tails and all(span.length == 2 for span in lengths)


def _whole_frame(survey: Survey, run: Sequence[int], parts: list[Part]) -> Iterator[Condition]:
    """Examine the bytes behind the opcode of a frame that has no fields to be told apart."""
    data = survey.frames[run[0]].data
    tally = survey.tally()

    def holds(tail: bytes) -> bool:
        return tally.shows(survey.with_frames(run, data[:1] + tail))

    tail = data[1:]
    open_ended = all(holds(tail + fill * 8) for fill in _FILLS)
    free = _free_bytes(tail, holds)
    if survey.exhausted:
        open_ended, free = False, frozenset()
    if open_ended and not tail:
        parts.append(tally.part("what follows the opcode is free"))
        return
    aspect = Aspect.START if open_ended or len(tail) > _KEPT else Aspect.CONTENT
    # The opcode is the rule's to know: the same may hold for others.
    template = FREE + template_of(tail[:_KEPT], free)
    condition = Condition("", aspect, content=template)
    if survey.exhausted:
        parts.append(tally.part("bytes", Place.KEPT, run[0]))
    else:
        parts.append(tally.part(condition.words(), Place.CONDITION, run[0]))
    yield condition


def _integer(
    survey: Survey, run: Sequence[int], span: Span, parts: list[Part]
) -> Iterator[Condition]:
    frame, tally = survey.frames[run[0]], survey.tally()
    start, end, top = span.offset, span.offset + span.length, (1 << 8 * span.length) - 1
    number, name = int.from_bytes(frame.data[start:end], "big"), field_name(span.path, frame.opcode)

    def holds(number: int) -> bool:
        new = number.to_bytes(span.length, "big")
        return tally.shows(survey.with_frames(run, frame.data[:start] + new + frame.data[end:]))

    least, most = downward(number, 0, holds), upward(number, _NUMBERS, holds, top)
    if survey.exhausted:
        parts.append(tally.part(name, Place.KEPT, run[0]))
        yield Condition(name, Aspect.NUMBER, number, number)
    elif (least, most) == (0, None):
        parts.append(tally.part(f"the {name} is free"))
    else:
        condition = Condition(name, Aspect.NUMBER, least, most)
        parts.append(tally.part(condition.words(), Place.CONDITION, run[0]))
        yield condition


def _messages(look: Look) -> Iterator[Condition]:
    """Examine the number of messages in a batch; each of them is a field of its own."""
    starts = [s.offset for s in look.anatomy.lengths if s.path.startswith(f"{look.field.path}[")]
    tally = look.survey.tally()

    def holds(count: int) -> bool:
        added = (count - len(starts)) * b"\x00\x01a"
        end = starts[count] - look.field.offset if count < len(starts) else None
        return tally.shows(look.filled(look.content[:end] + added))

    least, most = downward(len(starts), 0, holds), upward(len(starts), _COUNTS, holds)
    if (least, most) != (0, None):
        yield look.told(Condition(look.name, Aspect.COUNT, least, most), tally)


def _field(look: Look) -> Iterator[Condition]:
    """Examine a field with a length."""
    if look.said > look.field.length:
        yield from _lying(look, look.said)
    elif look.field.holds_cbor and depth_of(look.content) >= _DEEP:
        yield from _depth(look)
    elif broken := _broken(look):
        yield from broken
    else:
        yield from _true(look)


def _broken(look: Look) -> list[Condition]:
    """Return that a batch, or CBOR, ends inside an item of it, if that is all that matters.

    Or that it does and begins with one head, as an item of indefinite length without its end.
    """
    is_batch = look.field.path.endswith(_MESSAGES)
    if not divides_badly(look.content, is_batch):
        return []
    tally = look.survey.tally()
    ends = Condition(look.name, Aspect.BROKEN)
    if _only_broken(look, tally, *(_BATCHES if is_batch else _CBORS)):
        return [look.told(ends, tally)]
    head = look.content[:1]
    if is_batch or not _only_broken(
        look, tally, head + _PAIR + _BREAK, (head, head + _PAIR, head + _PAIR * 3)
    ):
        return []
    starts = Condition(look.name, Aspect.START, content=template_of(head))
    return [look.told(starts, tally), look.told(ends, tally)]


def _only_broken(look: Look, tally: Tally, whole: bytes, broken: tuple[bytes, ...]) -> bool:
    """Tell whether the field fails with all contents that are ``broken`` and not when whole."""
    fails = all(tally.shows(look.filled(content)) for content in broken)
    return fails and not tally.shows(look.filled(whole))


def _true(look: Look) -> Iterator[Condition]:
    """Examine a field whose length is true: whose name it is, how long it is, what is in it."""
    names = identity_of(look) if is_name(look) else []
    yield from names
    if is_given(names):
        return
    tally, contents = look.survey.tally(), look.survey.tally()
    # A token is bound to a name of another size: its own tells nothing.
    named = len(units(look.content)) < len(look.content)
    least, most = (0, None) if named else _sizes(look, tally)
    sized = (least, most) != (0, None)
    if sized:
        yield look.told(Condition(look.name, Aspect.SIZE, least, most), tally)
    if names or most == 0:
        return
    # What was made longer, by letters, still began with the same.
    open_ended = not named and (most is None or most > len(look.content))
    inside = list(_bytes(look, contents, open_ended))
    for condition in inside:
        yield look.told(condition, contents)
    if not inside:
        look.note(_free_words(look, sized), contents)


def _sizes(look: Look, tally: Tally) -> tuple[int, int | None]:
    """Return the sizes with which the field fails."""
    size = len(look.content)
    probes = [probe for probe in _SIZES if probe == _SIZES[0] or probe * look.many <= _MOST_TRIED]

    def holds(size: int) -> bool:
        return tally.shows(look.filled(_stretched(look.content, size)))

    return downward(size, 0, holds), upward(size, probes, holds, look.top)


def _free_words(look: Look, sized: bool) -> str:
    if look.name.endswith("[]"):
        return f"each {plain_name(look.name)} is free"
    name = plain_name(look.name)
    if not sized:
        return f"the {name} is free"
    if look.field.role is Role.NAME:
        return f"the {name} itself is free"
    return f"the bytes of the {name} are free"


def _lying(look: Look, said: int) -> Iterator[Condition]:
    """Examine a field whose length says more than follows: is it the number, or the lie?"""
    there, tally = len(look.content), look.survey.tally()
    given = _stretched(look.content, said) if said <= _MOST_CONTENT else None
    truthful = given is not None and tally.shows(look.saying(said, given))

    def holds(number: int) -> bool:
        return tally.shows(look.saying(number))

    least, most = downward(said, there + 1, holds), upward(said, _NUMBERS, holds, look.top)
    if truthful:
        yield look.told(Condition(look.name, Aspect.SAID, least, most), tally)
    else:
        most = None if most is None else most - there
        yield look.told(Condition(look.name, Aspect.EXCESS, least - there, most), tally)
    contents = look.survey.tally()
    inside = list(_bytes(look, contents, open_ended=False)) if there else []
    for condition in inside:
        yield look.told(condition, contents)
    if truthful and not inside:
        look.note(_free_words(look, sized=True), contents if there else tally)


def _depth(look: Look) -> Iterator[Condition]:
    """Examine how deep CBOR is nested: the containers of the minimal case have heads of a byte.

    The innermost item is put into more of them, or fewer. What is around all may have to be a
    container of one kind.
    """
    depth, tally = depth_of(look.content), look.survey.tally()
    inner = max(walk(look.content).items, key=lambda item: item.depth).offset

    def holds(number: int) -> bool:
        outer = look.content[: inner + min(0, number - depth)] + b"\x81" * (number - depth)
        return tally.shows(look.filled(outer + look.content[inner:]))

    starts = look.survey.tally()
    if not starts.shows(look.filled(b"\x81" * (depth - 1) + look.content[inner:])):
        head = Condition(look.name, Aspect.START, content=template_of(look.content[:1]))
        yield look.told(head, starts)
    least, most = downward(depth, 0, holds), upward(depth, (2 * depth,), holds)
    yield look.told(Condition(look.name, Aspect.DEPTH, least, most), tally)


def _bytes(look: Look, tally: Tally, open_ended: bool) -> Iterator[Condition]:
    """Examine the bytes of a content, its size unchanged, or those that an empty one begins with.

    Other sizes were tried with one letter only.
    """

    def holds(content: bytes) -> bool:
        true = look.said == look.field.length
        return tally.shows(look.filled(content) if true else look.saying(look.said, content))

    content = look.content
    failing = [fill for fill in _FILLS if not holds(fill * max(1, len(content)))]
    if len(failing) < len(_FILLS) - 1 or not content:
        for fill in failing:
            yield Condition(look.name, Aspect.UNLIKE, content=template_of(fill))
        return
    free = _free_bytes(content, holds)
    kept = content[:_KEPT]
    aspect = Aspect.START if open_ended or len(content) > _KEPT else Aspect.CONTENT
    yield Condition(look.name, aspect, content=template_of(kept, free))


def _free_bytes(content: bytes, holds: Callable[[bytes], bool]) -> frozenset[int]:
    """Return the offsets of bytes that may be any; none in a content too long to look at.

    Each is tried together with those before it that may: one of two may be enough.
    """
    pieces = units(content)
    free: set[int] = set()
    if len(pieces) > _BYTEWISE:
        return frozenset()
    offset = 0
    for piece in pieces:
        both = free | set(range(offset, offset + len(piece)))
        if all(holds(_overlaid(content, both, fill)) for fill in _FILLS):
            free = both
        offset += len(piece)
    return frozenset(free)


def _overlaid(content: bytes, offsets: Set[int], fill: bytes) -> bytes:
    return bytes(fill[0] if at in offsets else byte for at, byte in enumerate(content))


def _as_it_is(look: Look) -> Iterator[Condition]:
    """Yield what leaves a field that was not examined as it is in the minimal case."""
    look.kept()
    content = look.content
    if len(content) > _KEPT:
        yield Condition(look.name, Aspect.START, content=template_of(content[:_KEPT]))
        yield Condition(look.name, Aspect.SIZE, len(content), len(content))
    else:
        yield Condition(look.name, Aspect.CONTENT, content=template_of(content))
    if look.said != len(content):
        yield Condition(look.name, Aspect.SAID, look.said, look.said)


def _stretched(content: bytes, size: int) -> bytes:
    return content[:size] + PLAIN_TEXT * (size - len(content))
