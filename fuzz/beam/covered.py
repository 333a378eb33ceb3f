"""What an instrumentation covers, and what it does not, told by application."""

from __future__ import annotations

from collections.abc import Sequence, Set

from fuzz.node import Instrumentation, NodeInfo, off_node

#: So many modules are named where several have no coverage for one reason.
_NAMED = 5


def covered_applications(node: NodeInfo, found: Instrumentation) -> tuple[str, ...]:
    """Return the applications of which any module has coverage points, in order of their start."""
    modules = {point.module for point in found.points}
    names = (
        off_node(app.name)[0] for app in node.applications if modules.intersection(app.modules)
    )
    return tuple(dict.fromkeys(names))


def coverage_notes(
    node: NodeInfo, found: Instrumentation, left_out: Set[str] = frozenset()
) -> list[str]:
    """Return a sentence for each application and reason for which modules have no coverage.

    An application of the target's that was not chosen, a dependency as a rule, is named too.
    Those that are ``left_out`` run on nodes of which no coverage is read.
    """
    owner = {module: app.name for app in node.applications for module in app.modules}
    groups: dict[tuple[str, str], list[str]] = {}
    for module, why in found.failures:
        groups.setdefault((owner.get(module, ""), why), []).append(module)
    notes = [_note(app, why, modules) for (app, why), modules in groups.items()]
    touched = {*covered_applications(node, found), *(off_node(app)[0] for app, _ in groups)}
    own = dict.fromkeys(off_node(name)[0] for name in node.target_applications())
    passed = [name for name in own if name not in touched | left_out]
    elsewhere = [name for name in own if name in left_out - touched]
    if elsewhere:
        notes.append(f"not covered, on cores only: {', '.join(elsewhere)}; --cover-core covers it")
    if passed and found.points:
        notes.append(f"not chosen for coverage: {', '.join(passed)}; --include NAME chooses one")
    return notes


def _note(application: str, why: str, modules: Sequence[str]) -> str:
    if len(modules) == 1:
        where = f" in {application}" if application else ""
        return f"no coverage of {modules[0]}{where}: {why}"
    of = f" of {application}" if application else ""
    names = ", ".join(modules[:_NAMED]) + (", ..." if len(modules) > _NAMED else "")
    return f"no coverage of {len(modules)} modules{of} ({names}), each for one reason: {why}"
