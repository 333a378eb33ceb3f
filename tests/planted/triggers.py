"""A trigger for each planted defect: the smallest case that a person would write for it.

Those in TRIGGERS are a correct seed with one thing changed; those of the laws are written
out in :mod:`tests.planted.law_triggers`.

``corpus/regressions`` is written from here:

    python -m tests.planted.triggers corpus/regressions
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from fuzz.case import GROUP_TOKEN, USER_TOKENS, Case, StepKind, encode_case
from fuzz.generate.seeds import SEEDS
from tests.planted.law_triggers import LAW_CASES

A, B = USER_TOKENS[:2]


@dataclass(frozen=True, slots=True)
class Trigger:
    """The seed, the bytes in it that are changed, and into what; ``name`` says what that is."""

    name: str
    seed: str
    was: bytes
    becomes: bytes

    def case(self) -> Case:
        """Return the seed with ``was`` changed, which must stand in one of its segments."""
        steps = SEEDS[self.seed].steps
        places = [
            number
            for number, step in enumerate(steps)
            if step.kind is StepKind.SEND and self.was in step.data
        ]
        assert len(places) == 1, f"{self.was!r} is in {len(places)} segments of {self.seed}"
        changed = list(steps)
        step = steps[places[0]]
        changed[places[0]] = replace(step, data=step.data.replace(self.was, self.becomes, 1))
        return Case(tuple(changed))


def counted(value: bytes) -> bytes:
    """Return ``value`` behind its length in two bytes."""
    return len(value).to_bytes(2, "big") + value


#: For each planted defect, what trips it.
TRIGGERS: Mapping[str, Trigger] = MappingProxyType(
    {
        "crash_alone": Trigger(
            "reserved-opcode-34", "op-05-get-status", b"\x05" + counted(B), b"\x34" + counted(B)
        ),
        "crash_cascades": Trigger(
            "typing-start-empty-target", "op-70-typing-start", counted(B), counted(b"")
        ),
        "app_gives_up": Trigger(
            "get-status-name-too-long", "op-05-get-status", counted(B), counted(b"u" * 257)
        ),
        "node_abort": Trigger(
            "batch-inner-length-past-blob", "op-04-batch-send", b"two\x00\x00", b"two\x00\x01"
        ),
        "node_dump": Trigger(
            "send-seq-largest-number", "op-07-send-seq", bytes(7) + b"\x01", b"\xff" * 8
        ),
        # The same map, said to be of indefinite length; the break that would end it is not there.
        "hang": Trigger(
            "cbor-map-without-break", "op-10-cbor-msg", b"\xa3\x64type", b"\xbf\x64type"
        ),
        "atom_leak": Trigger(
            "group-roster-unknown-id", "op-35-group-roster", counted(GROUP_TOKEN), counted(A)
        ),
    }
)

#: For each planted defect, the name of its file and the case in it.
CASES: Mapping[str, tuple[str, Case]] = MappingProxyType(
    {
        **{name: (trigger.name, trigger.case()) for name, trigger in TRIGGERS.items()},
        **LAW_CASES,
    }
)

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


def regressions() -> dict[str, bytes]:
    """Return the files of ``corpus/regressions`` that are made here, by name."""
    cases = {file: encode_case(case) for file, case in CASES.values()}
    return {**cases, **PAYLOADS}


def main(folder: Path) -> None:
    """Write the regressions into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in regressions().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
