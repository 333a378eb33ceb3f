"""A sidecar reads back as it was written, and anything else is one sentence."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.errors import StoreError
from fuzz.finding import Cause, Kind
from fuzz.store.sidecar import (
    MAX_SIDECAR_BYTES,
    Sidecar,
    decode_sidecar,
    encode_sidecar,
    read_sidecar,
    sidecar_path,
)

quick = settings(max_examples=150)

texts = st.tuples() | st.lists(st.text(), max_size=3).map(tuple)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
).filter(lambda value: value not in (float("inf"), float("-inf")))
sidecars = st.builds(
    Sidecar,
    fingerprint=st.text(),
    kind=st.sampled_from(Kind),
    title=st.text(),
    cause=st.builds(Cause, st.text(), st.text(), st.text(), texts),
    evidence=st.dictionaries(st.text(), st.integers() | st.text(), max_size=3),
    steps=texts,
    target=st.text(),
    otp=st.text(),
    plants=texts,
    replay=st.text(),
    first_seen=st.datetimes(datetime(1971, 1, 1)).map(datetime.isoformat),
    hits=st.integers(1, 10**9),
)

SIDECAR = Sidecar(
    "f" * 16,
    Kind.HANG,
    "title",
    Cause("what"),
    {},
    ("step",),
    "target",
    "25",
    (),
    "replay",
    "2026-02-01",
)


@quick
@given(sidecars)
def test_round_trip(sidecar: Sidecar) -> None:
    assert decode_sidecar(encode_sidecar(sidecar, "crash-x")) == sidecar


@quick
@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(StoreError, match=r"^(is damaged: |has schema )"):
        decode_sidecar(data)


DOCUMENT = json.loads(encode_sidecar(SIDECAR, "crash-x"))


@pytest.mark.parametrize("name", sorted(set(DOCUMENT) - {"schema", "case", "severity"}))
@pytest.mark.parametrize("value", [None, -1, True, [1], {"x": 1}])
def test_a_field_of_another_type_is_named(name: str, value: Any) -> None:
    if name == "evidence" and isinstance(value, dict):
        value = [value]
    with pytest.raises(StoreError, match="is damaged: its '"):
        decode_sidecar(json.dumps({**DOCUMENT, name: value}).encode())


def test_an_unknown_kind_and_schema_are_named() -> None:
    with pytest.raises(StoreError, match="unknown kind 'worse'"):
        decode_sidecar(json.dumps({**DOCUMENT, "kind": "worse"}).encode())
    with pytest.raises(StoreError, match="has schema 2; this harness reads 1"):
        decode_sidecar(json.dumps({**DOCUMENT, "schema": 2}).encode())


def test_brackets_without_end_are_refused() -> None:
    with pytest.raises(StoreError, match="not JSON"):
        decode_sidecar(b"[" * 200_000)


def test_reading_finds_the_json_beside_the_case(tmp_path: Path) -> None:
    case = tmp_path / "crash-x"
    assert read_sidecar(case) is None
    sidecar_path(case).write_bytes(encode_sidecar(SIDECAR, case.name))
    assert read_sidecar(case) == SIDECAR


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    case = tmp_path / "crash-x"
    path = sidecar_path(case)
    path.write_bytes(b"no")
    with pytest.raises(StoreError, match=rf"{path} is damaged: .*; move it away"):
        read_sidecar(case)
    path.write_bytes(b" " * (MAX_SIDECAR_BYTES + 1))
    with pytest.raises(StoreError, match="no file of ours"):
        read_sidecar(case)
    path.unlink()
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        read_sidecar(case)


@pytest.mark.parametrize(
    ("name", "value"),
    [("first_seen", "yesterday"), ("first_seen", "0001-01-01"), ("hits", 10**30), ("hits", 0)],
)
def test_a_time_or_a_count_that_is_none_is_damage(name: str, value: object) -> None:
    document = json.loads(encode_sidecar(SIDECAR, "crash-x")) | {name: value}
    with pytest.raises(StoreError, match=f"is damaged: its '{name}' is no"):
        decode_sidecar(json.dumps(document).encode())
