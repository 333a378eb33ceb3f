"""Records read back as written; damage anywhere is noticed and never an exception."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.store.records import HEADER, Record, begun, judged, read

quick = settings(max_examples=200)

numbers = st.integers(0, 2**64 - 1)
batches = st.lists(
    st.tuples(numbers, numbers | st.lists(st.binary(max_size=20), max_size=4).map(tuple)),
    max_size=5,
)


#: The number of a batch with its cases, or how many were judged with it.
Batches = list[tuple[int, tuple[bytes, ...] | int]]


def segment(batch: Batches) -> bytes:
    parts = (judged(n, of) if isinstance(of, int) else begun(n, of) for n, of in batch)
    return HEADER + b"".join(parts)


def records_of(batch: Batches) -> tuple[Record, ...]:
    return tuple(
        Record(number, None, of) if isinstance(of, int) else Record(number, of)
        for number, of in batch
    )


def test_the_layout_is_frozen() -> None:
    """The check sums were worked out bit by bit from the polynomial of CRC-32 (ISO 3309)."""
    assert begun(1, (b"ab", b"")).hex() == (
        "01 0000000000000001 0000000e 5ece23a5 00000002 00000002 00000000 6162".replace(" ", "")
    )
    assert judged(2, 7).hex() == (
        "02 0000000000000002 00000008 e0204606 0000000000000007".replace(" ", "")
    )


def test_a_mark_without_a_count_is_read() -> None:
    """As they were before journals counted."""
    mark = bytes.fromhex("02 0000000000000002 00000000 15e8a0a9")
    assert read(HEADER + mark).records == (Record(2, None),)


@quick
@given(batches)
def test_round_trip(batch: Batches) -> None:
    content = read(segment(batch))
    assert content.records == records_of(batch)
    assert content.note == ""


@quick
@given(batches, st.data())
def test_a_cut_gives_the_whole_records_before_it(batch: Batches, data: st.DataObject) -> None:
    whole = segment(batch)
    cut = data.draw(st.integers(0, len(whole) - 1))
    content = read(whole[:cut])
    ends = [len(segment(batch[:index])) for index in range(len(batch) + 1)]
    assert len(content.records) == max(0, sum(1 for end in ends if end <= cut) - 1)
    assert bool(content.note) == (cut > len(HEADER) and cut not in ends)


@quick
@given(batches.filter(bool), st.data())
def test_a_flipped_bit_is_never_read_as_another_record(batch: Batches, data: st.DataObject) -> None:
    whole = bytearray(segment(batch))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    content = read(bytes(whole))
    expected = records_of(batch)
    assert content.note
    assert content.records == expected[: len(content.records)]
    assert len(content.records) < len(expected)


@quick
@given(st.binary(max_size=80))
def test_any_bytes_are_read(data: bytes) -> None:
    assert read(data).records == ()
    read(HEADER + data)
