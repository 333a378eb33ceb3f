"""Assertions are read as they are written, reckoned right, and refused with a place."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.assertions.expression import MAX_CHARACTERS, Selector, parse_assertion
from fuzz.errors import SettingsError
from fuzz.finding import stable

VALUES = {"a": 6.0, "b": 2.0, "zero": 0.0, "none": math.nan}


def lookup(selector: Selector) -> float:
    return VALUES[selector.name]


def holds(text: str) -> bool | None:
    assertion = parse_assertion(text)
    return assertion.holds(assertion.sides(lookup))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a / b < 3.001", True),
        ("a/b<3", False),
        ("a <= 6", True),
        ("a >= 6.1", False),
        ("a == b * 3", True),
        ("a != 6e0", False),
        ("a > b", True),
        ("a - b - 2 == 2", True),
        ("a - (b - 2) == 6", True),
        ("a + b * 2 == 10", True),
        ("(a + b) * 2 == 16", True),
        ("a / b / 3 == 1", True),
        ("-a + 7 == 1", True),
        ("- - a == .6e1", True),
        ("zero / zero < 1", None),
        ("a / zero < 1", False),
        ("-a / zero < 1", True),
        ("zero / a == 0", True),
        ("none < 1", None),
        ("1 > none", None),
        ("none / zero < 1", None),
    ],
)
def test_an_assertion_says_yes_no_or_neither(text: str, answer: bool | None) -> None:
    assert holds(text) is answer


@given(
    st.recursive(
        st.sampled_from([("a", 6.0), ("b", 2.0), ("2.5", 2.5), ("1e3", 1000.0)]),
        lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(
            lambda parts: (
                f"({parts[0][0]}{parts[1]}{parts[2][0]})",
                {"+": float.__add__, "-": float.__sub__, "*": float.__mul__}[parts[1]](
                    parts[0][1], parts[2][1]
                ),
            )
        ),
        max_leaves=12,
    )
)
def test_what_is_in_brackets_is_reckoned_as_it_was_built(built: tuple[str, float]) -> None:
    text, value = built
    left, _ = parse_assertion(f"{text} == a").sides(lookup)
    assert left == value


@given(st.text(alphabet='ab1.5e+-*/()<>={}",\\ _x\n', max_size=60) | st.text(max_size=30))
def test_any_text_is_an_assertion_or_refused_in_a_sentence(text: str) -> None:
    with suppress(SettingsError):
        assertion = parse_assertion(text)
        assert parse_assertion(assertion.text).selectors == assertion.selectors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "wants a number, the name of a metric, or ( at character 1, where it ends"),
        ("a", "wants a comparison (<, <=, >, >=, ==, !=) at character 2, where it ends"),
        ("a <", "at character 4, where it ends"),
        ("a = 1", "wants a comparison"),
        ("a < 1 < 2", "wants the end, or +, -, *, / at character 7, where there is '<'"),
        ("(a < 1", "wants ) at character 4"),
        ("a < 1x", "where there is '1x'"),
        ("a ; b < 1", "at character 3, where there is ';"),
        ("1 < 2", "names no metric"),
        ("a{b} < 1", "wants = at character 4"),
        ("a{b=c} < 1", 'wants a text in "quotes"'),
        ("a{b=string} < 1", 'wants a text in "quotes"'),
        ('a{b="c" d="e"} < 1', "wants , at character 9"),
        ('a{"b"="c"} < 1', "wants the name of a label"),
        ("(" * 60 + "a", "is nested too deep"),
        ("a < " + "1" * MAX_CHARACTERS, "at most 500 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_assertion(text)
    assert words in str(error.value)


def test_labels_select_and_their_order_is_none() -> None:
    assertion = parse_assertion('a{y="1", x="say \\"hi\\"\\\\\\n",} / a{} < 1')
    first, second = assertion.selectors
    assert first == Selector("a", (("x", 'say "hi"\\\n'), ("y", "1")))
    assert str(first) == 'a{x="say \\"hi\\"\\\\\\n",y="1"}'
    assert str(second) == "a"
    assert first.takes("a", {"x": 'say "hi"\\\n', "y": "1", "z": "2"})
    assert not first.takes("a", {"y": "1"})
    assert second.takes("a", {"y": "1"})
    assert not second.takes("b", {})


def test_a_metric_may_have_colons_in_its_name() -> None:
    assert parse_assertion("job:errors:rate5m < 1").selectors == (Selector("job:errors:rate5m"),)


def test_blanks_change_no_identity_and_numbers_do() -> None:
    one, same, other = map(parse_assertion, ("a/b<0.001", " a / b  < 0.001 ", "a / b < 0.002"))
    assert (one.identity(), one.text) == (same.identity(), "a / b < 0.001")
    assert one.identity() != other.identity()
    assert stable(one.identity()) == one.identity(), "a fingerprint leaves nothing of it out"
