"""A stand-alone reproducer: one Python file that needs nothing but Python.

It is the source of the modules of :mod:`fuzz.report.standalone` with a case behind it, so
what is tested here is what the engineer runs.
"""

from __future__ import annotations

import ast
import inspect

from fuzz import recipes
from fuzz.case import Case, Step
from fuzz.finding import Finding
from fuzz.report.standalone import play, run, verdict, wire
from fuzz.store.sidecar import plain

#: Each uses names of those before it only.
_MODULES = (recipes, wire, play, verdict, run)
#: Where a finding holds what can be looked for on the wire.
_WIRE = "wire"

_HEAD = '''"""{title}

    python3 {name} [HOST [PORT]] [--transport NAME] [--ws-port PORT] [--tls-ca FILE]
        [--secret TEXT] [--edge PORT]

Plays the smallest case that is known against an Iris server (127.0.0.1:8085 if not told
otherwise), and shows its effect. Kind: {kind}; fingerprint: {fingerprint}.
Its clients come over {transport} if --transport does not say otherwise.
--secret is that of the server's tokens, if it asks for any at LOGIN; --edge names each further
edge of a cluster.{restarts}
Exit codes: 0 the effect was seen, 1 it was not, 2 it could not be played (no server answers,
or it needs --secret), 3 played, but the effect is to be seen on the node only.
"""
'''


_RESTARTS = """
The case has the server restarted: it asks you to do that, and waits."""


def reproducer(
    case: Case, finding: Finding, name: str = "reproduce.py", transport: str = "tcp"
) -> str:
    """Return the text of a Python file that plays ``case`` and shows what it does.

    ``transport`` is what its connections come over that say nothing else.
    """
    steps = "".join(f"    {_plain(step)!r},\n" for step in case.steps)
    title = ascii(finding.title)[1:-1].replace('"', "'").replace("\\", "/")
    head = _HEAD.format(
        title=title,
        name=name,
        kind=finding.kind.value,
        fingerprint=finding.fingerprint,
        restarts=_RESTARTS if case.restarts() else "",
        transport=transport,
    )
    return (
        f"{head}\n{_source()}\n\n"
        "#: What is done, on which connection, the bytes in hex, and a number\n"
        "#: (open: 0 as --transport says, 1 WebSocket, 2 WebSocket by hand, plus 256 for each\n"
        "#: edge behind the first; pause: milliseconds).\n"
        f"STEPS = (\n{steps})\n"
        "#: What is wrong with what came back, if that can be told from it.\n"
        f"WIRE: Wire = {plain(finding.evidence.get(_WIRE, {}))!r}\n\n"
        'if __name__ == "__main__":\n'
        f"    raise SystemExit(main(STEPS, {finding.kind.value!r}, {title!r}, WIRE, "
        f"{transport!r}))\n"
    )


def _plain(step: Step) -> tuple[str, int, str, int]:
    return (step.kind.name.lower(), step.connection, step.data.hex(), step.value)


def _source() -> str:
    """Return the source of the player: one head of imports, then what the modules define."""
    modules: set[str] = set()
    names: dict[str, set[str]] = {}
    bodies: list[str] = []
    for module in _MODULES:
        source = inspect.getsource(module)
        docstring, *rest = ast.parse(source).body
        heads = [node for node in rest if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in heads:
            used = {alias.name for alias in node.names}
            if isinstance(node, ast.Import):
                modules |= used
            elif node.module is not None and not node.module.startswith("fuzz."):
                names.setdefault(node.module, set()).update(used)
        last = max(node.end_lineno or 0 for node in (docstring, *heads))
        bodies.append("\n".join(source.splitlines()[last:]).strip() + "\n")
    future = f"from __future__ import {_listed(names.pop('__future__'))}"
    head = [f"import {module}" for module in sorted(modules)]
    head += [f"from {module} import {_listed(names[module])}" for module in sorted(names)]
    return "\n\n".join([future, "\n".join(head)]) + "\n\n" + "\n\n".join(bodies)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
