"""Shapes and patterns are read as they are written, and matched."""

from __future__ import annotations

import pytest

from fuzz.decoding.terms import first_atom, match, parse
from fuzz.errors import SettingsError


@pytest.mark.parametrize(
    ("pattern", "shape", "bound"),
    [
        ("more", "more", {}),
        ("more", "less", None),
        ("{more, _}", "{more,<number>}", {"_": "<number>"}),
        ("{more, _}", "more", None),
        ("{ok, Frame, Rest}", "{ok,{login,<binary>},<binary>}", {"Frame": "{", "Rest": "<binary>"}),
        ("{ok, Frame, Rest}", "{ok,{login,<binary>},more}", None),
        ("{ok, Frame, Size}", "{ok,login,<number>}", {"Frame": "login", "Size": "<number>"}),
        ("{ok, Frame, Size}", "{ok,login,<binary>}", None),
        ("{ok, _}", "{ok,#{op,user}}", {"_": "#{op,user}"}),
        ("{ok, _}", "{ok,[{a,<binary>}|...]}", {"_": "["}),
        ("{'EXIT', Why}", "{'EXIT',<list>}", {"Why": "<list>"}),
        ("[]", "[]", {}),
        ("[_]", "[]", None),
        ("{}", "{}", {}),
        ("{}", "[]", None),
        ("{_, _}", "{a,b,c}", None),
    ],
)
def test_a_pattern_fits_a_shape(pattern: str, shape: str, bound: dict[str, str] | None) -> None:
    found = match(parse(pattern), parse(shape))
    assert bound == (None if found is None else {key: term.name for key, term in found.items()})


def test_slots_are_numbered_as_they_stand() -> None:
    found = match(parse("{ok, {A, B, C}, Rest}"), parse("{ok,{<binary>,x,{y,<number>}},<binary>}"))
    assert found is not None
    assert (found["A"].slot, found["B"].slot, found["Rest"].slot) == (0, -1, 2)


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ("{login,<binary>}", "login"),
        ("{{login,1},<binary>}".replace("1", "x"), "login"),
        ("login", "login"),
        ("'LOGIN'", "LOGIN"),
        ("<binary>", ""),
        ("{<number>,login}", ""),
        ("[]", ""),
        ("#{op}", ""),
    ],
)
def test_a_frame_is_called_by_its_first_atom(shape: str, name: str) -> None:
    assert first_atom(parse(shape)) == name


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ends too early"),
        ("{ok, ", "ends too early"),
        ("{ok", "a '}' is missing"),
        ("{ok Frame}", "a comma is missing at 'Frame'"),
        ("{ok, }", "stands where a term should"),
        ("{ok}}", "goes on behind its end, at '}'"),
        ("{ok, 17}", "'17}' cannot be read"),
        ("}", "stands where a term should"),
        ("{" * 40, "too deep"),
    ],
)
def test_what_is_no_pattern_is_told(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as told:
        parse(text)
    assert says in str(told.value)
    assert "\n" not in str(told.value)
