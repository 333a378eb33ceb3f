"""The dictionary: what it holds, its file, and libFuzzer's syntax."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz.errors import SettingsError
from fuzz.generate.dictionary import (
    CBOR_KEYS,
    Dictionary,
    Word,
    iris_dictionary,
    main,
    parse_dictionary,
)
from grammar import ClientOpcode, ServerOpcode, cbor

FILE = Path(__file__).parents[2] / "corpus" / "dictionaries" / "iris.dict"


def test_the_file_is_what_is_generated() -> None:
    assert FILE.read_text(encoding="ascii") == iris_dictionary().render()


def test_the_file_parses_to_the_same_words() -> None:
    assert parse_dictionary(FILE.read_text(encoding="ascii")) == iris_dictionary()


def test_it_holds_opcodes_texts_keys_tokens_and_lengths() -> None:
    data = {word.data for word in iris_dictionary().words}
    assert {bytes([opcode]) for opcode in (*ClientOpcode, *ServerOpcode)} | {b"\x34"} <= data
    assert {b"LOGIN_OK", b"AUTH_FAILED", b"<user:A>", b"<group:1>", b"<msgid:1>"} <= data
    assert {cbor.dumps(key) for key in CBOR_KEYS} <= data
    assert {b"\x01\x01", b"\x00\x00\x01\x00", b"\xff" * 8, b"\x00\x10\x00\x01"} <= data


def test_names_and_bytes_are_unique_and_short() -> None:
    words = iris_dictionary().words
    assert len({word.name for word in words}) == len({word.data for word in words}) == len(words)
    # libFuzzer ignores entries above 64 bytes.
    assert all(0 < len(word.data) <= 64 for word in words)


@given(st.lists(st.binary(max_size=12)))
def test_any_bytes_survive_the_syntax(data: list[bytes]) -> None:
    words = Dictionary(tuple(Word(f"w{n}", entry) for n, entry in enumerate(data)))
    text = words.render()
    assert text.isascii()
    assert parse_dictionary(text) == words


def test_comments_and_blank_lines_are_passed_over() -> None:
    assert parse_dictionary('# a\n\n  a="\\x41\\\\\\""\n') == Dictionary((Word("a", b'A\\"'),))


@pytest.mark.parametrize("line", ["nonsense", 'a="open', 'a="x" y', 'a-b="x"'])
def test_a_bad_line_is_named(line: str) -> None:
    with pytest.raises(SettingsError, match="line 2 "):
        parse_dictionary('a="b"\n' + line)


def test_the_command_writes_the_file(tmp_path: Path) -> None:
    out = tmp_path / "x.dict"
    command = [sys.executable, "-W", "error", "-m", "fuzz.generate.dictionary", str(out)]
    run = subprocess.run(command, cwd=FILE.parents[2], capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert out.read_bytes() == FILE.read_bytes()


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: python -m fuzz.generate.dictionary FILE\n"
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"{tmp_path}: the dictionary cannot be written: Is a directory\n"
    )
