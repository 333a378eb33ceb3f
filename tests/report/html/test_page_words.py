"""Numbers, times and hostile text, as the page says them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.report.html.words import counted, duration, moment, share, short_number, visible

quick = settings(max_examples=200)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (71, "1 min 11 s"),
        (3_600, "1 h"),
        (3_661, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("value", "beside", "said"),
    [
        (0, 0, "0"),
        (1_500, 0, "1,500"),
        (0.25, 0, "0.25"),
        (20_000, 0, "20k"),
        (5_000, 20_000, "5k"),
        (3_000_000, 0, "3M"),
        (2e9, 0, "2G"),
    ],
)
def test_a_number_at_an_axis_is_short(value: float, beside: float, said: str) -> None:
    assert short_number(value, beside) == said


def test_counts_and_shares() -> None:
    assert (counted(1, "case"), counted(1024, "case")) == ("1 case", "1,024 cases")
    assert (share(1, 2), share(0, 0)) == ("50%", "0%")


def test_a_time_beyond_the_calendar_is_a_number() -> None:
    assert moment(0) == "1970-01-01 00:00:00 UTC"
    assert moment(1e30) == "1e+30 s since 1970"


def test_what_cannot_be_seen_is_escaped_and_letters_are_not() -> None:
    assert visible("Grüße, 你好\n\tx") == "Grüße, 你好\n\tx"
    assert visible("\x1b[0m\0\r\u202e\ud800") == "\\x1b[0m\\x00\\x0d\\u{202e}\\u{d800}"


@quick
@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_encoded_once_it_is_visible(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert visible(shown) == shown
