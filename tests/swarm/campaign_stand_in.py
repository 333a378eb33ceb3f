"""A campaign that plays nothing: run as ``python THIS FOLDER fuzz --corpus ... --summary ...``.

It says in FOLDER that it has begun, and whose child it is; finds what all of its kind find, with a
case of its own; waits for a file ``go`` in FOLDER; and ends with a summary.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from fuzz.case import Case, Step, StepKind, encode_case
from fuzz.finding import CRASH, Cause, Finding, Kind
from fuzz.store.corpus import EvolvedCorpus
from fuzz.store.crashes import Context, CrashStore

#: As long as any machine may need to get so far.
_SECONDS = 120.0
FOUND = Finding(Kind.PROCESS_CRASH, "it crashes", Cause(CRASH, "error:badarg", "a", ("a:b/1",)))
CASES = 100


def case(number: int) -> bytes:
    return encode_case(Case((Step(StepKind.SEND, 0, b"x" * number),)))


def main() -> int:
    folder = Path(sys.argv[1])
    corpus, summary = (
        Path(sys.argv[sys.argv.index(name) + 1]) for name in ("--corpus", "--summary")
    )
    EvolvedCorpus(corpus / "evolved").add(case(os.getpid()))
    CrashStore(corpus / "crashes").save(
        case(os.getpid() % 50 + 1), FOUND, Context("stand-in", "27")
    )
    begun = folder / f"begun-{os.getpid()}"
    begun.with_suffix(".new").write_text(str(os.getppid()))
    begun.with_suffix(".new").rename(begun)
    pause = threading.Event()
    for _ in range(int(_SECONDS / 0.05)):
        if (folder / "go").exists():
            break
        pause.wait(0.05)
    else:
        return 3
    told = {"cases": CASES, "findings": [{"fingerprint": FOUND.fingerprint}]}
    summary.write_text(json.dumps(told))
    return 1


if __name__ == "__main__":
    sys.exit(main())
