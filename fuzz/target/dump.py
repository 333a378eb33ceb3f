"""``erl_crash.dump``: what a dying emulator leaves behind.

A dump is a list of sections. The head says why the node ended, a section for each scheduler
which process ran then and where, ``=memory`` what was used for what; then come all processes
and tables, and behind them, in most of the file, what they held. It is read up to there, line
by line, and no further than a limit: a dump may have gigabytes, or end in the middle, where
the emulator was stuck or out of time.
Source: "How to interpret the Erlang crash dumps" in the user's guide of ERTS.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: Processes and tables come first; thousands of them fit in this, and it is read in a second.
_READ_BYTES = 16 * 1024 * 1024
#: Longer lines hold terms.
_LINE_BYTES = 4_096
#: The lines of the head that help to tell why a node died.
_HEAD = ("Slogan", "System version", "Taints", "Atoms", "Calling Thread")
#: How many processes, and how many tables, are told of: the largest.
_TOP = 5
#: A frame, as in ``(lists:seq/2 + 48)``; the function may be quoted.
_FRAME = re.compile(r"\((.+:.+/\d+)(?: \+ \d+)?\)\s*$")
#: Sizes in a dump are in words, except where it says otherwise; 64-bit emulators only.
_WORD = 8
#: Behind the last section that is read.
_CONTENTS = ("=proc_messages", "=proc_dictionary", "=proc_stack", "=proc_heap", "=literals")

#: A dump of a large node takes minutes to write, and what it begins with is what is read.
_WRITTEN_BYTES = 64 * 1024 * 1024
#: An emulator that was refused memory may hold a lock that the dump needs: it would wait for
#: itself for ever. So many bytes are written in well under a second; then comes SIGALRM.
_WRITTEN_SECONDS = 3

_Section = tuple[str, list[str]]


def dump_environment(path: Path) -> dict[str, str]:
    """Return the variables that make an emulator leave its dump at ``path``."""
    return {
        "ERL_CRASH_DUMP": str(path),
        "ERL_CRASH_DUMP_BYTES": str(_WRITTEN_BYTES),
        "ERL_CRASH_DUMP_SECONDS": str(_WRITTEN_SECONDS),
    }


def read_dump(path: Path) -> dict[str, object]:
    """Return what a crash dump says, as JSON values; empty when there is none.

    Besides texts of the head there are ``memory`` (bytes by kind), ``running`` and ``stack``
    (the process that ran, and its frames, the innermost first), ``processes`` and ``tables``
    (sentences on the largest). What it does not say is left out. One that cannot be read says
    why under ``unreadable``: a finding is not lost over it.
    """
    try:
        with path.open("rb") as file:
            return _summary(_sections(file))
    except FileNotFoundError:
        return {}
    except OSError as error:
        return {"unreadable": error.strerror}


def _summary(sections: Iterator[_Section]) -> dict[str, object]:
    found: dict[str, object] = {}
    processes: list[tuple[int, str, str]] = []
    tables: list[tuple[int, str]] = []
    running = ""
    for title, lines in sections:
        kind, _, name = title.partition(":")
        facts = _facts(lines)
        if kind == "=erl_crash_dump":
            found |= {_key(key): facts[key] for key in _HEAD if facts.get(key)}
        elif facts.get("Current Process", "").startswith("<"):
            # Where several ran, it was the one on the thread that gave up.
            if not running or title.removeprefix("=") == found.get("calling_thread"):
                running = facts["Current Process"]
                found["stack"] = _stack(lines)
        elif kind == "=memory":
            found["memory"] = {key: int(size) for key, size in facts.items() if size.isdecimal()}
        elif kind == "=proc":
            processes.append((_number(facts, "Memory"), name, _process(name, facts)))
        elif kind == "=ets":
            size = _number(facts, "Words") * _WORD
            rows = _number(facts, "Objects")
            tables.append((size, f"{facts.get('Name', '?')}: {rows} rows, {size} bytes"))
    if running:
        known = (sentence for _, pid, sentence in processes if pid == running)
        found["running"] = next(known, running)
    if processes:
        found["processes"] = [sentence for *_, sentence in heapq.nlargest(_TOP, processes)]
    if tables:
        found["tables"] = [sentence for _, sentence in heapq.nlargest(_TOP, tables)]
    return found


def _sections(file: BinaryIO) -> Iterator[_Section]:
    """Yield each section that is read: its first line, and those that follow."""
    title, lines, left = "", list[str](), _READ_BYTES
    while left > 0 and (raw := file.readline(_LINE_BYTES)):
        left -= len(raw)
        line = raw.decode("utf-8", "replace").rstrip("\n")
        if not line.startswith("="):
            lines.append(line)
            continue
        if title:
            yield title, lines
        title, lines = line, []
        if line.startswith(_CONTENTS):
            return
    if title:
        yield title, lines


def _facts(lines: list[str]) -> dict[str, str]:
    """Return the lines of the form ``key: value``; of one that comes twice, the first."""
    facts: dict[str, str] = {}
    for line in lines:
        key, separator, value = line.partition(": ")
        if separator:
            facts.setdefault(key, value)
    return facts


def _stack(lines: list[str]) -> list[str]:
    """Return the frames of the process that ran on a scheduler, the innermost first."""
    places = [line for line in lines if line.startswith(("Current Process Program counter", "0x"))]
    return [frame[1] for frame in map(_FRAME.search, places) if frame is not None]


def _process(pid: str, facts: dict[str, str]) -> str:
    """Return a sentence on one process, as ``<0.9.0> ann: 99 bytes, 0 messages, in a:b/1``."""
    name = facts.get("Name") or facts.get("Spawned as", "?")
    size, mailbox = _number(facts, "Memory"), _number(facts, "Message queue length")
    frame = _FRAME.search(facts.get("Program counter", ""))
    where = f", in {frame[1]}" if frame is not None else ""
    return f"{pid} {name}: {size} bytes, {mailbox} messages{where}"


def _number(facts: dict[str, str], key: str) -> int:
    text = facts.get(key, "")
    return int(text) if text.isdecimal() else 0


def _key(text: str) -> str:
    return text.lower().replace(" ", "_")
