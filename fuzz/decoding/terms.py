"""Shapes of Erlang terms as text, and patterns to match them with.

A shape is what the agent makes of a term (``iris_fuzz_shape``): atoms and tuples as they are,
``<binary>``, ``<number>`` and their like in the place of data. A pattern is written like it, with
variables: ``_`` or any name that begins as one does in Erlang stands for any term, and three of
them for more than that:

``Frame``
    the frame that was decoded; its first atom is its name.
``Rest``
    a binary: the bytes behind the frame.
``Size``
    an integer: how many bytes the frame has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fuzz.errors import SettingsError

#: Deeper than any pattern of use, and than the shapes that the agent makes.
MAX_DEPTH = 16

_TOKEN = re.compile(
    r"\s*(?:(?P<data><[a-z]+>)|(?P<quoted>'(?:[^'\\]|\\.)*')|(?P<atom>[a-z][\w@]*)"
    r"|(?P<variable>[A-Z_][\w@]*)|(?P<map>\#\{[^{}]*\}|\#<[^>]*>)|(?P<more>\.\.\.)|(?P<mark>[{}\[\],|]))"
)
#: What stands for a size or a value, in shapes.
SLOTS = frozenset({"<binary>", "<number>"})


@dataclass(frozen=True, slots=True)
class Term:
    """A term, or a pattern of one: ``name`` of a leaf, else ``items`` between ``name``'s brackets.

    ``slot`` is the number of a leaf among those that stand for a size or a value, -1 of any other.
    """

    name: str
    items: tuple[Term, ...] = ()
    slot: int = -1

    @property
    def variable(self) -> bool:
        """Tell whether it stands for any term."""
        return not self.items and (self.name[:1] == "_" or self.name[:1].isupper())


def parse(text: str) -> Term:
    """Return the term in ``text``; raise :class:`SettingsError` saying where it stops being one."""
    tokens = list(_tokens(text))
    term, end, _ = _term(text, tokens, 0, 0, 0)
    if end != len(tokens):
        raise SettingsError(f"{text!r} goes on behind its end, at {tokens[end]!r}")
    return term


def match(pattern: Term, term: Term) -> dict[str, Term] | None:
    """Return what the variables of ``pattern`` stand for in ``term``, None if it does not fit."""
    bound: dict[str, Term] = {}
    return bound if _match(pattern, term, bound) else None


def first_atom(term: Term) -> str:
    """Return the name of a record or of an atom, quotes taken away; empty if it has none."""
    while term.name == "{" and term.items:
        term = term.items[0]
    if term.name[:1] == "'":
        return term.name[1:-1]
    return term.name if re.match(r"[a-z]", term.name) else ""


def _match(pattern: Term, term: Term, bound: dict[str, Term]) -> bool:
    if pattern.variable:
        if pattern.name == "Rest" and term.name != "<binary>":
            return False
        if pattern.name == "Size" and term.name != "<number>":
            return False
        bound[pattern.name] = term
        return True
    if pattern.name != term.name or len(pattern.items) != len(term.items):
        return False
    return all(_match(a, b, bound) for a, b in zip(pattern.items, term.items, strict=True))


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise SettingsError(f"{text!r} is no pattern: {text[at:].strip()!r} cannot be read")
        yield found[0].strip()
        at = found.end()


def _term(text: str, tokens: list[str], at: int, slot: int, depth: int) -> tuple[Term, int, int]:
    """Return the term at token ``at``, where it ends, and the number of the next slot."""
    if at == len(tokens) or depth > MAX_DEPTH:
        raise SettingsError(f"{text!r} is no pattern: it ends too early, or is too deep")
    name = tokens[at]
    if name in ("{", "["):
        return _inside(text, tokens, at + 1, slot, depth)
    if name in ("}", "]", ",", "|"):
        raise SettingsError(f"{text!r} is no pattern: {name!r} stands where a term should")
    if name in SLOTS:
        return Term(name, (), slot), at + 1, slot + 1
    return Term(name), at + 1, slot


def _inside(text: str, tokens: list[str], at: int, slot: int, depth: int) -> tuple[Term, int, int]:
    """Return the tuple or list whose bracket stands before token ``at``."""
    opened = tokens[at - 1]
    closing = "}" if opened == "{" else "]"
    items: list[Term] = []
    while at < len(tokens) and tokens[at] != closing:
        if items:
            if tokens[at] not in (",", "|"):
                raise SettingsError(f"{text!r} is no pattern: a comma is missing at {tokens[at]!r}")
            at += 1
        item, at, slot = _term(text, tokens, at, slot, depth + 1)
        items.append(item)
    if at == len(tokens):
        raise SettingsError(f"{text!r} is no pattern: a {closing!r} is missing")
    return Term(opened, tuple(items)), at + 1, slot
