"""CBOR structure: what each operation makes of a map, with cbor2 as the judge."""

from __future__ import annotations

from collections.abc import Callable

import cbor2
import pytest

from fuzz.generate import items
from fuzz.generate.draft import Draft, Operation
from fuzz.generate.items import walk_of
from grammar import CborMsg, Direction, E2eeMsg, decode, encode
from grammar.cbor import Kind
from tests.generate.support import Truthful, draft_of, drafts, send

VALUE = {"ik": b"k" * 30, "list": [1, 2, [3, "x"]], "n": 300}
CONTENT = cbor2.dumps(VALUE)


def outcomes(change: Callable[..., bytes | None], kind: type[Draft] = Draft) -> list[bytes]:
    made = [change(draft, CONTENT, walk_of(CONTENT)) for draft in drafts(kind=kind)]
    outs = [out for out in made if out is not None]
    assert len(outs) > 20
    return outs


def loads(data: bytes) -> object:
    """Return the item, or its error's class, or ``...`` when bytes are left over."""
    decoder_input = memoryview(data)
    try:
        value = cbor2.loads(decoder_input)
    except cbor2.CBORDecodeError as error:
        return type(error)
    return value


def whole(data: bytes) -> bool:
    """Tell whether ``data`` is one item as grammar walks it, to its last byte."""
    walked = walk_of(data)
    return bool(walked.items) and walked.end_of(0) == len(data)


def test_a_shallow_shell_is_still_an_item_and_a_great_one_is_deep() -> None:
    outs = outcomes(items.nest)
    assert all(len(out) > len(CONTENT) for out in outs)
    assert any(loads(out) not in (VALUE, cbor2.CBORDecodeEOF) for out in outs)
    depths = {max(out.count(shell) for shell in (b"\x81", b"\xc1", b"\x9f")) for out in outs}
    assert max(depths) > 300


def test_an_item_of_another_kind_takes_a_place() -> None:
    values = [loads(out) for out in outcomes(items.other_kind, Truthful)]
    assert {type(value) for value in values} >= {dict, list, int}


def test_open_items_are_the_same_with_a_break_and_cut_short_without() -> None:
    closed = outcomes(items.open_item, Truthful)
    assert all(out != CONTENT and loads(out) == VALUE for out in closed)
    assert any(whole(out) is False or loads(out) != VALUE for out in outcomes(items.open_item))


def test_a_tag_goes_before_an_item() -> None:
    for out in outcomes(items.add_tag):
        tags = [item for item in walk_of(out).items if item.kind is Kind.TAG]
        assert len(tags) == 1
        assert len(CONTENT) < len(out) <= len(CONTENT) + 9


def test_floats_take_places() -> None:
    for out in outcomes(items.to_float):
        assert sum(item.kind is Kind.FLOAT for item in walk_of(out).items) >= 1


def test_counts_lie_in_one_head() -> None:
    outs = outcomes(items.lie_in_count)
    assert any(loads(out) is cbor2.CBORDecodeEOF for out in outs)
    assert any(b"\xff" * 8 in out for out in outs)
    assert all(loads(out) != VALUE or not whole(out) for out in outs if out != CONTENT)


def test_wider_heads_say_the_same() -> None:
    outs = outcomes(items.widen_head)
    assert all(len(out) > len(CONTENT) and loads(out) == VALUE for out in outs)


@pytest.mark.parametrize(
    "change",
    [items.drop_item, items.double_item, items.swap_items, items.insert_item, items.double_key],
)
def test_counts_are_kept_true(change: Callable[..., bytes | None]) -> None:
    for out in outcomes(change, Truthful):
        assert out != CONTENT or change is items.swap_items
        assert whole(out)


@pytest.mark.parametrize("change", [items.drop_item, items.double_item, items.insert_item])
def test_counts_sometimes_lie(change: Callable[..., bytes | None]) -> None:
    assert any(not whole(out) for out in outcomes(change))


def test_a_pair_leaves_a_map() -> None:
    values = [loads(out) for out in outcomes(items.drop_item, Truthful)]
    assert {"list": [1, 2, [3, "x"]], "n": 300} in values
    assert {**VALUE, "list": [1, [3, "x"]]} in values


def test_a_key_comes_twice() -> None:
    for out in outcomes(items.double_key, Truthful):
        walked = walk_of(out)
        keys = [out[walked.items[at].offset : walked.end_of(at)] for at in walked.children(0)[::2]]
        assert len(keys) == 4
        assert len(set(keys)) == 3


def test_children_are_swapped_and_none_is_lost() -> None:
    for out in outcomes(items.swap_items, Truthful):
        assert sorted(out) == sorted(CONTENT)


def test_the_length_around_the_field_is_kept_true_or_left() -> None:
    frame = encode(E2eeMsg(b"bob", CONTENT, b"sealed"))
    (nest,) = [operation for operation in items.OPERATIONS if operation.name == "cbor-nest"]
    done = [draft for draft in drafts(send(frame), kind=Truthful) if nest.apply(draft)]
    assert done
    for draft in done:
        (out,) = decode(draft.steps[0].data, Direction.CLIENT)
        assert isinstance(out, E2eeMsg)
        assert out.ciphertext == b"sealed"
        assert len(out.header) > len(CONTENT)
    lying = [draft for draft in drafts(send(frame)) if nest.apply(draft)]
    head = frame[6:8]
    assert any(draft.steps[0].data[6:8] == head for draft in lying)


@pytest.mark.parametrize("operation", items.OPERATIONS, ids=lambda operation: operation.name)
@pytest.mark.parametrize("content", [b"", b"\xff", b"\x1c", b"\xa1", b"\x5f\x41a", b"\x81" * 900])
def test_broken_cbor_is_borne(operation: Operation, content: bytes) -> None:
    for seed in range(30):
        draft = draft_of(send(encode(CborMsg(b"bob", content))), seed=seed)
        operation.apply(draft)
        assert draft.steps[0].data[:1] == b"\x10"
