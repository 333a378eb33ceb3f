"""What the finding of each planted defect that breaks a relation must say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: The relation with what differed, and words of the title.
RELATION_EXPECTED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "notice_cut": (
            "recut: TYPING_RELAY: another number of them", "it makes a difference where TCP cuts",
        ),
        "key_spent": (
            "unknown: PREKEY_RESPONSE: another content", "whether somebody writes to an unknown",
        ),
        "typist_shared": (
            "stranger: TYPING_RELAY: another number of them", "a difference whether a stranger",
        ),
        "every_other": (
            "again: PREKEY_RESPONSE: another content", "it makes a difference when a dialogue",
        ),
    }
)  # fmt: skip
