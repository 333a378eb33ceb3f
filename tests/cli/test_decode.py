"""``iris-fuzz decode``, and a campaign that begins with it: what they find, keep, and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fuzz.case import read_case
from tests.cli.support import Run
from tests.planted.fingerprints import FINGERPRINTS

DECODER = "iris_ref_proto:decode/1"
#: Most take a second; a machine that runs other tests as well is granted more.
LONG = 60


def test_a_defect_of_the_decoder_is_found_and_replays(run: Run, tmp_path: Path) -> None:
    ran = run(
        "decode", DECODER, "--port", 0, "--plant", "decode_short", "--until-finding",
        "--time", LONG, "--corpus", tmp_path, "--summary", tmp_path / "summary",
    )  # fmt: skip
    assert ran.code == 1
    assert "GROUP_LEAVE: a frame; the grammar says: more is needed" in ran.out
    told = json.loads((tmp_path / "summary").read_text())
    (finding,) = told["findings"]
    assert finding["fingerprint"] == FINGERPRINTS["decode_short"]
    assert finding["kind"] == "conformance"
    assert told["cases"] > 0
    again = run("replay", finding["path"], "--port", 0, "--plays", 1, "--plant", "decode_short")
    assert (again.code, again.out.split()[0]) == (1, "FAILED")


def test_a_campaign_goes_on_from_what_the_decoder_has_shown(run: Run, tmp_path: Path) -> None:
    ran = run(
        "fuzz", "--decoder", DECODER, "--port", 0, "--time", 4, "--corpus", tmp_path,
        "--summary", tmp_path / "summary",
    )  # fmt: skip
    assert ran.code == 0, ran.out
    told = json.loads((tmp_path / "summary").read_text())
    kept = [path for path in (tmp_path / "decoder").iterdir() if not path.name.startswith(".")]
    assert told["decoder"]["seeds"] == len(kept) > 0
    assert told["decoder"]["inputs"] > 0
    assert all(len(read_case(path).steps) == 2 for path in kept)
    assert "of them reached something new, and are seeds" in ran.out


def test_answers_that_mean_nothing_are_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "iris-fuzz.toml").write_text('[decoder]\nframe = "{frame, Frame, Rest}"\n')
    monkeypatch.chdir(tmp_path)
    ran = run("decode", DECODER, "--port", 0, "--time", LONG, "--corpus", tmp_path / "corpus")
    assert ran.code == 2
    said = ran.err.strip().splitlines()[-1]
    assert "the decoder returned {ok,{" in said
    assert "no pattern fits" in said
    assert "[decoder] of iris-fuzz.toml" in said


def test_a_function_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    ran = run("decode", "iris_ref_proto:parse/1", "--port", 0, "--corpus", tmp_path)
    assert ran.code == 2
    assert "iris_ref_proto exports no function parse; try " in ran.sentence()
    assert DECODER in ran.sentence()


@pytest.mark.parametrize("verb", [("decode",), ("fuzz", "--decoder")])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("iris_ref_proto", "a decoder is named MODULE:FUNCTION/1, not 'iris_ref_proto'"),
        ("iris_ref_proto:decode/2", "takes one argument, a binary"),
    ],
)
def test_a_name_that_is_none_is_told(run: Run, verb: tuple[str, ...], name: str, says: str) -> None:
    ran = run(*verb, name)
    assert ran.code == 2
    assert says in ran.sentence()


def test_a_ceiling_of_cases_is_none_of_a_decoder(run: Run) -> None:
    ran = run("decode", DECODER, "--rate", 10)
    assert ran.code == 2
    assert "--rate is for cases that are played" in ran.sentence()


def test_a_table_that_means_nothing_is_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "iris-fuzz.toml").write_text('[decoder]\nfrmae = "{ok, Frame}"\n')
    monkeypatch.chdir(tmp_path)
    for arguments in (("decode", DECODER), ("fuzz", "--decoder", DECODER)):
        ran = run(*arguments)
        assert ran.code == 2
        assert "iris-fuzz.toml, [decoder]: there is no key 'frmae'" in ran.sentence()
