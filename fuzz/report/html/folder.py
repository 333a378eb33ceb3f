"""What lies in the folder of a campaign, read and never written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.errors import StoreError
from fuzz.finding import ASSERTION
from fuzz.store.atomic import store_error
from fuzz.store.sidecar import Sidecar, read_caseless, read_sidecar

_NO_CASES = (".json", ".md")
_CRASH = "crash-"
#: What was seen in the metrics of a server: a JSON, and no case.
_CASELESS = f"{ASSERTION}-*.json"


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A file that holds a case; one whose ``stamp`` (time and size) is the same is the same."""

    path: Path
    stamp: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Saved:
    """A finding on disk: its case and what is known of it; some have no case."""

    path: Path
    sidecar: Sidecar

    @property
    def has_case(self) -> bool:
        """Tell whether there is a case that shows it."""
        return is_case(self.path)


def is_case(path: Path) -> bool:
    """Tell whether a file holds a case, going by its name."""
    return not path.name.endswith(_NO_CASES)


def checked(folder: Path) -> Path:
    """Return ``folder``, if it can be one of a campaign; else raise :class:`StoreError`."""
    if not folder.exists():
        raise StoreError(
            f"{folder} is not there: name the folder of a campaign (iris-fuzz fuzz --campaign), "
            "or a corpus"
        )
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder: name that of a campaign, or a corpus")
    return folder


def crash_folder(folder: Path) -> Path:
    """Return where the findings of a campaign are: ``folder`` itself, if they lie right in it."""
    inside = folder / "crashes"
    if inside.is_dir() or not (
        any(file.path.name.startswith(_CRASH) for file in case_files(folder))
        or any(folder.glob(_CASELESS))
    ):
        return inside
    return folder


def case_files(folder: Path) -> tuple[CaseFile, ...]:
    """Return the cases in ``folder`` in the order of their names; none if it is not there."""
    return tuple(sorted(_case_files(folder), key=lambda file: file.path.name))


def saved_findings(folder: Path) -> tuple[tuple[Saved, ...], tuple[str, ...]]:
    """Return the worst pair of each fingerprint in ``folder``, and a sentence for each bad file."""
    found: dict[str, Saved] = {}
    problems: list[str] = []
    crashes = [file.path for file in case_files(folder) if file.path.name.startswith(_CRASH)]
    for path in (*crashes, *sorted(folder.glob(_CASELESS))):
        try:
            sidecar = read_sidecar(path) if is_case(path) else read_caseless(path)
        except StoreError as error:
            problems.append(str(error))
            continue
        if sidecar is None:
            if is_case(path):
                problems.append(f"{path} has no JSON beside it: replay it to see what it does")
            continue
        known = found.get(sidecar.fingerprint)
        if known is None or sidecar.kind.rank < known.sidecar.kind.rank:
            found[sidecar.fingerprint] = Saved(path, sidecar)
    return tuple(found.values()), tuple(problems)


def _case_files(folder: Path) -> Iterator[CaseFile]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not is_case(Path(entry.name)):
                    continue
                try:
                    if entry.is_file():
                        seen = entry.stat()
                        yield CaseFile(Path(entry.path), (seen.st_mtime_ns, seen.st_size))
                except FileNotFoundError:
                    continue  # replaced by a running campaign between listing and asking
    except FileNotFoundError:
        return
    except OSError as error:
        raise store_error(folder, "read", error) from None
