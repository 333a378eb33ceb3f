"""Whatever ends a triage, what was found until then is written and told; over a fake rig."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest

from fuzz.case import encode_case
from fuzz.cli import running
from fuzz.errors import AgentError, TargetError
from fuzz.evidence import Evidence, Pulse
from fuzz.observation import Observation
from fuzz.oracles import judge
from fuzz.rig import Recovery
from fuzz.triage.dossier import Examiner, seen_once
from fuzz.triage.judge import TargetLostError
from fuzz.watchdog.merge import merge
from tests.cli.support import Run
from tests.oracles.evidence_support import OTHER, STATEM
from tests.watchdog.fake_rig import FakeRig, case, reports, stops_application


class StartedRig(FakeRig):
    """A fake rig that can be started; what it cannot survive is raised by a play."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def interrupted(_rig: FakeRig) -> Observation:
    raise KeyboardInterrupt


def broken(_rig: FakeRig) -> Observation:
    raise AgentError("the agent stopped answering")


def gone(fresh_node: bool = False) -> Recovery:
    raise TargetError("it serves nobody any more")


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> FakeRig:
    fake = StartedRig(
        {
            "crash": reports(STATEM),
            "other": reports(OTHER),
            "stop": stops_application,
            "interrupt": interrupted,
            "broken": broken,
        }
    )
    monkeypatch.setattr(running, "rig_of", lambda _settings: fake)
    return fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cases").mkdir()
    return tmp_path / "cases"


def put(folder: Path, *names: str) -> None:
    """Write cases that do what their names say, in this order."""
    for number, name in enumerate(names):
        (folder / f"{number}{name}").write_bytes(encode_case(case(name, str(number))))


def reported(out: Path) -> list[str]:
    """Return the kinds that have a whole report."""
    names = ("case", "report.md", "report.json", "reproduce.py")
    whole = [bug for bug in out.iterdir() if all((bug / name).is_file() for name in names)]
    assert len(whole) == len(list(out.iterdir()))
    return sorted(bug.name.partition("-")[0] for bug in whole)


