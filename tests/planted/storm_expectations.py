"""What the finding of each planted defect that a crowd sets off must say: cause, reason, title."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

STORM_EXPECTED: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "storm_backlog": (
            "application down",
            "mute",
            "connections are accepted, but no new client is answered",
        ),
        "storm_lost": (
            "storm",
            "a message that was stored",
            "did not get the message that was stored for them",
        ),
        "storm_leak": ("leak", "ETS rows of iris_ref_farewells", "ETS rows of iris_ref_farewells"),
    }
)
