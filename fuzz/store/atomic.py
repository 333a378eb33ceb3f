"""Files that are there whole or not at all, whatever ends the process.

Theory of operation: the bytes go to a hidden file in the *same folder* (a rename works only
within a file system), that file is synced, renamed over the target, and the folder is
synced, since the rename itself lives in the folder. At no instant does the target hold
half of anything. A kill between creating and renaming leaves the hidden file; its name
tells the process that made it, and :func:`sweep` removes those whose process is gone.

A link stays one, and what it names is replaced. What is no regular file (a device, a pipe) is
written into: a rename over ``/dev/null`` would take that from everybody.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from fuzz.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the limit on file sizes is reached; raise it (ulimit -f)",
    errno.EACCES: "no permission; make it writable or choose another folder",
    errno.EPERM: "no permission; make it writable or choose another folder",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENOENT: "its folder is gone; make it anew or choose another",
    errno.ENOTDIR: "a part of the path is a file and not a folder; choose another folder",
    errno.EEXIST: "a file is in the place of the folder; choose another folder",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
}
_TEMPORARY = re.compile(r"\.(?P<pid>\d+)-\d+\.tmp")
#: What is a stream of this process, even where it leads to a regular file.
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
_serial = itertools.count()


def store_error(path: Path, doing: str, error: OSError) -> StoreError:
    """Return one sentence that names the path, the reason and what to do about it."""
    reason = _ADVICE.get(error.errno or 0, error.strerror or type(error).__name__)
    return StoreError(f"{path} cannot be {doing}: {reason}")


def write_atomic(path: Path, data: bytes, durable: bool = True) -> None:
    """Put ``data`` in the place of ``path``, whole or not at all.

    With ``durable`` it also survives a power cut once this returns; without, only the death
    of this process. On any failure raise :class:`StoreError`: the old content is intact and
    no temporary file is left.
    """
    try:
        if _is_stream(path):
            _write_into(path, data)
            return
        place = _place(path)
        temporary = _temporary(place)
        try:
            _write_new(temporary, data, durable)
            temporary.replace(place)
        except BaseException:  # an interrupt too must leave no half file
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(place.parent)
    except OSError as error:
        raise store_error(path, "written", error) from None


def write_together(files: Mapping[Path, bytes]) -> None:
    """Put ``files``, which belong together, in their places: all of them or none.

    All that can be short of space is done before the first of them gets its name. On failure
    raise :class:`StoreError`.
    """
    written: dict[Path, Path] = {}
    streams: list[Path] = []
    at = Path()
    try:
        try:
            for at, data in files.items():
                if _is_stream(at):
                    streams.append(at)
                    continue
                place = _place(at)
                written[place] = _temporary(place)
                _write_new(written[place], data, durable=True)
            for at in streams:
                _write_into(at, files[at])
            for at, temporary in written.items():
                temporary.replace(at)
        except BaseException:  # an interrupt too must leave no half file
            for temporary in written.values():
                temporary.unlink(missing_ok=True)
            raise
        for folder in {place.parent for place in written}:
            sync_folder(folder)
    except OSError as error:
        raise store_error(at, "written", error) from None


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte of ``data``; a disk that takes a part and no more raises OSError."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def sync_folder(folder: Path) -> None:
    """Make names that were added to or removed from ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def ensure_writable(folder: Path) -> None:
    """Make ``folder`` if it is missing and prove that a file in it can be written.

    Permission bits say little (root, read-only mounts, a full disk), so it is tried: one
    small file is written and removed. Raise :class:`StoreError` with one sentence.
    """
    probe = _temporary(folder / "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _write_new(probe, b"iris-fuzz", durable=False)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise store_error(folder, "used as a folder to write to", error) from None


def sweep(folder: Path) -> None:
    """Remove the temporary files in ``folder`` that a killed process left behind."""
    try:
        for path in folder.iterdir():
            match = _TEMPORARY.fullmatch(path.name)
            if match and _is_over(int(match["pid"])):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise store_error(folder, "tidied", error) from None


def _is_stream(path: Path) -> bool:
    """Tell whether ``path`` is there and nothing to be renamed over; raise OSError."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) or os.path.abspath(path).startswith(_STREAMS)


def _place(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def _temporary(place: Path) -> Path:
    return place.with_name(f".{os.getpid()}-{next(_serial)}.tmp")


def _write_into(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOCTTY)
    try:
        write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _write_new(path: Path, data: bytes, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_over(pid: int) -> bool:
    # In a container the same small number comes again at each start: a file that bears our
    # own, before we have written any, is a predecessor's.
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
