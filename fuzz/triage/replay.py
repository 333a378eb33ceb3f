"""Replay: does a saved case still do what it did?

A case is played ``plays`` times, each time on a target that is well. What the oracles say is
compared with what the JSON beside the case expects: the same cause is a failure that is
still there, another one is a different finding, and silence in every play means fixed. A
file without a JSON expects nothing in particular, so any finding is a failure. What a golden case
is to hear is compared in each play (see :mod:`fuzz.store.golden`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fuzz.case import Case
from fuzz.errors import CaseFileError, IrisFuzzError, SettingsError, StoreError
from fuzz.finding import Finding, Kind
from fuzz.oracles.laws import BY_ORDER
from fuzz.oracles.laws.auth import AUTH
from fuzz.rig import Rig
from fuzz.store.golden import read_expecting
from fuzz.store.sidecar import Sidecar
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog

#: Kinds that only an agent in the node can see.
_INSIDE = frozenset({Kind.PROCESS_CRASH, Kind.LEAK, Kind.COST})
#: Why a case is not played that tells what one client of a crowd did.
ONLY_A_STORM = "a storm is shown by `iris-fuzz check storm` only"
#: What the names of files end in that lie beside cases, and are none.
_BESIDE = (".json", ".md", ".py")


class Verdict(StrEnum):
    """What a replay says of a file."""

    FIXED = "FIXED"
    FAILED = "FAILED"
    DIFFERENT = "DIFFERENT"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Replayed:
    """The verdict on one file: ``shown`` of ``plays`` plays gave a finding."""

    path: Path
    verdict: Verdict
    shown: int
    plays: int
    findings: tuple[Finding, ...] = ()
    note: str = ""


def case_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files to replay: a folder stands for the cases in it.

    Raises :class:`CaseFileError` for a path that does not exist, and for a folder with
    nothing in it to replay.
    """
    for path in paths:
        try:
            if not path.is_dir():
                if not (path.exists() or path.is_symlink()):
                    raise CaseFileError(f"{path} does not exist")
                yield path
                continue
            inside = sorted(filter(_is_case, path.iterdir()))
        except OSError as error:
            raise CaseFileError(f"{path} cannot be read: {error.strerror}") from None
        if not inside:
            raise CaseFileError(f"{path} holds no case to replay")
        yield from inside


def refuse_namesakes(files: Iterable[Path], advice: str) -> None:
    """Raise :class:`SettingsError` if two of ``files`` would have one name in a folder."""
    named = Counter(file.name for file in files)
    twice = next((name for name, count in named.items() if count > 1), None)
    if twice is not None:
        raise SettingsError(f"two of the cases are called {twice}; {advice}")


def is_passed_over(name: str) -> bool:
    """Tell whether a file of this ``name`` is not for a replay of its folder: it tells of a case.

    Beside a case lie its JSON, and in the folder of a report what is for people too.
    """
    return name.startswith(".") or Path(name).suffix in _BESIDE


def _is_case(file: Path) -> bool:
    """Tell whether ``file`` is to be read; a link to nothing is, and is told as what it is."""
    if is_passed_over(file.name):
        return False
    return file.is_file() or (file.is_symlink() and not file.exists())


class Replayer:
    """Replays cases on one rig, which is started already."""

    def __init__(self, rig: Rig) -> None:
        self._watchdog = Watchdog(rig)
        self._investigator = Investigator(rig, self._watchdog)
        self._rig = rig

    def replay(self, path: Path, plays: int) -> Replayed:
        """Play the case in ``path``; a case that can't be played is an ERROR, with the reason."""
        try:
            case, expected = read_expecting(path)
        except (CaseFileError, StoreError) as error:
            return Replayed(path, Verdict.ERROR, 0, 0, note=str(error))
        unseen = "" if expected is None else self._unseen(expected)
        if unseen:
            return Replayed(path, Verdict.ERROR, 0, 0, note=unseen)
        lost = self._investigator.lost
        if lost is not None:
            return Replayed(path, Verdict.ERROR, 0, 0, note=f"not played: {lost}")
        note = "a raw payload, sent by a logged-in client" if case.raw else ""
        seen: list[tuple[Finding, ...]] = []
        try:
            for _ in range(plays):
                seen.append(self._play(case, expected))
                if self._investigator.lost is not None:  # it would show the same for ever
                    break
        except IrisFuzzError as error:
            if not any(seen):
                return Replayed(path, Verdict.ERROR, 0, len(seen), note=str(error))
            note = str(error)  # what was seen before is told in any case
        return _verdict(path, seen, expected, note)

    def _unseen(self, expected: Sidecar) -> str:
        """Return why what is ``expected`` cannot be seen here, empty if it can."""
        if expected.kind in _INSIDE and self._rig.agent is None:
            return f"a {expected.kind.value} cannot be seen in a target without an agent"
        if expected.of_a_storm:
            return ONLY_A_STORM
        if expected.cause.what == AUTH and self._rig.names.tokens.secret is None:
            return (
                "who may log in is judged only where the secret of the tokens is known: "
                "the embedded target with --auth"
            )
        if expected.cause.what in BY_ORDER and not self._rig.exact:
            return "it depends on what is handled first, and of nodes without an agent nobody knows"
        return ""

    def _play(self, case: Case, expected: Sidecar | None) -> tuple[Finding, ...]:
        """Play once. What shows only in many plays, or in variants, gets them if it is expected."""
        if expected is None:
            return self._investigator.judge_alone(case)
        findings = self._investigator.judge_as(case, expected.cause, expected.evidence)
        if expected.kind is not Kind.LEAK or findings:
            return findings
        return self._investigator.judge_growth(case)


def _verdict(
    path: Path, seen: list[tuple[Finding, ...]], expected: Sidecar | None, note: str
) -> Replayed:
    shown = [findings for findings in seen if findings]
    everything = tuple({f.fingerprint: f for findings in shown for f in findings}.values())
    if not shown:
        return Replayed(path, Verdict.FIXED, 0, len(seen), note=note)
    same = [
        findings
        for findings in shown
        if expected is None or expected.fingerprint in {f.fingerprint for f in findings}
    ]
    verdict = Verdict.FAILED if same else Verdict.DIFFERENT
    return Replayed(path, verdict, len(same or shown), len(seen), everything, note)
