"""A trigger for each planted defect: the smallest case that a person would write for it.

They are written out in :mod:`tests.planted.crash_triggers`, :mod:`tests.planted.law_triggers`,
:mod:`tests.planted.relation_triggers`, :mod:`tests.planted.cluster_triggers`,
:mod:`tests.planted.transport_triggers` and :mod:`tests.planted.decoder_cases`.
``corpus/regressions`` is written from here:

    python -m tests.planted.triggers corpus/regressions
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fuzz.case import Case, encode_case
from fuzz.checks.storm import ONE_CLIENT
from fuzz.store.golden import encode_replies, replies_path
from tests.planted.cluster_triggers import CLUSTER_CASES
from tests.planted.crash_triggers import CRASH_CASES
from tests.planted.decoder_cases import DECODER_CASES
from tests.planted.law_triggers import LAW_CASES
from tests.planted.relation_triggers import RELATION_CASES
from tests.planted.transport_triggers import TRANSPORT_CASES

#: For each planted defect, the name of its file and the case in it.
CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {
        **CRASH_CASES,
        **LAW_CASES,
        **RELATION_CASES,
        **CLUSTER_CASES,
        **DECODER_CASES,
        **TRANSPORT_CASES,
    }
)


def counted(value: bytes) -> bytes:
    """Return ``value`` behind its length in two bytes."""
    return len(value).to_bytes(2, "big") + value


#: Payloads as they are, with no format around them: what ``printf`` or a capture gives.
PAYLOADS: Mapping[str, bytes] = MappingProxyType(
    {
        "raw-reserved-opcode-34": b"\x34",
        # The other way into the loop of ``hang``: the header of an E2EE message.
        "raw-e2ee-header-without-break": b"\x23"
        + counted(b"bob")
        + counted(b"\xbf\x61n\x01")
        + b"\x00\x00\x00\x06sealed",
    }
)


#: What one client does in a storm: the trigger of defects that only a crowd sets off.
STORM_FILE = "one-client-of-a-storm"


def regressions() -> dict[str, bytes]:
    """Return the files of ``corpus/regressions`` that are made here, by name."""
    cases = {file: encode_case(case) for file, case in CASES.values()}
    golden = {
        replies_path(Path(file)).name: encode_replies(case, case.expects)
        for file, case in CASES.values()
        if case.expects is not None
    }
    return {**cases, **golden, **PAYLOADS, STORM_FILE: encode_case(ONE_CLIENT)}


def main(folder: Path) -> None:
    """Write the regressions into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in regressions().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
