"""Which function is the decoder, and what the shapes mean that it returns.

A table of a TOML file, ``[decoder]`` in ``iris-fuzz.toml``, says it. Each key is one pattern or a
list of them (see :mod:`fuzz.decoding.terms`); a key that is left out keeps its default:

.. code-block:: toml

    [decoder]
    frame = "{ok, Frame, Rest}"
    need_more = ["more", "{more, _}"]
    error = "{error, _}"
    raises = "crash"        # or "error": it is meant to crash on bytes that it does not know

    [decoder.names]         # only where a frame is not called as in the protocol
    msg = "SEND_MESSAGE"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from fuzz.decoding.terms import Term, parse
from fuzz.errors import SettingsError
from grammar import ClientOpcode

#: What the usual idioms of Erlang look like.
_FRAMES = ("{ok, Frame, Rest}", "{ok, Frame}", "{Frame, Rest}")
_MORE = (
    "more", "{more, _}", "{more, _, _}", "incomplete", "{incomplete, _}", "need_more",
    "{need_more, _}", "{ok, more}", "{need_data, _}", "need_data",
)  # fmt: skip
_ERRORS = ("error", "{error, _}", "{error, _, _}", "invalid", "{invalid, _}")
_FUNCTION = re.compile(r"(?P<module>'[^']+'|[\w.@]+):(?P<function>'[^']+'|[\w@]+)/(?P<arity>\d+)")
_KEYS = ("frame", "need_more", "error", "raises", "names")


@dataclass(frozen=True, slots=True)
class Decoder:
    """A function of the node that takes a binary: its module and its name."""

    module: str
    function: str

    def __str__(self) -> str:
        """Return it as it is written: ``module:function/1``."""
        return f"{self.module}:{self.function}/1"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the decoder's terms mean: patterns, as they were written.

    What fits a pattern of ``need_more`` is that, whatever else it fits; then comes ``error``, then
    ``frame``. ``raises`` is ``crash`` or ``error``. ``names`` are pairs of the decoder's name of a
    frame and that of the protocol; one that is the protocol's in small letters needs none.
    """

    frame: tuple[str, ...] = _FRAMES
    need_more: tuple[str, ...] = _MORE
    error: tuple[str, ...] = _ERRORS
    raises: str = "crash"
    names: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for text in (*self.frame, *self.need_more, *self.error):
            parse(text)
        if self.raises not in ("crash", "error"):
            raise SettingsError(f"raises is `crash` or `error`, not {self.raises!r}")
        known = [opcode.name for opcode in ClientOpcode]
        for _, name in self.names:
            if name not in known:
                raise SettingsError(f"no client sends a {name}; the frames are {', '.join(known)}")

    def told(self) -> dict[str, object]:
        """Return it as JSON values, which :func:`meaning_of` reads again."""
        return {
            "frame": list(self.frame),
            "need_more": list(self.need_more),
            "error": list(self.error),
            "raises": self.raises,
            "names": dict(self.names),
        }


#: Fits the reference's decoder, and what most decoders return.
DEFAULT = Meaning()


@cache
def patterns(texts: tuple[str, ...]) -> tuple[Term, ...]:
    """Return patterns that were written so."""
    return tuple(map(parse, texts))


def decoder_named(text: str) -> Decoder:
    """Return the decoder of that name; raise :class:`SettingsError` if it is none."""
    found = _FUNCTION.fullmatch(text.strip())
    if found is None:
        raise SettingsError(f"a decoder is named MODULE:FUNCTION/1, not {text!r}")
    if found["arity"] != "1":
        raise SettingsError(
            f"a decoder takes one argument, a binary; {text} takes {found['arity']}"
        )
    return Decoder(found["module"].strip("'"), found["function"].strip("'"))


def meaning_of(table: object) -> Meaning:
    """Return the meaning that ``table`` tells; raise :class:`SettingsError` if that is none."""
    if not isinstance(table, dict):
        raise SettingsError("it is no table")
    for key in table:
        if key not in _KEYS:
            raise SettingsError(f"there is no key {key!r}; it knows {', '.join(_KEYS)}")
    names = table.get("names", {})
    if not (isinstance(names, dict) and all(isinstance(name, str) for name in names.values())):
        raise SettingsError('names maps names of frames, such as msg = "SEND_MESSAGE"')
    raises = table.get("raises", DEFAULT.raises)
    return Meaning(
        _texts(table, "frame", DEFAULT.frame),
        _texts(table, "need_more", DEFAULT.need_more),
        _texts(table, "error", DEFAULT.error),
        raises if isinstance(raises, str) else str(raises),
        tuple(names.items()),
    )


def _texts(table: Mapping[str, object], key: str, otherwise: Iterable[str]) -> tuple[str, ...]:
    value = table.get(key, list(otherwise))
    texts = [value] if isinstance(value, str) else value
    if not (isinstance(texts, list) and all(isinstance(text, str) for text in texts)):
        raise SettingsError(f'{key} is a pattern such as "{{ok, Frame, Rest}}", or a list of them')
    return tuple(texts)
