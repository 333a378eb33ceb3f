"""What is done while somebody else is waited for."""

from __future__ import annotations

from collections.abc import Callable

#: Does a little, mostly less than a millisecond, and tells whether there was anything to do.
Meanwhile = Callable[[], bool]


def nothing() -> bool:
    """Do nothing: for those who only wait."""
    return False
