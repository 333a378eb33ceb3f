"""AFLNet's replay files: messages of one client, each with its length before it.

The length has four bytes and is little-endian. One message is one segment.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from fuzz.case import MAX_STEPS, Case, Step, StepKind
from fuzz.errors import CaseFileError
from fuzz.formats.logins import with_login_steps

_LENGTH = struct.Struct("<I")


def messages(data: bytes) -> list[bytes]:
    """Return the messages in a replay file; raise :class:`CaseFileError` with the reason."""
    found: list[bytes] = []
    offset = 0
    while offset < len(data):
        if len(data) - offset < _LENGTH.size:
            raise CaseFileError(f"it ends within the length of message {len(found) + 1}")
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        if length > len(data) - offset:
            raise CaseFileError(
                f"message {len(found) + 1} is said to have {length} bytes, and only "
                f"{len(data) - offset} follow: it is cut short, or no replay file of AFLNet"
            )
        found.append(data[offset : offset + length])
        offset += length
    return found


def looks_like(data: bytes) -> bool:
    """Tell whether ``data`` is a row of messages without an empty one, and nothing more."""
    try:
        return bool(data) and all(messages(data))
    except CaseFileError:
        return False


def read(data: bytes) -> Case:
    """Return the case of a replay file: one connection, on which a message LOGIN is that step.

    An empty message sends nothing, and is left out.
    """
    sent = [message for message in messages(data) if message]
    if not sent:
        raise CaseFileError("it holds no message that is not empty")
    if len(sent) > MAX_STEPS:
        raise CaseFileError(f"it holds {len(sent)} messages; at most {MAX_STEPS} are played")
    return Case(with_login_steps(Step(StepKind.SEND, 0, message) for message in sent))


def written(segments: Iterable[bytes]) -> bytes:
    """Return the replay file of ``segments``."""
    return b"".join(_LENGTH.pack(len(segment)) + segment for segment in segments)
