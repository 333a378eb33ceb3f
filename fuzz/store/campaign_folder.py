"""The folder of a campaign: everything about it, so that the same command goes on with it.

==================== ==========================================================
``timeline.sqlite``  what happened when (:mod:`fuzz.store.timeline`)
``crashes/``         the case of each finding (:mod:`fuzz.store.crashes`)
``evolved/``         cases that reached something new (:mod:`fuzz.store.corpus`)
``journal/``         cases in flight (:mod:`fuzz.store.journal`)
``campaign.lock``    held by who runs it
==================== ==========================================================
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import StoreError
from fuzz.settings import TargetSettings
from fuzz.store import locks
from fuzz.store.atomic import ensure_writable
from fuzz.store.timeline import TimelineWriter

_LOCK = "campaign.lock"
#: Whose campaign it is: the word for the reference, or for an Iris of somebody's own.
_WHOSE, _REFERENCE, _OWN = "whose", "the embedded reference", "an Iris of your own"
#: The switches that chose the target of the last run.
_TARGET = "target"


@contextmanager
def campaign_folder(folder: Path, target: TargetSettings) -> Iterator[TimelineWriter]:
    """Own the folder of a campaign against ``target`` while the context lasts; give its time line.

    It is made if it is missing. Raises :class:`StoreError` if it cannot be written, is in use by a
    campaign that runs, or holds one of which the findings would be those of another server.
    Options of the target may change from run to run, for so do servers.
    """
    ensure_writable(folder)
    deadline = Deadline.after(SystemClock(), 0.0, "the campaign in it to end")
    lock = locks.take(folder / _LOCK, deadline)
    if lock is None:
        raise StoreError(
            f"{folder} is in use by a campaign that runs: wait for its end, or name another folder"
        )
    try:
        with closing(TimelineWriter(folder)) as timeline:
            _check(folder, timeline, target)
            yield timeline
    finally:
        os.close(lock)


def _check(folder: Path, timeline: TimelineWriter, target: TargetSettings) -> None:
    whose = _REFERENCE if target.embedded else _OWN
    before = timeline.about().get(_WHOSE, whose)
    if before != whose:
        raise StoreError(
            f"{folder} holds a campaign against {before}, and {whose} is another server: "
            "its findings would be mixed up; name another folder"
        )
    timeline.note(_WHOSE, whose)
    timeline.note(_TARGET, shlex.join(target.switches()))
