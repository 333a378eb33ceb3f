"""What the finding of each planted defect that breaks a relation must say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: The relation with what differed, and words of the title.
RELATION_EXPECTED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "notice_cut": (
            "recut: TYPING_RELAY: another number of them", "where TCP cuts the bytes makes a",
        ),
        "key_spent": (
            "unknown: PREKEY_RESPONSE: another content", "a frame for an unknown user makes a",
        ),
        "typist_shared": (
            "stranger: TYPING_RELAY: another number of them", "the traffic of a stranger makes a",
        ),
        "every_other": (
            "again: PREKEY_RESPONSE: another content", "to play a case twice makes a",
        ),
    }
)  # fmt: skip
