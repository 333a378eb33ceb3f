"""From what a case says to files for others."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from fuzz.case import Case, StepKind
from fuzz.errors import UnplayableError
from fuzz.formats import aflnet, pcap
from fuzz.formats.spoken import Saying, Spoken


class ExportFormat(StrEnum):
    """What a case is written as."""

    RAW = "raw"
    AFLNET = "aflnet"
    PCAP = "pcap"


def exported(
    case: Case, spoken: Spoken, kind: ExportFormat, ports: Sequence[int], now: float
) -> bytes:
    """Return the file of a case of which all that is said is ``spoken``.

    ``ports`` are those of the edges, ``now`` is the time of a capture in seconds since 1970.
    Raises :class:`UnplayableError` for a case that the format cannot hold.
    """
    if kind is ExportFormat.PCAP:
        return pcap.written(spoken.said, ports, now)
    segments = _of_one_client(spoken, kind)
    if kind is ExportFormat.AFLNET:
        return aflnet.written(segments)
    # Who reads a raw payload logs in before it.
    logged_in = case.steps[0].kind is StepKind.LOGIN
    payload = b"".join(segments[1:] if logged_in else segments)
    if not payload:
        raise UnplayableError("it sends nothing after its login, so there is no raw payload")
    return payload


def _of_one_client(spoken: Spoken, kind: ExportFormat) -> list[bytes]:
    opened = [said for said in spoken.said if said.saying is Saying.OPENED]
    if len(opened) != 1:
        raise UnplayableError(
            f"it has {len(opened)} connections, and a file of the format {kind.value} holds one; "
            "a pcap holds all"
        )
    if opened[0].web:
        raise UnplayableError(
            f"it comes over WebSocket, which a file of the format {kind.value} does not tell; "
            "a pcap does"
        )
    return [said.data for said in spoken.said if said.saying is Saying.SENT]
