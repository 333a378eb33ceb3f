"""Files by which processes take turns: a lock goes away with its holder, however that ends."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuzz.clock import Deadline, SystemClock
from fuzz.errors import StoreError
from fuzz.store.atomic import store_error

#: A file that another process holds is looked at this often.
_LOOK_SECONDS = 0.05
#: A turn is a few files that are synced: tens of milliseconds, seconds on a disk that is busy.
_TURN_SECONDS = 60.0


def take(path: Path, deadline: Deadline) -> int | None:
    """Lock the file ``path``, made if missing; return its descriptor, which is to be closed.

    None when another process holds it until the ``deadline``. Raise :class:`StoreError` when it
    cannot be locked at all.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise store_error(path, "written", error) from None
    pause = threading.Event()
    try:
        while not _locked(descriptor):
            if deadline.expired():
                os.close(descriptor)
                return None
            pause.wait(min(_LOOK_SECONDS, deadline.left()))
    except OSError as error:
        os.close(descriptor)
        raise store_error(path, "locked", error) from None
    except BaseException:  # an interrupt too must leave no descriptor
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """Be the only one that holds the file ``path`` while the context lasts.

    Raise :class:`StoreError` when others hold it for a minute.
    """
    deadline = Deadline.after(SystemClock(), _TURN_SECONDS, "the other workers to finish writing")
    descriptor = take(path, deadline)
    if descriptor is None:
        raise StoreError(
            f"{path} is held by another process: waited {_TURN_SECONDS:.0f} s for {deadline.what}"
        )
    try:
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
