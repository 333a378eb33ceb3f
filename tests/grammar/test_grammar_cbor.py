"""The walk over CBOR, with cbor2 as an independent judge of what is well-formed."""

from __future__ import annotations

from io import BytesIO

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.generate.strategies import cbor_items, cbor_like
from grammar import CborError, EncodeError
from grammar.cbor import MAX_DEPTH, MAX_ITEMS, Item, Kind, dumps, loads, walk
from tests.grammar.strategies import quick


@quick
@given(cbor_items())
def test_well_formed_items_are_walked_to_their_end(data: bytes) -> None:
    walked = walk(data)
    assert (walked.fault, walked.end) == (None, len(data))
    assert repr(loads(data)) == repr(cbor2.loads(data))


@quick
@given(cbor_items(), st.data())
def test_a_part_of_an_item_ends_early(data: bytes, draw: st.DataObject) -> None:
    part = data[: draw.draw(st.integers(0, len(data) - 1), label="cut")]
    fault = walk(part).fault
    assert fault is not None
    assert fault.early
    with pytest.raises(cbor2.CBORDecodeEOF):
        cbor2.loads(part)


@quick
@given(st.one_of(cbor_like(), st.binary(max_size=40)))
def test_the_judge_agrees_on_any_bytes(data: bytes) -> None:
    walked = walk(data)
    file = BytesIO(data)
    try:
        cbor2.load(file)
    except cbor2.CBORDecodeEOF:
        assert walked.fault is not None
        assert walked.fault.early
    except cbor2.CBORDecodeError:
        # Not well-formed, which the walk sees too, or not valid: that takes a tag or a text.
        kinds = {item.kind for item in walked.items}
        assert walked.fault is not None or kinds & {Kind.TAG, Kind.TEXT}
    else:
        assert (walked.fault, walked.end) == (None, file.tell())


@quick
@given(st.one_of(cbor_like(), st.binary(max_size=60)), st.integers(0, 10), st.integers(0, 70))
def test_items_tile_what_was_walked(data: bytes, offset: int, stop: int) -> None:
    walked = walk(data, offset, stop)
    at = offset
    for item in walked.items:
        assert item.offset == at
        assert item.head in (1, 2, 3, 5, 9)
        at += item.head + item.content
    assert at == walked.end
    assert walked.end <= max(offset, min(stop, len(data)))


@quick
@given(st.one_of(cbor_like(), st.binary(max_size=40)))
def test_any_bytes_load_or_are_one_typed_error(data: bytes) -> None:
    fault: CborError | None = None
    try:
        loads(data)
    except CborError as error:
        fault = error
    assert fault is None or 0 <= fault.offset <= len(data)
    assert fault is not None or walk(data).end == len(data)


def test_an_item_says_what_its_head_holds() -> None:
    # [1, (_ h'AA'), 2("x"), 1.5, true] with the array in a two-byte head
    walked = walk(bytes.fromhex("9805 01 5f 41aa ff c2 6178 f93e00 f5"))
    assert walked.items == (
        Item(0, 2, 0, Kind.ARRAY, 5, 0),
        Item(2, 1, 0, Kind.UNSIGNED, 1, 1),
        Item(3, 1, 0, Kind.BYTES, None, 1),
        Item(4, 1, 1, Kind.BYTES, 1, 2),
        Item(6, 1, 0, Kind.BREAK, None, 2),
        Item(7, 1, 0, Kind.TAG, 2, 1),
        Item(8, 1, 1, Kind.TEXT, 1, 2),
        Item(10, 3, 0, Kind.FLOAT, 0x3E00, 1),
        Item(13, 1, 0, Kind.SIMPLE, 21, 1),
    )
    assert walked.fault is None


@quick
@given(cbor_items())
def test_an_item_is_whole_within_what_holds_it(data: bytes) -> None:
    walked = walk(data)
    assert walked.end_of(0) == len(data)
    held = [0]
    for index, item in enumerate(walked.items):
        for child in walked.children(index):
            held.append(child)
            inner = walked.items[child]
            assert item.offset < inner.offset < walked.end_of(child) <= walked.end_of(index)
            # A chunk or a shared value may not load alone; a head and its bytes are walked.
            assert walk(data, inner.offset).end == walked.end_of(child)
    assert sorted(held) == [i for i, one in enumerate(walked.items) if one.kind is not Kind.BREAK]


