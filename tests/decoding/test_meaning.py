"""What a decoder's answers mean is read from a table; what is wrong there is one sentence."""

from __future__ import annotations

import pickle

import pytest

from fuzz.decoding import (
    DEFAULT,
    Decoder,
    Ended,
    Said,
    Shape,
    decoder_named,
    meaning_of,
    said,
)
from fuzz.errors import SettingsError


def returned(text: str) -> Shape:
    return Shape(Ended.RETURNED, text)


@pytest.mark.parametrize(
    ("shape", "means"),
    [
        ("{ok,{login,<binary>},<binary>}", Said.FRAME),
        ("{ok,{login,<binary>}}", Said.FRAME),
        ("{{login,<binary>},<binary>}", Said.FRAME),
        ("more", Said.MORE),
        ("{more,<number>}", Said.MORE),
        ("{more,<binary>}", Said.MORE),
        ("incomplete", Said.MORE),
        ("error", Said.ERROR),
        ("{error,badlen}", Said.ERROR),
        ("{error,<binary>}", Said.ERROR),
    ],
)
def test_the_usual_idioms_are_understood(shape: str, means: Said) -> None:
    assert said(returned(shape), DEFAULT).said is means


def test_where_the_bytes_behind_a_frame_are_counted() -> None:
    rest = said(returned("{ok,{login,<binary>},<binary>}"), DEFAULT)
    assert rest.consumed(10, (4, 6)) == 4
    size = said(returned("{frame,login,<number>}"), meaning_of({"frame": "{frame, Frame, Size}"}))
    assert size.consumed(10, (7,)) == 7
    unknown = said(returned("{ok,{login,<binary>}}"), DEFAULT)
    assert unknown.consumed(10, (7,)) is None


def test_a_frame_is_known_by_its_name() -> None:
    assert said(returned("{ok,{get_status,<binary>},<binary>}"), DEFAULT).opcode == 0x05
    assert said(returned("{ok,{presence,<binary>},<binary>}"), DEFAULT).opcode is None
    named = meaning_of({"names": {"presence": "GET_STATUS"}})
    assert said(returned("{ok,{presence,<binary>},<binary>}"), named).opcode == 0x05


def test_what_raises_may_be_an_error() -> None:
    raised = Shape(Ended.RAISED, "error:function_clause", 0, ("m:f/1",))
    assert said(raised, DEFAULT).said is Said.RAISED
    assert said(raised, meaning_of({"raises": "error"})).said is Said.ERROR
    killed = Shape(Ended.KILLED, "killed")
    assert said(killed, meaning_of({"raises": "error"})).said is Said.KILLED


def test_what_no_pattern_fits_is_told() -> None:
    with pytest.raises(SettingsError, match=r"returned \{frame,<number>\}, and no pattern fits"):
        said(returned("{frame,<number>}"), DEFAULT)
    with pytest.raises(SettingsError, match="no pattern fits"):
        said(returned("{cut,short..."), DEFAULT)


def test_a_meaning_survives_being_kept_and_being_sent() -> None:
    meaning = meaning_of({"error": ["oops"], "names": {"msg": "SEND_MESSAGE"}, "raises": "error"})
    assert meaning_of(meaning.told()) == meaning
    assert pickle.loads(pickle.dumps(meaning)) == meaning
    assert meaning_of({}) == DEFAULT


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("text", "no table"),
        ({"frames": "x"}, "there is no key 'frames'; it knows frame, need_more"),
        ({"frame": 7}, "frame is a pattern such as"),
        ({"frame": ["{ok"]}, "a '}' is missing"),
        ({"raises": "never"}, "raises is `crash` or `error`, not 'never'"),
        ({"raises": 1}, "raises is `crash` or `error`"),
        ({"names": ["x"]}, "names maps names of frames"),
        ({"names": {"msg": "SEND"}}, "no client sends a SEND; the frames are LOGIN"),
    ],
)
def test_a_table_that_means_nothing_is_told(table: object, says: str) -> None:
    with pytest.raises(SettingsError) as told:
        meaning_of(table)
    assert says in str(told.value)


def test_a_decoder_is_named_as_in_erlang() -> None:
    assert decoder_named("iris_proto:decode/1") == Decoder("iris_proto", "decode")
    assert decoder_named("'Elixir.Iris.Proto':parse/1") == Decoder("Elixir.Iris.Proto", "parse")
    assert str(decoder_named("a:b/1")) == "a:b/1"
    with pytest.raises(SettingsError, match="takes one argument, a binary; a:b/2 takes 2"):
        decoder_named("a:b/2")
    for text in ("", "a", "a:b", "a/1", ":b/1", "a:b/x", "a b:c/1"):
        with pytest.raises(SettingsError, match="MODULE:FUNCTION/1"):
            decoder_named(text)
