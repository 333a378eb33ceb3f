"""The folder in which agents keep what they have compiled, for the next node with the same code.

Instrumenting fifty modules takes two seconds of compiling, and a twentieth of that where
it was done before. What is in a file, and why it is never stale, is for the agent to say
(``iris_fuzz_cache.erl``); here is where the folder is, and how large it may become.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fuzz.erlang import default_cache_dir
from fuzz.errors import TargetError

#: Some twenty versions of a server of fifty modules, at fifty kilobytes each.
_MOST = 1_000


def compiled_folder(cache: Path | None = None) -> Path:
    """Return the folder, without the files that were made first where there are too many.

    ``cache`` is ``$XDG_CACHE_HOME/iris-fuzz`` if None. Raises :class:`TargetError` if it cannot be
    had.
    """
    folder = (cache or default_cache_dir()) / "instrumented"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _prune(folder)
    except OSError as error:
        raise TargetError(f"cannot keep compiled Erlang code in {folder}: {error}") from None
    return folder


def _prune(folder: Path) -> None:
    files = list(folder.iterdir())
    if len(files) <= _MOST:
        return
    # Half of them: or it would be done at each start. One that is missed is compiled again.
    for path in sorted(files, key=_made)[: len(files) - _MOST // 2]:
        path.unlink(missing_ok=True)


def _made(path: Path) -> float:
    """Return when a file was made; another harness may have removed it meanwhile."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0
