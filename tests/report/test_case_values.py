"""A case as JSON values has all that a person is shown."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz.case import read_case
from fuzz.finding import Cause, Finding, Kind
from fuzz.store.crashes import Context, CrashStore
from fuzz.store.sidecar import read_sidecar
from tests.cli.support import Run, run

__all__ = ["run"]

CORPUS = Path(__file__).resolve().parents[2] / "corpus"
HANG = Finding(Kind.HANG, "a reply did not come", Cause("hang"))


def test_each_step_and_each_field_is_there(run: Run) -> None:
    file = CORPUS / "seeds" / "dialogue-offline-message"
    told = json.loads(run("show", file, "--json").out)
    case = read_case(file)
    assert (told["case"], told["raw"], told["finding"]) == (file.name, False, None)
    assert len(told["steps"]) == len(case.steps)
    sent = [step for step in told["steps"] if step["kind"] == "send"]
    assert b"".join(bytes.fromhex(step["bytes"]) for step in sent)
    opcode = next(field for step in sent for field in step["fields"] if field["role"] == "opcode")
    assert (opcode["offset"], opcode["lies"]) == (0, False)


def test_what_is_known_of_it_is_there_and_a_payload_is_raw(run: Run, tmp_path: Path) -> None:
    path = CrashStore(tmp_path).save(b"\x34", HANG, Context("embedded", "25", (), ())).path
    saved = read_sidecar(path)
    told = json.loads(run("show", path, "--json").out)
    assert saved is not None
    assert (told["raw"], told["finding"]["fingerprint"]) == (True, saved.fingerprint)
