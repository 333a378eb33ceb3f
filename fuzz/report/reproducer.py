"""A stand-alone reproducer: one Python file that needs nothing but Python.

It is the source of :mod:`fuzz.report.standalone` with a case behind it, so what is tested
here is what the engineer runs.
"""

from __future__ import annotations

import ast
import inspect

from fuzz.case import Case, Step
from fuzz.finding import Finding
from fuzz.report import standalone

_HEAD = '''"""{title}

    python3 {name} [HOST [PORT]] [--ws-port PORT]

Plays the smallest case that is known against an Iris server (127.0.0.1:8085 if not told
otherwise), and shows its effect. Kind: {kind}; fingerprint: {fingerprint}.
Exit codes: 0 the effect was seen, 1 it was not, 2 no server answers, 3 played, but the effect
is to be seen on the node only.
"""
'''


def reproducer(case: Case, finding: Finding, name: str = "reproduce.py") -> str:
    """Return the text of a Python file that plays ``case`` and shows what it does."""
    steps = "".join(f"    {_plain(step)!r},\n" for step in case.steps)
    title = ascii(finding.title)[1:-1].replace('"', "'").replace("\\", "/")
    head = _HEAD.format(
        title=title, name=name, kind=finding.kind.value, fingerprint=finding.fingerprint
    )
    return (
        f"{head}{_source()}\n\n"
        "#: What is done, on which connection, the bytes in hex, and a number\n"
        "#: (open: 0 TCP, 1 WebSocket, 2 WebSocket by hand; pause: milliseconds).\n"
        f"STEPS = (\n{steps})\n\n"
        'if __name__ == "__main__":\n'
        f"    raise SystemExit(main(STEPS, {finding.kind.value!r}, {title!r}))\n"
    )


def _plain(step: Step) -> tuple[str, int, str, int]:
    return (step.kind.name.lower(), step.connection, step.data.hex(), step.value)


def _source() -> str:
    """Return the source of the player without its docstring."""
    source = inspect.getsource(standalone)
    first = ast.parse(source).body[0]
    return "\n".join(source.splitlines()[first.end_lineno :]).rstrip() + "\n"
