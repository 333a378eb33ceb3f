"""The folder of one bug: all that an engineer needs, there whole or not at all.

What was seen once, since something ended the examination, takes the place of no whole report.
"""

from __future__ import annotations

import json
import shlex
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fuzz.case import encode_case
from fuzz.errors import StoreError
from fuzz.report.finding import as_json, as_markdown
from fuzz.report.reproducer import reproducer
from fuzz.store.atomic import ensure_writable, write_together
from fuzz.store.crashes import Context, describe
from fuzz.store.sidecar import encode_sidecar, read_sidecar, sidecar_path
from fuzz.triage.dossier import Dossier
from fuzz.triage.judge import SEEN_ONCE

_NAMES = ("case", "case.json", "report.md", "report.json", "reproduce.py")


@dataclass(frozen=True, slots=True)
class Filed:
    """Where a report is, and the command line that plays its case again.

    It is an ``earlier`` one if that was whole, and now there is less to say.
    """

    folder: Path
    replay: str
    earlier: bool = False


def file_report(out: Path, dossier: Dossier, context: Context, note: str) -> Filed:
    """Write the folder of one bug to ``out``; raise :class:`fuzz.errors.StoreError`.

    Beside the case is what a replay needs to know of it: a leak, or what breaks a relation, shows
    only to who asks for it.
    """
    finding = dossier.finding
    folder = out / f"{finding.kind.value}-{finding.fingerprint}"
    replay = shlex.join(("iris-fuzz", "replay", str(folder / "case"), *context.switches))
    if dossier.confidence == SEEN_ONCE:
        known = _replay_of_whole(folder)
        if known is not None:
            return Filed(folder, known, earlier=True)
    over = context.transport
    document = json.dumps(as_json(dossier, replay, note, over), indent=2)
    case = encode_case(dossier.case)
    sidecar = describe(folder / "case", case, dossier.shown, context, datetime.now(UTC))
    files = {
        "case": case,
        sidecar_path(Path("case")).name: encode_sidecar(sidecar, "case"),
        "report.md": as_markdown(dossier, replay, note, over).encode(errors="backslashreplace"),
        "report.json": (document + "\n").encode(),
        "reproduce.py": reproducer(dossier.case, dossier.shown, transport=over).encode(),
    }
    ensure_writable(folder)
    try:
        write_together({folder / name: data for name, data in files.items()})
    except BaseException:  # an interrupt too must leave no folder without its files
        with suppress(OSError):
            folder.rmdir()  # of an earlier report, all is there still
        raise
    return Filed(folder, replay)


def _replay_of_whole(folder: Path) -> str | None:
    """Return the command line of the report in ``folder``; None if there is no whole one."""
    if not all((folder / name).is_file() for name in _NAMES):
        return None
    with suppress(StoreError):
        saved = read_sidecar(folder / "case")
        return None if saved is None else saved.replay
    return None
