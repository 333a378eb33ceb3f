"""Passes that make a case smaller in its bytes: frames, fields, bytes, plain values.

Fields come before bytes: where the lengths around a field are repaired, a case stays well
formed while it shrinks, and what is left shows what is wrong with it and no more. Bytes are
then left out without any repair, since some defects need a length that lies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from fuzz.case import ALL_USER_TOKENS, Step, StepKind
from fuzz.generate.anatomy import Anatomy, anatomy_of
from fuzz.triage.reduce import (
    PLAIN_BYTE,
    PLAIN_TEXT,
    TEXTUAL,
    Reduction,
    lowest,
    sift,
    units,
)
from grammar import (
    BatchSend,
    CborMsg,
    Direction,
    E2eeMsg,
    Role,
    SendMessage,
    SendSeq,
    Span,
    cbor,
    decode,
    encode,
    frame_bounds,
    spans,
)
from grammar.errors import GrammarError

#: A content is gone through in at most this many runs at the finest: byte by byte up to a little
#: over the longest name, in longer runs above, where each byte would cost a play.
_FINEST_RUNS = 320

#: The shortest CBOR that is a map: what is cut out of a longer one is mostly no item at all.
_NO_ITEMS = cbor.dumps({})

#: Levels of CBOR that items are left out of: those of a key bundle, and one more. An item that
#: refers to itself has no end of them.
_LEVELS = 3
#: Bytes of CBOR in which items are told apart: a bundle with a hundred keys. Each item costs a
#: play, and of what is longer the bytes go in runs.
_MOST_ITEM_BYTES = 4_096

#: Offers a content in the place of the one at hand; tells whether it was taken.
Put = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class _Row:
    """``count`` equal frames, one behind the other, in the segment at ``index``."""

    index: int
    frame: bytes
    count: int


def drop_frames(reduction: Reduction) -> None:
    """Leave out whole frames, wherever they are; of a row of equal ones by bisection."""
    steps, left = reduction.steps, _rows(reduction)

    def holds(kept: list[_Row]) -> bool:
        nonlocal left
        if not reduction.offer(_with_rows(steps, kept)):
            return False
        left = kept
        return True

    def count_holds(at: int, count: int) -> bool:
        return holds([*left[:at], replace(left[at], count=count), *left[at + 1 :]])

    sift(left, holds)
    for at, row in enumerate(left):
        lowest(1, row.count, partial(count_holds, at))


def _rows(reduction: Reduction) -> list[_Row]:
    rows: list[_Row] = []
    for index in _sends(reduction):
        data = reduction.steps[index].data
        frames = (data[at : at + length] for at, length, _ in _bounds(reduction, index))
        rows += (_Row(index, frame, len(list(same))) for frame, same in groupby(frames))
    return rows


def _with_rows(steps: Sequence[Step], rows: Sequence[_Row]) -> list[Step]:
    """Return ``steps`` with these rows as their segments; one that has none left is left out."""
    data: dict[int, bytes] = {}
    for row in rows:
        data[row.index] = data.get(row.index, b"") + row.frame * row.count
    return [
        replace(step, data=data.get(index, b"")) if step.kind is StepKind.SEND else step
        for index, step in enumerate(steps)
        if index in data or step.kind is not StepKind.SEND
    ]


def plainer_frames(reduction: Reduction) -> None:
    """Say in a SEND_MESSAGE what is said in a longer frame to the same user."""
    for index in _sends(reduction):
        for offset, length, _ in reversed(_bounds(reduction, index)):
            data = reduction.steps[index].data[offset : offset + length]
            put = _segment(reduction, index, offset, offset + length)
            any(put(plainer) for plainer in _as_messages(data) if len(plainer) < length)


def drop_items(reduction: Reduction) -> None:
    """Leave out items of CBOR, at any depth, with the counts and the lengths around repaired."""
    for index in _sends(reduction):
        for frame in range(len(_bounds(reduction, index))):
            while _drop_item(reduction, index, frame):
                pass


def shrink_fields(reduction: Reduction) -> None:
    """Empty or shorten the content of each field, with the lengths around it repaired."""
    for index, step in enumerate(reduction.steps):
        if step.kind is StepKind.LOGIN:
            _shrink_login(reduction, index)
    for index in _sends(reduction):
        frame = 0
        while frame < len(_bounds(reduction, index)):
            _shrink_frame(reduction, index, frame)
            frame += 1


def drop_bytes(reduction: Reduction) -> None:
    """Leave out bytes, and leave every length as it is."""
    for index in _sends(reduction):
        _shrink(reduction.steps[index].data, _segment(reduction, index, 0, None))


def plain_bytes(reduction: Reduction) -> None:
    """Put the smallest number into each length and integer, and a plain byte into all else."""
    for index in _sends(reduction):
        at = 0
        while at < len(found := spans(reduction.steps[index].data, Direction.CLIENT)):
            span = found[at]
            if span.role in (Role.LENGTH, Role.INTEGER):
                _smallest(reduction, index, span)
            elif span.role is not Role.OPCODE:
                _plainest(reduction, index, span)
            at += 1


def _sends(reduction: Reduction) -> list[int]:
    """Return the indices of the segments: those stay what they are in all passes here."""
    return [
        index
        for index, step in enumerate(reduction.steps)
        if step.kind is StepKind.SEND and step.data
    ]


def _bounds(reduction: Reduction, index: int) -> tuple[tuple[int, int, int | None], ...]:
    return frame_bounds(reduction.steps[index].data, Direction.CLIENT)


def _as_messages(data: bytes) -> list[bytes]:
    """Return a frame that brings something to a user as the frames that bring as much, or less."""
    try:
        frame = decode(data, Direction.CLIENT)[0]
    except GrammarError:
        return []
    if isinstance(frame, SendSeq):
        target, texts = frame.target, [frame.message]
    elif isinstance(frame, BatchSend):
        target, texts = frame.target, list(frame.messages[:1])
    elif isinstance(frame, CborMsg):
        target, texts = frame.target, [frame.payload]
    elif isinstance(frame, E2eeMsg):
        target, texts = frame.recipient, [frame.ciphertext]
    else:
        return []
    return [encode(SendMessage(target, text)) for text in dict.fromkeys((b"", *texts))]


def _segment(reduction: Reduction, index: int, start: int, end: int | None) -> Put:
    """Return what offers the step at ``index`` with other bytes between two offsets."""
    data = reduction.steps[index].data
    behind = b"" if end is None else data[end:]
    return lambda new: reduction.offer_data(index, data[:start] + new + behind)


def _shrink_login(reduction: Reduction, index: int) -> None:
    """Shorten the user and the token of a LOGIN step; a user with a fresh name stays."""
    data = reduction.steps[index].data
    user = next((token for token in ALL_USER_TOKENS if data.startswith(token)), b"")
    _shrink(data[len(user) :], _segment(reduction, index, len(user), None))


def _drop_item(reduction: Reduction, index: int, frame: int) -> bool:
    """Leave out one item of a frame's CBOR; tell whether one could be spared."""
    bounds = _bounds(reduction, index)
    if frame >= len(bounds):
        return False
    offset, length, _ = bounds[frame]
    put = _segment(reduction, index, offset, offset + length)
    anatomy = anatomy_of(reduction.steps[index].data[offset : offset + length])
    for part in anatomy.parts:
        if not part.holds_cbor or part.length > _MOST_ITEM_BYTES:
            continue
        try:
            for less in _less(cbor.loads(anatomy.content(part))):
                if put(anatomy.replace(part, cbor.dumps(less))):
                    return True
        except GrammarError:
            continue  # what is bent, or refers to itself, is left to the bytes
    return False


