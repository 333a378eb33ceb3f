"""What an instrumentation covers, and what it does not, told by application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from fuzz.errors import SettingsError
from fuzz.node import NATIVE_LINE, Instrumentation, NodeInfo, off_node
from fuzz.settings import CoverageSettings

#: So many modules are named where several have no coverage for one reason.
_NAMED = 5
#: What there is of modules that the emulator counts by itself.
_BY_LINE, _BY_FUNCTION = "native coverage by line", "native coverage by function"


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
    """Return a sentence for each application and reason for which modules have none or less.

    Less is what the emulator counts by itself. An application of the target's that was not chosen,
    a dependency as a rule, is named too. Those that are ``left_out`` run on nodes of which no
    coverage is read.
    """
    owner = {module: app.name for app in node.applications for module in app.modules}
    groups = _groups(owner, found.failures)
    notes = [_note("no coverage", *key, modules) for key, modules in groups.items()]
    by_line = {point.module for point in found.points if point.kind == NATIVE_LINE}
    for what, lines in ((_BY_LINE, True), (_BY_FUNCTION, False)):
        chosen = [(m, why) for m, why in found.native if (off_node(m)[0] in by_line) == lines]
        notes += [_note(what, *key, modules) for key, modules in _groups(owner, chosen).items()]
    touched = {*covered_applications(node, found), *(off_node(app)[0] for app, _ in groups)}
    own = dict.fromkeys(off_node(name)[0] for name in node.target_applications())
    passed = [name for name in own if name not in touched | left_out]
    elsewhere = [name for name in own if name in left_out - touched]
    if elsewhere:
        notes.append(f"not covered, on cores only: {', '.join(elsewhere)}; --cover-core covers it")
    if passed and found.points:
        notes.append(f"not chosen for coverage: {', '.join(passed)}; --include NAME chooses one")
    return notes


def without_points(chosen: CoverageSettings, notes: Sequence[str]) -> str:
    """Return the sentence for a target with an agent in which there are no coverage points.

    Raises :class:`SettingsError` where patterns were given: who chooses modules wants a search that
    is guided by them. ``notes`` tell why there is no coverage of those that there are.
    """
    patterns = [f"--include {pattern!r}" for pattern in chosen.include]
    patterns += [f"--exclude {pattern!r}" for pattern in chosen.exclude]
    if patterns:
        said = f"no module with coverage is left by {' '.join(patterns)}"
        advice = "a pattern names modules or applications, with * and ? for any letters"
        raise SettingsError("; ".join([said, *notes] if notes else [said, advice]))
    return (
        "there are no coverage points in this target: the search is guided by the shape of the "
        "replies alone; --include NAME chooses modules or applications"
    )


def _groups(
    owner: Mapping[str, str], reasons: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[str]]:
    """Return the modules of each application and reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for module, why in reasons:
        groups.setdefault((owner.get(module, ""), why), []).append(module)
    return groups


def _note(what: str, application: str, why: str, modules: Sequence[str]) -> str:
    if len(modules) == 1:
        where = f" in {application}" if application else ""
        return f"{what} of {modules[0]}{where}: {why}"
    of = f" of {application}" if application else ""
    names = ", ".join(modules[:_NAMED]) + (", ..." if len(modules) > _NAMED else "")
    return f"{what} of {len(modules)} modules{of} ({names}), each for one reason: {why}"