@pytest.mark.usefixtures("rig")
def test_an_interrupt_keeps_what_was_examined_and_tells_the_total(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    put(folder, "crash", "plain", "interrupt", "other")
    ran = run("triage", folder, "--out", tmp_path / "out", "--time", "2")
    assert ran.code == 130
    assert reported(tmp_path / "out") == ["process_crash"]
    assert "4 files, 1 bug, 1 file without a finding, 2 files not played" in ran.out
    assert "Traceback" not in ran.err


@pytest.mark.usefixtures("rig")
def test_what_was_seen_once_takes_the_place_of_no_whole_report(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    put(folder, "crash")
    run("triage", folder, "--out", out, "--time", "2")
    (bug,) = out.iterdir()
    before = {path.name: path.read_bytes() for path in bug.iterdir()}
    monkeypatch.setattr(Examiner, "plainest", ends)
    ran = run("triage", folder, "--out", out, "--json")
    assert {path.name: path.read_bytes() for path in bug.iterdir()} == before
    told = json.loads(ran.out)
    assert (ran.code, [one["folder"] for one in told["bugs"]]) == (130, [str(bug)])
    assert f"the earlier report in {bug} is kept" in told["notes"][0]
    (bug / "report.md").unlink()
    run("triage", folder, "--out", out)
    assert "seen once" in (bug / "report.md").read_text()


@pytest.mark.usefixtures("rig")
def test_a_run_that_was_cut_short_leaves_the_smaller_case(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = merge([case("plain"), case("crash", "0")])
    file, small = folder / "large", folder / "large.min"
    file.write_bytes(encode_case(large))
    assert run("tmin", file).code == 0
    before = small.read_bytes()
    assert len(before) < len(file.read_bytes())
    monkeypatch.setattr(Examiner, "minimise", lambda _, *shown: seen_once(*shown))
    ran = run("tmin", file)
    assert (ran.code, "which is kept" in ran.out, small.read_bytes()) == (0, True, before)
    assert json.loads(run("tmin", file, "--json").out)["file"] == str(small)
    small.unlink()
    run("tmin", file)
    assert small.read_bytes() == file.read_bytes()


def lost() -> TargetLostError:
    """Return the end of a target at the play of a plainer case, which showed something else."""
    other = judge(Evidence(pulse=Pulse.WELL, events=(OTHER,)))
    return TargetLostError(TargetError("it serves nobody any more"), case("other"), other)


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(
    ("end", "code", "bugs"),
    [(lost(), 1, 2), (AgentError("silent"), 1, 1), (KeyboardInterrupt(), 130, 1)],
)
def test_what_was_seen_is_told_though_a_plainer_case_was_the_end(
    run: Run,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: BaseException,
    code: int,
    bugs: int,
) -> None:
    def ends(*_: object) -> NoReturn:
        raise end

    monkeypatch.setattr(Examiner, "plainest", ends)
    put(folder, "crash")
    ran = run("triage", folder, "--out", tmp_path / "out", "--time", "2")
    assert ran.code == code
    assert reported(tmp_path / "out") == ["process_crash"] * bugs


@pytest.mark.usefixtures("rig")
def test_an_error_at_one_file_is_a_note_and_the_next_goes_on(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    put(folder, "broken", "crash")
    ran = run("triage", folder, "--out", tmp_path / "out", "--time", "2", "--json")
    told = json.loads(ran.out)
    assert (ran.code, len(told["bugs"])) == (1, 1)
    assert told["files"] == {"given": 2, "without_finding": 0, "not_played": 1}
    assert "0broken: not played: the agent stopped answering" in told["notes"][0]


def test_a_server_that_is_gone_ends_it_with_what_it_has(
    run: Run, folder: Path, tmp_path: Path, rig: FakeRig
) -> None:
    rig.target.restartable = False
    rig.recover = gone  # type: ignore[method-assign]
    put(folder, "crash", "stop", "other")
    target = ("--target", "127.0.0.1:9")
    ran = run("triage", folder, "--out", tmp_path / "out", "--time", "2", *target)
    assert (ran.code, reported(tmp_path / "out")) == (2, ["app_down", "process_crash"])
    assert ran.sentence() == "iris-fuzz: it serves nobody any more"
    assert "seen once; how surely" in ran.out
    assert "2other: not played" in ran.out


def test_a_target_that_does_not_come_back_is_not_minimised_on(
    run: Run, folder: Path, rig: FakeRig
) -> None:
    rig.recover = gone  # type: ignore[method-assign]
    put(folder, "stop")
    ran = run("tmin", folder / "0stop")
    assert (ran.code, ran.sentence()) == (2, "iris-fuzz: it serves nobody any more")
    assert ran.out.startswith("critical  app_down ")
    assert "seen once" in ran.out
    assert len(rig.plays) == 1


def test_a_replay_does_not_ask_a_server_that_is_gone(run: Run, folder: Path, rig: FakeRig) -> None:
    rig.recover = gone  # type: ignore[method-assign]
    put(folder, "stop", "crash")
    ran = run("replay", folder, "--plays", "3")
    assert ran.code == 2
    assert "FAILED     1 of 1" in ran.out
    assert "not played: it serves nobody any more" in ran.out
    assert len(rig.plays) == 1


@pytest.mark.usefixtures("rig")
def test_nothing_that_can_be_played_is_no_success(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "empty").touch()
    (folder / "large").write_bytes(bytes(5 * 1024 * 1024))
    (folder / "link").symlink_to("nowhere")
    ran = run("triage", folder, "--out", tmp_path / "out")
    assert (ran.code, ran.sentence()) == (2, "iris-fuzz: no file could be played")
    assert "3 files, 0 bugs, 0 files without a finding, 3 files not played" in ran.out


@pytest.mark.usefixtures("rig")
def test_a_link_to_nothing_stops_no_other_file(run: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "0link").symlink_to("nowhere")
    put(folder, "plain")
    ran = run("triage", folder / "0link", folder / "0plain", "--out", tmp_path / "out")
    assert ran.code == 0
    assert "0link: cannot be read" in ran.out


@pytest.mark.usefixtures("rig")
def test_the_replay_line_can_be_given_to_a_shell(run: Run, folder: Path, tmp_path: Path) -> None:
    put(folder, "crash")
    out = tmp_path / "my reports"
    where = ("--target", "192.0.2.1:8085", "--allow-host", "192.0.2.1")
    run("triage", folder, "--out", out, "--time", "2", *where)
    (report,) = out.glob("*/report.json")
    replay = json.loads(report.read_text())["replay"]
    assert replay == f"iris-fuzz replay '{report.parent / 'case'}' {' '.join(where)}"


@pytest.mark.usefixtures("rig")
def test_tmin_makes_no_other_bug_small_unless_it_is_told_to(run: Run, folder: Path) -> None:
    put(folder, "crash", "other")
    assert run("tmin", folder / "0crash", "-o", folder / "1other").code == 0
    (folder / "1other").write_bytes(encode_case(case("other", "too")))
    ran = run("tmin", folder / "1other")
    assert ran.code == 1
    assert "shows another finding than process_crash" in ran.out
    assert "--any" in ran.out
    assert not (folder / "1other.min").exists()
    assert run("tmin", folder / "1other", "--any").code == 0
    assert (folder / "1other.min").exists()
    ran = run("promote", folder / "1other", "--to", folder / "regressions")
    assert (ran.code, "move one of them away" in ran.sentence()) == (2, True)


@pytest.mark.usefixtures("rig")
def test_what_tmin_writes_is_promoted_as_one_pair(run: Run, folder: Path, tmp_path: Path) -> None:
    put(folder, "crash")
    large, small, to = folder / "0crash", folder / "small case", tmp_path / "regressions"
    assert run("tmin", large, "-o", small).code == 0
    told = json.loads((folder / "small case.json").read_text())
    assert len(told["steps"]) == 1
    assert "5 bytes" in told["steps"][0]
    assert told["replay"] == f"iris-fuzz replay '{small}'"
    assert told["evidence"]["minimised"].startswith("minimised to 1 connection, 1 step")
    assert run("tmin", small).code == 0
    (folder / "small case.min.json").rename(folder / "hidden")
    ran = run("promote", small, "--to", to)
    assert (ran.code, "has no JSON beside it" in ran.sentence()) == (2, True)
    (folder / "hidden").rename(folder / "small case.min.json")
    assert run("promote", small, "--to", to, "--name", "kept").code == 0
    kept = json.loads((to / "kept.json").read_text())
    assert (kept["case"], kept["replay"]) == ("kept", f"iris-fuzz replay {to / 'kept'}")
    assert (to / "kept").read_bytes() == (folder / "small case.min").read_bytes()
