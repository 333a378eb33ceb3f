"""The check ``golden``: recorded dialogues of older clients get the replies that they expect.

What a client of protocol v0.x is cannot be read anywhere: published is v1.0, and which of its
opcodes are older. So a golden case whose name begins with ``v0-`` keeps to the opcodes 01 to 07
and 10 and logs in without a token; one with ``v1-`` uses the rest of v1.0. All were recorded of
the reference Iris, and expect nothing that the published protocol leaves open: see
:mod:`fuzz.triage.record`.
"""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.checks.base import Check, Ground, Trial
from fuzz.errors import CaseFileError
from fuzz.store.golden import read_expecting
from fuzz.triage.replay import case_files


def _run(ground: Ground) -> Iterator[Trial]:
    for path in case_files([ground.golden]):
        case, _ = read_expecting(path)
        if case.expects is None:
            raise CaseFileError(f"{path} has no replies beside it; `iris-fuzz record` writes them")
        yield ground.ask(path.name, case)


GOLDEN = Check("golden", "recorded dialogues of clients of v0.x and v1.0", _run)
