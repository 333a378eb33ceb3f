"""How many files a process may have open: each connection is one, on either side."""

from __future__ import annotations

import resource

from fuzz.errors import SettingsError

#: As many as an address has ports. A limit of a container may be a thousand million, and an
#: emulator makes its table of ports as long as its limit is.
_MOST = 65_536
#: Sixteen cases at once are some hundred connections on either side, and a node that starts has a
#: few dozen files open.
LEAST_FILES = 256


def open_files() -> int:
    """Let this process open as many files as it may, and those that it starts from now on.

    Returns how many: the hard limit of the process, at most 65,536.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def check_open_files() -> None:
    """Raise :class:`SettingsError` if a process, or a node that it starts, may open too few files.

    A node without descriptors turns clients away and loses processes, which would look like
    findings.
    """
    most = open_files()
    if most < LEAST_FILES:
        raise SettingsError(
            f"the limit on open files is {most}, and a campaign wants {LEAST_FILES} at least; "
            "raise it (ulimit -n)"
        )
