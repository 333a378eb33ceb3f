"""Golden cases on disk: a case, and beside it what its clients are to hear.

``NAME`` is the case and ``NAME.replies.json`` tells, in the grammar's words (see
:mod:`fuzz.heard`), the replies that each connection gets, and how it ends:

    {"frame": "STATUS_RESPONSE", "user": "<user:A>", "state": "1"}

A field that is left out may hold anything, and so may what a connection hears that is left out.
``steps`` says what the case does, for people: it is not read.

Who finds a golden case that is not answered as it was saves a case like any other. The JSON beside
that has the expectation in its evidence, so that whoever plays it again compares again.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from fuzz.case import Case, encode_case, read_case
from fuzz.describe import describe_steps
from fuzz.errors import CaseFileError, StoreError
from fuzz.replies import Expectation, Heard, expectation
from fuzz.store.atomic import write_together
from fuzz.store.sidecar import Sidecar, read_sidecar

#: Far above what a golden case hears, each reply written out.
_MAX_BYTES = 4 * 1024 * 1024


def replies_path(case: Path) -> Path:
    """Return the path of the replies that belong to a golden case."""
    return case.with_name(case.name + ".replies.json")


def read_expecting(path: Path) -> tuple[Case, Sidecar | None]:
    """Read a case with what is to be heard in it, if that is known, and the JSON beside it.

    Raises :class:`CaseFileError` and :class:`StoreError`, naming the file.
    """
    case, sidecar = read_case(path), read_sidecar(path)
    kept = None if sidecar is None else sidecar.evidence.get("golden")
    if kept is None:
        return replace(case, expects=read_replies(path)), sidecar
    try:
        return replace(case, expects=expectation(kept)), sidecar
    except CaseFileError as error:
        raise StoreError(f"the JSON beside {path} is damaged: {error}") from None


def read_replies(case: Path) -> Expectation | None:
    """Return the replies beside a case, None where there are none; raise :class:`CaseFileError`."""
    path = replies_path(case)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CaseFileError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise CaseFileError(f"{path} is over {_MAX_BYTES} bytes: it is no file of ours")
    try:
        return expectation(json.loads(data))
    except (ValueError, RecursionError):
        raise CaseFileError(f"{path} is damaged: it is not JSON") from None
    except CaseFileError as error:
        raise CaseFileError(f"{path} is damaged: {error}") from None


def encode_replies(case: Case, expected: Expectation) -> bytes:
    """Return the text of the file beside a golden case."""
    steps = ",\n".join(f"    {json.dumps(step)}" for step in describe_steps(case))
    heard = ",\n".join(map(_connection, expected.heard))
    document = (
        f'{{\n  "name": {json.dumps(expected.name)},\n  "steps": [\n{steps}\n  ],\n'
        f'  "heard": [\n{heard}\n  ]\n}}\n'
    )
    return document.encode("ascii")


def _connection(heard: Heard) -> str:
    """Return the JSON of a connection with each of its replies in a line of its own."""
    replies = ",".join(f"\n      {json.dumps(reply.told())}" for reply in heard.replies)
    start = f'    {{"connection": {heard.number}, "ending": {json.dumps(heard.ending)}'
    return f'{start}, "replies": [{replies}\n    ]}}'


def write_golden(path: Path, case: Case, expected: Expectation) -> None:
    """Write both files of a golden case; raise :class:`StoreError`."""
    write_together({path: encode_case(case), replies_path(path): encode_replies(case, expected)})
