"""How many files a process may have open: each connection is one, on either side."""

from __future__ import annotations

import resource

#: As many as an address has ports. A limit of a container may be a thousand million, and an
#: emulator makes its table of ports as long as its limit is.
_MOST = 65_536


def open_files() -> int:
    """Let this process open as many files as it may, and those that it starts from now on.

    Returns how many: the hard limit of the process, at most 65,536.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
