"""Findings on disk: one case and one JSON for each fingerprint.

A finding is a pair: ``crash-<sha1 of the case>`` and the same name with ``.json``. The case
is written first, so that a kill between the two leaves the bytes, which are what matters;
the journal then has the case as unjudged, it is played again, and the pair is completed.

A pair always tells of *one* play: steps, evidence and replay line belong to the case beside
them. So when a known fingerprint shows itself on a worse rung of the ladder, or surely and
not by chance, the pair of
that play takes the place of the old one: the new pair is complete before the old goes. In
all other cases the first case stays and only the hits are counted, in memory, until
:meth:`CrashStore.flush`; a kill loses a count, never a finding.

The workers of one campaign share the folder, and take turns at writing. Whoever has its turn looks
first at what the others have written, so that a defect is new to one of them only.
"""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from fuzz.case import decode_case
from fuzz.describe import describe_steps
from fuzz.errors import CaseFileError, HarnessFault, StoreError
from fuzz.finding import Finding, Kind
from fuzz.store.atomic import ensure_writable, store_error, sweep, write_atomic, write_together
from fuzz.store.locks import turn
from fuzz.store.sidecar import Sidecar, encode_sidecar, read_sidecar, sidecar_path

_PREFIX = "crash-"
_REPLAY = ("iris-fuzz", "replay")


@dataclass(frozen=True, slots=True)
class Context:
    """Under which circumstances a case is played.

    ``plants`` are the defects that the target was told to have, ``switches`` what a replay
    needs on its command line besides the file. ``transport`` is what a connection comes over of
    which the case says nothing else.
    """

    target: str
    otp: str
    plants: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()
    transport: str = "tcp"


@dataclass(frozen=True, slots=True)
class SavedFinding:
    """Where a finding is, whether it is ``new``, its ``hits`` so far and worst ``kind``.

    ``kept`` tells that the case at hand is the one that is there.
    """

    path: Path
    new: bool
    hits: int
    kind: Kind
    kept: bool = False


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    sidecar: Sidecar

    def saved(self, new: bool = False, kept: bool = False) -> SavedFinding:
        return SavedFinding(self.path, new, self.sidecar.hits, self.sidecar.kind, kept)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class CrashStore:
    """The findings in one folder. Opening it reads what is there; nothing is deleted.

    ``turns`` is the file by which those who share the folder take turns; None where nobody does.
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], datetime] = _utc_now,
        turns: Path | None = None,
    ) -> None:
        ensure_writable(folder)
        sweep(folder)
        self._folder = folder
        self._now = now
        self._turns = turns
        self._entries: dict[str, _Entry] = {}
        #: Hits that are in memory only; those of ``_entries`` include them.
        self._counted: Counter[str] = Counter()
        self._problems: list[str] = []
        self._read_at = 0
        with self._turn():
            self._entries, self._problems = self._load()

    def known(self) -> Mapping[str, SavedFinding]:
        """Return the findings by fingerprint, those of earlier campaigns included."""
        self._look()
        return {name: entry.saved() for name, entry in self._entries.items()}

    def evidence(self, fingerprint: str) -> Mapping[str, object]:
        """Return what is kept as evidence of a known fingerprint."""
        self._look()
        return self._entries[fingerprint].sidecar.evidence

    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each file that was left alone when opening."""
        return tuple(self._problems)

    def save(self, case: bytes, finding: Finding, context: Context) -> SavedFinding:
        """Keep ``finding`` and the bytes that led to it; raise :class:`StoreError`.

        Once this returns for a new fingerprint, or a worse kind, both files are on the disk. Of
        a known one the first case stays, and the hit is counted.
        """
        with self._turn():
            known = self._entries.get(finding.fingerprint)
            if known is None:
                return self._store(case, finding, context, None).saved(new=True, kept=True)
            saved = self.count(finding)
            if finding.kind.rank < known.sidecar.kind.rank:
                old = self._entries[finding.fingerprint]
                return self._store(case, finding, context, old).saved(kept=True)
            return saved

    def improve(self, case: bytes, finding: Finding, context: Context) -> SavedFinding:
        """Put a case that shows a known ``finding`` better in the place of the one before.

        That is no hit. What shows a lesser effect of it is not better.
        """
        with self._turn():
            known = self._entries.get(finding.fingerprint)
            if known is None:
                raise HarnessFault(
                    f"finding {finding.fingerprint} was improved before it was saved"
                )
            if finding.kind.rank > known.sidecar.kind.rank:
                return known.saved()
            return self._store(case, finding, context, known).saved(kept=True)

    def count(self, finding: Finding, times: int = 1) -> SavedFinding:
        """Count more hits of a known fingerprint without a case, in memory."""
        self._look()
        known = self._entries.get(finding.fingerprint)
        if known is None:
            raise HarnessFault(f"finding {finding.fingerprint} was counted before it was saved")
        sidecar = replace(known.sidecar, hits=known.sidecar.hits + times)
        entry = _Entry(known.path, sidecar)
        self._entries[finding.fingerprint] = entry
        self._counted[finding.fingerprint] += times
        return entry.saved()

    def flush(self) -> None:
        """Write the hits that were counted in memory; called at the end of a campaign."""
        if not self._counted:
            return
        with self._turn():
            for fingerprint in sorted(self._counted):
                entry = self._entries[fingerprint]
                if entry.path.exists():  # a person may have moved the pair away meanwhile
                    self._write_json(entry)
            self._counted.clear()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Write while none of those who share the folder does, and know what they have written."""
        if self._turns is None:
            yield
            return
        with turn(self._turns):
            self._refresh()
            yield

    def _look(self) -> None:
        """See what others have written, if anything was.

        A folder that changed twice within one tick of the kernel's clock may seem to have changed
        once: what is missed so is seen in the next turn.
        """
        if self._turns is not None and self._changed_at() != self._read_at:
            self._refresh()

    def _refresh(self) -> None:
        self._read_at = self._changed_at()
        found, _ = self._load()
        for fingerprint, entry in found.items():
            # What is gone was moved away by a person, and stays known.
            hits = entry.sidecar.hits + self._counted[fingerprint]
            self._entries[fingerprint] = _Entry(entry.path, replace(entry.sidecar, hits=hits))

    def _changed_at(self) -> int:
        try:
            return self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return 0  # it was removed, and is made anew by who writes next
        except OSError as error:
            raise store_error(self._folder, "read", error) from None

    def _store(self, case: bytes, finding: Finding, context: Context, old: _Entry | None) -> _Entry:
        """Write a pair, and remove the ``old`` one whose place it takes.

        The folder is made anew if somebody has removed it: what was found is not lost with it.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise store_error(self._folder, "made", error) from None
        path = self._place(case, finding.fingerprint, old)
        sidecar = describe(path, case, finding, context, self._now())
        if old is not None:
            sidecar = replace(sidecar, first_seen=old.sidecar.first_seen, hits=old.sidecar.hits)
        entry = _Entry(path, sidecar)
        write_atomic(path, case)
        self._write_json(entry)
        self._entries[finding.fingerprint] = entry
        self._counted.pop(finding.fingerprint, None)
        if old is not None and old.path != path:
            _remove(sidecar_path(old.path))
            _remove(old.path)
        return entry

    def _place(self, case: bytes, fingerprint: str, old: _Entry | None) -> Path:
        """Return the path for a case; one case that shows two defects gets two names."""
        digest = hashlib.sha1(case, usedforsecurity=False).hexdigest()
        path = self._folder / f"{_PREFIX}{digest}"
        if (old is not None and old.path == path) or not sidecar_path(path).exists():
            return path
        return path.with_name(f"{path.name}-{fingerprint}")

    def _write_json(self, entry: _Entry) -> None:
        write_atomic(sidecar_path(entry.path), encode_sidecar(entry.sidecar, entry.path.name))

    def _load(self) -> tuple[dict[str, _Entry], list[str]]:
        """Return the pairs in the folder by fingerprint, and what is to be said of other files."""
        try:
            names = {path.name for path in self._folder.glob(f"{_PREFIX}*") if path.is_file()}
        except OSError as error:
            raise store_error(self._folder, "read", error) from None
        entries: dict[str, _Entry] = {}
        problems: list[str] = []
        for name in sorted(names):
            path = self._folder / name
            if not name.endswith(".json"):
                problems += _add_pair(path, entries)
            elif name.removesuffix(".json") not in names:
                problems.append(f"{path} has no case beside it; it is left alone")
        return entries, problems