def _less(value: object, levels: int = _LEVELS) -> Iterator[object]:
    """Yield ``value`` with one item left out, those at the end and of the outermost level first."""
    if not levels:
        return
    if isinstance(value, list):
        for at in reversed(range(len(value))):
            yield value[:at] + value[at + 1 :]
        for at, item in enumerate(value):
            yield from ([*value[:at], less, *value[at + 1 :]] for less in _less(item, levels - 1))
    elif isinstance(value, dict):
        for key in reversed(value):
            yield {other: item for other, item in value.items() if other != key}
        for key, item in value.items():
            yield from ({**value, key: less} for less in _less(item, levels - 1))


def _shrink_frame(reduction: Reduction, index: int, frame: int) -> None:
    """Shrink each field of one frame, the outer before the inner."""
    field = 0
    while frame < len(bounds := _bounds(reduction, index)):
        offset, length, _ = bounds[frame]
        anatomy = anatomy_of(reduction.steps[index].data[offset : offset + length])
        if field >= len(anatomy.parts):
            return
        put = _segment(reduction, index, offset, offset + length)
        shrink_field(anatomy, field, put)
        field += 1


def shrink_field(anatomy: Anatomy, field: int, put: Put) -> None:
    """Empty or shorten the content of one field; ``put`` offers the whole frame with another."""
    part = anatomy.parts[field]
    content = anatomy.content(part)

    def fill(new: bytes) -> bool:
        return put(anatomy.replace(part, new))

    if part.holds_cbor and content and (fill(b"") or (len(content) > 1 and fill(_NO_ITEMS))):
        return
    if part.role in TEXTUAL and len(content) > 1 and fill(PLAIN_TEXT * len(content)):
        content = PLAIN_TEXT * len(content)
    _shrink(content, fill)


def _shrink(content: bytes, put: Put) -> None:
    """Offer ever less of ``content``: nothing, a beginning, an end, and what runs can spare."""
    if not content or put(b""):
        return
    pieces = units(content)
    size = lowest(1, len(pieces), lambda size: put(b"".join(pieces[:size])))
    begun = pieces[:size]
    size = lowest(1, len(begun), lambda size: put(b"".join(begun[-size:])))
    left = begun[-size:]
    sift(left, lambda kept: put(b"".join(kept)), finest=1 + len(left) // _FINEST_RUNS)


def _smallest(reduction: Reduction, index: int, span: Span) -> None:
    end = span.offset + span.length
    put = _segment(reduction, index, span.offset, end)
    number = int.from_bytes(reduction.steps[index].data[span.offset : end], "big")
    lowest(0, number, lambda value: put(value.to_bytes(span.length, "big")))


def _plainest(reduction: Reduction, index: int, span: Span) -> None:
    """Make plain what can be: all of the span, else each half of it, down to single bytes."""
    plain = PLAIN_TEXT if span.role in TEXTUAL else PLAIN_BYTE
    end = span.offset + span.length
    pieces = units(reduction.steps[index].data[span.offset : end])
    if len(pieces) > _FINEST_RUNS:
        pieces = [b"".join(pieces)]

    def settle(start: int, size: int) -> None:
        here = span.offset + sum(map(len, pieces[:start]))
        length = sum(map(len, pieces[start : start + size]))
        put = _segment(reduction, index, here, here + length)
        if not put(plain * length) and size > 1:
            settle(start, size // 2)
            settle(start + size // 2, size - size // 2)

    settle(0, len(pieces))
