"""Assertions: a comparison of two sums over metrics, read by a small parser.

::

    assertion  = sum ("<" | "<=" | ">" | ">=" | "==" | "!=") sum
    sum        = product (("+" | "-") product)*
    product    = factor (("*" | "/") factor)*
    factor     = NUMBER | metric | "-" factor | "(" sum ")"
    metric     = NAME [ "{" [ LABEL "=" STRING ("," LABEL "=" STRING)* ] "}" ]

A metric is the sum over all its label sets, or over those that have the labels that are named.
Which number a metric has is for others to say: here it is a lookup. A division of nothing by
nothing, and whatever is reckoned with it, is no number; a comparison with that says neither yes
nor no.
"""

from __future__ import annotations

import hashlib
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fuzz.errors import SettingsError

#: A sentence that somebody can read.
MAX_CHARACTERS = 500
#: Brackets and signs within one another; Python's own stack has room for many times that.
_MAX_DEPTH = 50

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w:]))"
    r"|(?P<name>[a-zA-Z_:][\w:]*)"
    r'|(?P<string>"(?:[^"\\\n]|\\["\\n])*")'
    r"|(?P<sign><=|>=|==|!=|[-+*/<>=(){},])"
    r"|(?P<wrong>\S.*))",
    re.ASCII | re.DOTALL,
)
_ESCAPED = re.compile(r'\\(["\\n])')
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
#: Digits, as they are in a fingerprint: numbers do not tell causes apart, and these must.
_AS_LETTERS = str.maketrans("0123456789", "ghijklmnop")


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric, or those of its label sets that have these ``labels``."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    def takes(self, name: str, labels: Mapping[str, str]) -> bool:
        """Tell whether a sample of that name and those labels is one of it."""
        return name == self.name and all(labels.get(key) == value for key, value in self.labels)

    def __str__(self) -> str:
        if not self.labels:
            return self.name
        return f"{self.name}{{{','.join(f'{key}={_quoted(v)}' for key, v in self.labels)}}}"


Lookup = Callable[[Selector], float]


@dataclass(frozen=True, slots=True)
class _Number:
    value: float

    def reckon(self, lookup: Lookup) -> float:
        return self.value


@dataclass(frozen=True, slots=True)
class _Metric:
    selector: Selector

    def reckon(self, lookup: Lookup) -> float:
        return lookup(self.selector)


@dataclass(frozen=True, slots=True)
class _Binary:
    sign: str
    left: _Node
    right: _Node

    def reckon(self, lookup: Lookup) -> float:
        left, right = self.left.reckon(lookup), self.right.reckon(lookup)
        if self.sign == "+":
            return left + right
        if self.sign == "-":
            return left - right
        return left * right if self.sign == "*" else _ratio(left, right)


_Node = _Number | _Metric | _Binary


@dataclass(frozen=True, slots=True)
class Assertion:
    """A sentence that is to hold. ``text`` is how it is written, with single blanks."""

    text: str
    sign: str
    left: _Node
    right: _Node
    selectors: tuple[Selector, ...]

    def sides(self, lookup: Lookup) -> tuple[float, float]:
        """Return both sides of the comparison; NaN for one that has no number."""
        return self.left.reckon(lookup), self.right.reckon(lookup)

    def holds(self, sides: tuple[float, float]) -> bool | None:
        """Tell whether it is true of these ``sides``; None if one of them is no number."""
        return None if any(map(math.isnan, sides)) else _COMPARE[self.sign](*sides)

    def identity(self) -> str:
        """Return letters that are the same for the same sentence, numbers included."""
        return hashlib.sha1(self.text.encode()).hexdigest()[:16].translate(_AS_LETTERS)


def parse_assertion(text: str) -> Assertion:
    """Return the assertion in ``text``; raise :class:`SettingsError` saying what is wrong."""
    if len(text) > MAX_CHARACTERS:
        raise SettingsError(f"--assert takes at most {MAX_CHARACTERS} characters: split it")
    return _Parser(text).assertion()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """Reads one text from left to right, one token ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._place = 0
        self._depth = 0
        self._selectors: dict[Selector, None] = {}

    def assertion(self) -> Assertion:
        left = self._sum()
        sign = self._next.text
        if sign not in _COMPARE:
            raise self._wrong(f"a comparison ({', '.join(_COMPARE)})")
        self._take()
        right = self._sum()
        if self._next.kind != "end":
            raise self._wrong("the end, or +, -, *, /")
        if not self._selectors:
            raise SettingsError(f"--assert {self._text!r} names no metric")
        text = " ".join(token.text for token in self._tokens[:-1])
        return Assertion(text, sign, left, right, tuple(self._selectors))

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += 1
        return token

    def _sum(self) -> _Node:
        node = self._product()
        while self._next.text in ("+", "-"):
            node = _Binary(self._take().text, node, self._product())
        return node

    def _product(self) -> _Node:
        node = self._factor()
        while self._next.text in ("*", "/"):
            node = _Binary(self._take().text, node, self._factor())
        return node

    def _factor(self) -> _Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise SettingsError(f"--assert {self._text!r} is nested too deep: write it simpler")
        node = self._unnested()
        self._depth -= 1
        return node

    def _unnested(self) -> _Node:
        token = self._next
        if token.kind == "number":
            return _Number(float(self._take().text))
        if token.kind == "name":
            return self._metric()
        if token.text == "-":
            self._take()
            return _Binary("-", _Number(0.0), self._factor())
        if token.text == "(":
            self._take()
            node = self._sum()
            self._expect(")")
            return node
        raise self._wrong("a number, the name of a metric, or (")

    def _metric(self) -> _Metric:
        name, labels = self._take().text, []
        if self._next.text == "{":
            self._take()
            while self._next.text != "}":
                label = self._expect_kind("name", "the name of a label").text
                self._expect("=")
                value = self._expect_kind("string", 'a text in "quotes"').text
                labels.append((label, _unquoted(value)))
                if self._next.text != "}":
                    self._expect(",")
            self._take()
        selector = Selector(name, tuple(sorted(labels)))
        self._selectors[selector] = None
        return _Metric(selector)

    def _expect(self, sign: str) -> None:
        if self._next.text != sign:
            raise self._wrong(sign)
        self._take()

    def _expect_kind(self, kind: str, told: str) -> _Token:
        if self._next.kind != kind:
            raise self._wrong(told)
        return self._take()

    def _wrong(self, wanted: str) -> SettingsError:
        token = self._next
        found = "it ends" if token.kind == "end" else f"there is {token.text[:20]!r}"
        return SettingsError(
            f"--assert {self._text!r} wants {wanted} at character {token.at + 1}, where {found}"
        )


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text.rstrip()):
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind))
    yield _Token("end", "", len(text.rstrip()))


def _ratio(left: float, right: float) -> float:
    """Return a quotient: something by nothing is without bound, nothing by nothing no number."""
    if right != 0 or math.isnan(left):
        return left / right if right != 0 else math.nan
    return math.nan if left == 0 else math.copysign(math.inf, left)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _unquoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text[1:-1])
