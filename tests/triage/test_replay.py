"""The verdict of a replay, over a rig that does what a test says."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.case import Case, encode_case
from fuzz.errors import CaseFileError, TargetError
from fuzz.evidence import Evidence, Pulse
from fuzz.executor.tokens import Tokens
from fuzz.finding import STORM, Cause, Finding, Kind
from fuzz.node import Event
from fuzz.oracles import judge
from fuzz.oracles.leak import leak_of
from fuzz.store.crashes import Context, CrashStore
from fuzz.triage.replay import Replayed, Replayer, Verdict, case_files
from tests.oracles.evidence_support import OTHER, STATEM
from tests.watchdog.fake_rig import FakeRig, case, hangs, leaks, reports


def finding_of(event: Event) -> Finding:
    (finding,) = judge(Evidence(pulse=Pulse.WELL, events=(event,)))
    return finding


def saved(folder: Path, played: Case, finding: Finding) -> Path:
    """Save a finding as a campaign does, and return the path of its case."""
    return CrashStore(folder).save(encode_case(played), finding, Context("fake", "25")).path


def replayed(path: Path, plays: int = 3) -> Replayed:
    rig = FakeRig(
        {
            "crash": reports(STATEM),
            "other": reports(OTHER),
            "leak": leaks,
            "hang": hangs,
            "flaky": lambda rig: reports(STATEM)(rig) if len(rig.plays) == 2 else None,
        }
    )
    return Replayer(rig.as_rig()).replay(path, plays)


def test_a_finding_that_is_still_there_has_failed(tmp_path: Path) -> None:
    result = replayed(saved(tmp_path, case("crash"), finding_of(STATEM)))
    assert (result.verdict, result.shown, result.plays) == (Verdict.FAILED, 3, 3)
    assert [f.fingerprint for f in result.findings] == [finding_of(STATEM).fingerprint]


def test_a_finding_that_shows_in_some_plays_has_failed_with_its_share(tmp_path: Path) -> None:
    result = replayed(saved(tmp_path, case("flaky"), finding_of(STATEM)))
    assert (result.verdict, result.shown, result.plays) == (Verdict.FAILED, 1, 3)


def test_silence_in_every_play_is_fixed(tmp_path: Path) -> None:
    result = replayed(saved(tmp_path, case("plain"), finding_of(STATEM)))
    assert (result.verdict, result.shown, result.plays) == (Verdict.FIXED, 0, 3)


def test_another_finding_is_different(tmp_path: Path) -> None:
    result = replayed(saved(tmp_path, case("other"), finding_of(STATEM)))
    assert (result.verdict, result.shown) == (Verdict.DIFFERENT, 3)
    assert result.findings[0].cause.origin == OTHER.process


def test_the_saved_finding_among_others_has_failed(tmp_path: Path) -> None:
    result = replayed(saved(tmp_path, case("crash", "other"), finding_of(OTHER)))
    assert result.verdict is Verdict.FAILED
    assert len(result.findings) == 2


def test_a_leak_that_was_saved_gets_the_plays_that_show_it(tmp_path: Path) -> None:
    result = replayed(saved(tmp_path, case("leak"), leak_of("atoms")), plays=2)
    assert (result.verdict, result.shown, result.plays) == (Verdict.FAILED, 2, 2)
    assert result.findings[0].kind is Kind.LEAK
    assert replayed(saved(tmp_path, case("plain"), leak_of("ports"))).verdict is Verdict.FIXED


def test_each_play_meets_a_target_that_is_well(tmp_path: Path) -> None:
    rig = FakeRig({"hang": hangs})
    path = tmp_path / "case"
    path.write_bytes(encode_case(case("hang")))
    assert Replayer(rig.as_rig()).replay(path, 2).shown == 2
    assert rig.calls == ["play", "recover application"] * 2


@pytest.mark.parametrize(("word", "verdict"), [("crash", Verdict.FAILED), ("plain", Verdict.FIXED)])
def test_a_case_without_a_json_expects_no_finding(
    word: str, verdict: Verdict, tmp_path: Path
) -> None:
    path = tmp_path / "case"
    path.write_bytes(encode_case(case(word)))
    assert replayed(path).verdict is verdict


def test_a_raw_payload_is_played_and_said_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "payload"
    path.write_bytes(b"a crash by hand")
    result = replayed(path)
    assert result.verdict is Verdict.FAILED
    assert "raw payload" in result.note


@pytest.mark.parametrize("name", ["case", "case.json"])
def test_a_file_that_cannot_be_read_is_an_error_with_the_reason(name: str, tmp_path: Path) -> None:
    (tmp_path / "case").write_bytes(encode_case(case("plain")))
    (tmp_path / name).write_bytes(b"IRISCASE")
    result = replayed(tmp_path / "case")
    assert (result.verdict, result.plays) == (Verdict.ERROR, 0)
    assert str(tmp_path / "case") in result.note


def test_a_target_that_cannot_be_brought_back_is_an_error(tmp_path: Path) -> None:
    def is_gone(_rig: FakeRig) -> None:
        raise TargetError("it serves nobody any more")

    path = tmp_path / "case"
    path.write_bytes(encode_case(case("gone")))
    result = Replayer(FakeRig({"gone": is_gone}).as_rig()).replay(path, 3)
    assert (result.verdict, result.note) == (Verdict.ERROR, "it serves nobody any more")


def test_a_folder_stands_for_the_cases_in_it_and_not_for_what_lies_beside(tmp_path: Path) -> None:
    for name in ("b", "a", "a.json", "report.md", "reproduce.py", ".gitkeep"):
        (tmp_path / name).touch()
    (tmp_path / "inside").mkdir()
    assert list(case_files([tmp_path, tmp_path / "b"])) == [
        tmp_path / "a",
        tmp_path / "b",
        tmp_path / "b",
    ]


def test_nothing_to_replay_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError, match="holds no case"):
        list(case_files([tmp_path]))
    with pytest.raises(CaseFileError, match="does not exist"):
        list(case_files([tmp_path / "missing"]))


def test_what_was_seen_before_the_target_was_gone_is_told(tmp_path: Path) -> None:
    def crashes_and_is_gone(rig: FakeRig) -> None:
        if len(rig.plays) > 1:
            raise TargetError("it serves nobody any more")
        reports(STATEM)(rig)

    rig = FakeRig({"gone": crashes_and_is_gone})
    result = Replayer(rig.as_rig()).replay(saved(tmp_path, case("gone"), finding_of(STATEM)), 3)
    assert (result.verdict, result.shown, result.plays) == (Verdict.FAILED, 1, 1)
    assert result.note == "it serves nobody any more"


@pytest.mark.parametrize(
    ("kind", "what", "why"),
    [
        (Kind.COST, "cost", "a cost cannot be seen in a target without an agent"),
        (Kind.LEAK, "leak", "a leak cannot be seen in a target without an agent"),
        (Kind.SEMANTIC, "lost", "it depends on what is handled first"),
        (Kind.SEMANTIC, "auth", "only where the secret of the tokens is known"),
    ],
)
def test_what_cannot_be_seen_here_is_not_said_to_be_fixed(
    kind: Kind, what: str, why: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, case("plain"), Finding(kind, "a title", Cause(what, "a reason")))
    rig = FakeRig({})
    rig.agent, rig.exact = None, False
    result = Replayer(rig.as_rig()).replay(path, 3)
    assert (result.verdict, result.plays) == (Verdict.ERROR, 0)
    assert why in result.note
    assert rig.plays == []


def test_who_may_log_in_is_judged_where_the_secret_is_known(tmp_path: Path) -> None:
    finding = Finding(Kind.SEMANTIC, "a title", Cause("auth", "a reason"))
    rig = FakeRig({})
    rig.names.tokens = Tokens(b"the secret")
    result = Replayer(rig.as_rig()).replay(saved(tmp_path, case("plain"), finding), 1)
    assert result.verdict is Verdict.FIXED


def test_what_only_a_storm_shows_is_not_said_to_be_fixed(tmp_path: Path) -> None:
    finding = Finding(Kind.HANG, "not served", Cause(STORM, "LOGIN_OK"), {STORM: {"clients": 300}})
    result = replayed(saved(tmp_path, case("plain"), finding))
    assert (result.verdict, result.plays) == (Verdict.ERROR, 0)
    assert result.note == "a storm is shown by `iris-fuzz check storm` only"