def _add_pair(path: Path, entries: dict[str, _Entry]) -> list[str]:
    """Add the pair of the case in ``path``; return a sentence if there is none."""
    try:
        sidecar = read_sidecar(path)
    except StoreError as error:
        return [str(error)]
    if sidecar is None:
        return [f"{path} has no JSON beside it; replay it to see what it does"]
    # Two pairs of one fingerprint: two campaigns shared the folder, or one was killed
    # while a worse play took the place of the first. The worst counts; both files stay.
    known = entries.get(sidecar.fingerprint)
    if known is None or sidecar.kind.rank < known.sidecar.kind.rank:
        entries[sidecar.fingerprint] = _Entry(path, sidecar)
    return []


def describe(path: Path, case: bytes, finding: Finding, context: Context, now: datetime) -> Sidecar:
    """Return what is to be kept of ``finding`` beside ``case``, which is written to ``path``."""
    return Sidecar(
        fingerprint=finding.fingerprint,
        kind=finding.kind,
        title=finding.title,
        cause=finding.cause,
        evidence=finding.evidence,
        steps=_steps(case),
        target=context.target,
        otp=context.otp,
        plants=context.plants,
        replay=_replay(path, context.switches),
        first_seen=now.astimezone(UTC).isoformat(timespec="seconds"),
        transport=context.transport,
    )


def moved(sidecar: Sidecar, path: Path, case: bytes) -> Sidecar:
    """Return what is kept beside ``case`` when it is written to ``path``, another place."""
    try:
        switches = shlex.split(sidecar.replay)[len(_REPLAY) + 1 :]
    except ValueError:  # a person may have changed it
        switches = [word for name in sidecar.plants for word in ("--plant", name)]
    return replace(sidecar, steps=_steps(case), replay=_replay(path, switches))


def write_pair(path: Path, case: bytes, sidecar: Sidecar) -> None:
    """Write a case and what is known of it, both or none; raise :class:`StoreError`."""
    write_together({path: case, sidecar_path(path): encode_sidecar(sidecar, path.name)})


def _steps(case: bytes) -> tuple[str, ...]:
    try:
        return tuple(describe_steps(decode_case(case)))
    except CaseFileError as error:
        return (str(error),)  # what cannot be described is still kept


def _replay(path: Path, switches: Sequence[str]) -> str:
    return shlex.join((*_REPLAY, str(path), *switches))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise store_error(path, "removed", error) from None
