"""Numbers and times in words, and text that no browser obeys."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
#: Categories of Unicode that are no glyphs: controls, formats (which can turn the direction of a
#: line around), halves of characters, and what is not assigned or private.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """Return ``text`` with what cannot be seen, or cannot be encoded, escaped; line ends stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character in "\n\t" or unicodedata.category(character) not in _UNSEEN
        else _escaped(ord(character))
        for character in text
    )  # fmt: skip


def duration(seconds: float) -> str:
    """Return a time as its two largest units: ``1 min 11 s``."""
    whole = round(max(seconds, 0.0))
    for size, name, below, part in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {name}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def moment(at: float) -> str:
    """Return a time of the wall clock, in UTC to the second; the number if it is of no calendar."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{at:g} s since 1970"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 case``, ``1,024 cases``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: float, whole: float) -> str:
    """Return a share in per cent; nothing of nothing is 0."""
    return f"{part / whole:.0%}" if whole else "0%"


def short_number(value: float, beside: float = 0.0) -> str:
    """Return a value as it stands at an axis: ``1,500``, ``0.5``, ``20k``, ``3M``.

    It has the unit that the largest one ``beside`` it needs.
    """
    largest = max(abs(value), abs(beside))
    for least, size, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if largest >= least and value:
            return f"{value / size:.3g}{letter}"
    return f"{value:,.0f}" if value == round(value) else f"{value:.3g}"


def _escaped(number: int) -> str:
    return f"\\x{number:02x}" if number < 256 else f"\\u{{{number:x}}}"