def test_an_open_container_ends_with_its_break() -> None:
    walked = walk(b"\x9f\x01\xbf\x61a\x02\xff\xff")
    assert [walked.end_of(index) for index in range(5)] == [8, 2, 7, 5, 6]
    assert [walked.children(index) for index in range(5)] == [[1, 2], [], [3, 4], [], []]


def test_an_item_that_is_cut_short_ends_with_the_walk() -> None:
    walked = walk(b"\x82\x01\x43a")
    assert [walked.end_of(index) for index in range(3)] == [4, 2, 4]
    assert walked.children(0) == [1, 2]


@pytest.mark.parametrize(
    ("text", "offset", "reason"),
    [
        ("", 0, "the bytes end inside an item"),
        ("9b ffffffffffffffff 00", 10, "the bytes end inside an item"),
        ("bb ffffffffffffffff", 9, "the bytes end inside an item"),
        ("5b ffffffffffffffff 00", 10, "the bytes end inside an item"),
        ("1c", 0, "additional information 28 is not for major type 0"),
        ("81 1f", 1, "additional information 31 is not for major type 0"),
        ("df", 0, "additional information 31 is not for major type 6"),
        ("f8 1f", 0, "a simple value below 32 in two bytes"),
        ("ff", 0, "a break outside of an indefinite item"),
        ("81 ff", 1, "a break outside of an indefinite item"),
        ("9f c1 ff", 2, "a break outside of an indefinite item"),
        ("bf 01 ff", 2, "a break between a key and its value"),
        ("5f 6161 ff", 1, "a chunk of another kind than its string"),
        ("7f 7f ff ff", 1, "a chunk of another kind than its string"),
        ("00 00", 1, "1 bytes follow the item"),
    ],
)
def test_what_is_not_one_item_is_refused_with_its_place(
    text: str, offset: int, reason: str
) -> None:
    with pytest.raises(CborError) as caught:
        loads(bytes.fromhex(text))
    assert (caught.value.offset, caught.value.reason) == (offset, reason)


@pytest.mark.parametrize("text", ["62 c328", "c0 613a", "d81e 82 01 00", "d81d 00"])
def test_what_is_well_formed_and_not_valid_is_refused(text: str) -> None:
    data = bytes.fromhex(text)
    assert walk(data).fault is None
    with pytest.raises(CborError):
        loads(data)


@pytest.mark.parametrize("opener", [b"\x81", b"\x9f", b"\xc1", b"\xa1\x00", b"\xbf\x00"])
def test_the_ceiling_of_depth_holds_for_every_kind_of_nesting(opener: bytes) -> None:
    fits = walk(opener * MAX_DEPTH)
    assert fits.fault is not None
    assert fits.fault.early
    deep = walk(opener * 100_000)
    assert deep.fault is not None
    assert deep.fault.reason == f"nested deeper than {MAX_DEPTH}"
    with pytest.raises(CborError, match="nested deeper"):
        loads(opener * 100_000)


def test_the_deepest_walk_also_loads() -> None:
    assert repr(loads(b"\x81" * MAX_DEPTH + b"\x00")).count("[") == MAX_DEPTH


def test_a_walk_stops_at_its_ceiling_of_items_and_a_load_does_not() -> None:
    data = b"\x9f" + bytes(MAX_ITEMS) + b"\xff"
    fault = walk(data).fault
    assert fault is not None
    assert (fault.offset, fault.reason) == (MAX_ITEMS, f"more than {MAX_ITEMS} items")
    assert loads(data) == [0] * MAX_ITEMS


@quick
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary() | st.text(),
        lambda values: st.lists(values) | st.dictionaries(st.text(), values),
        max_leaves=8,
    )
)
def test_values_survive_a_round_trip(value: object) -> None:
    assert loads(dumps(value)) == value


def test_what_cbor_cannot_say_is_refused() -> None:
    with pytest.raises(EncodeError, match=r"^cbor: "):
        dumps(object())
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(EncodeError, match=r"^cbor: "):
        dumps(loop)
