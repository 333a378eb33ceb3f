"""The cookie of Erlang nodes: the file that it is in, and what nodes themselves ask of that file.

Source: ``auth.erl`` of OTP 25, and "Distributed Erlang" in its reference manual.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from fuzz.errors import AgentError

_NAME = ".erlang.cookie"
#: An atom has at most so many characters, and a cookie is one.
_MOST = 255
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def cookie_file(named: Path | None) -> Path:
    """Return ``named``, or the file of this user's nodes: the first of two, or else that to be.

    Raises :class:`AgentError` for a user without a home.
    """
    if named is not None:
        return named
    try:
        home = Path.home()
    except RuntimeError:
        raise AgentError(
            "this user has no home, where the cookie is; name its file with --cookie-file"
        ) from None
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    places = (home / _NAME, config / "erlang" / _NAME)
    return next(filter(os.path.exists, places), places[0])


def read_cookie(file: Path | None) -> str:
    """Return the cookie in :func:`cookie_file`; raise :class:`AgentError` if there is none."""
    path = cookie_file(file)
    try:
        cookie = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise AgentError(
            f"the cookie cannot be read from {path} ({why}); name its file with --cookie-file"
        ) from None
    if not 0 < len(cookie) <= _MOST or "\n" in cookie:
        raise AgentError(f"{path} holds no cookie: that is one line of 1 to 255 characters")
    return cookie


def refused(path: Path) -> str:
    """Return what keeps a node from taking its cookie from ``path``, as "is open to others".

    Empty if nothing does: where there is no file, it makes one.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not stat.S_ISREG(mode):
        return "is no file"
    if mode & _OTHERS:
        return "is open to others"
    return "" if os.access(path, os.R_OK) else "cannot be read by this user"
