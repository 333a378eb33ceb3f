"""Who may import whom, as one table, and the reading of the imports that holds it true.

A *unit* is a module or a package directly under ``fuzz``, or ``grammar`` as a whole. Units
stand in layers; an import points to a lower layer or stays inside its unit. In the two
lowest layers of ``fuzz``, the nouns, siblings may import one another as well.

Imports are read from the source, never by running it, so one inside a function or under
``TYPE_CHECKING`` counts like any other.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Set
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGES = ("grammar", "fuzz")


@dataclass(frozen=True, slots=True)
class Layer:
    """Units of one height; ``siblings`` tells whether they may import one another."""

    units: tuple[str, ...]
    siblings: bool = False


#: Lowest first.
LAYERS = (
    Layer(("grammar",)),
    Layer(
        (
            "fuzz",
            "fuzz.errors",
            "fuzz.clock",
            "fuzz.decoding",
            "fuzz.meanwhile",
            "fuzz.recipes",
            "fuzz.replies",
            "fuzz.settings",
            "fuzz.tls",
            "fuzz.case",
        ),
        siblings=True,
    ),
    Layer(
        (
            "fuzz.announced",
            "fuzz.descriptors",
            "fuzz.describe",
            "fuzz.differing",
            "fuzz.epmd",
            "fuzz.erlang",
            "fuzz.events",
            "fuzz.evidence",
            "fuzz.finding",
            "fuzz.heard",
            "fuzz.node",
            "fuzz.observation",
            "fuzz.pace",
            "fuzz.processors",
            "fuzz.scratch",
            "fuzz.wakeful",
        ),
        siblings=True,
    ),
    Layer(
        (
            "fuzz.codec_targets",
            "fuzz.generate",
            "fuzz.beam",
            "fuzz.target",
            "fuzz.oracles",
            "fuzz.store",
        )
    ),
    Layer(("fuzz.executor",)),
    Layer(("fuzz.bystanders", "fuzz.agents", "fuzz.formats")),
    Layer(("fuzz.greeting",)),
    Layer(("fuzz.rig",)),
    Layer(("fuzz.watchdog",)),
    Layer(("fuzz.triage",)),
    Layer(("fuzz.assertions", "fuzz.engines", "fuzz.checks", "fuzz.watched")),
    Layer(("fuzz.campaign", "fuzz.distil", "fuzz.swarm")),
    Layer(("fuzz.benchmark",)),
    Layer(("fuzz.bench",)),
    Layer(("fuzz.report",)),
    Layer(("fuzz.cli", "fuzz.__main__", "fuzz.pytest_plugin"), siblings=True),
)

#: ``grammar`` knows bytes only. ``fuzz`` may use whatever pyproject.toml says it depends on.
GRAMMAR_PACKAGES = frozenset({"construct", "cbor2"})

#: What an extra brings, and the one module that may use it.
OPTIONAL = {
    "boofuzz": "fuzz.bench.boofuzz_model",
    "distributed": "fuzz.swarm.cluster",
    "fsspec": "fuzz.swarm.shared",
}

#: Distributions whose module has another name.
MODULE_OF = {"erlang_py": "erlang"}


@dataclass(frozen=True, slots=True)
class Module:
    """A source file, its dotted name, and what it imports as (dotted name, line)."""

    name: str
    path: Path
    imports: tuple[tuple[str, int], ...]

    @property
    def unit(self) -> str:
        """The unit that the module belongs to."""
        return unit_of(self.name)


def unit_of(name: str) -> str:
    """Return the unit of a dotted name of ``fuzz`` or ``grammar``."""
    parts = name.split(".")
    return parts[0] if parts[0] == "grammar" else ".".join(parts[:2])


def read_modules(root: Path) -> list[Module]:
    """Return every module of the packages under ``root``, sorted by name."""
    names = {
        _dotted(path.relative_to(root)): path
        for package in PACKAGES
        for path in (root / package).rglob("*.py")
    }
    # A folder is a package to Python whether or not it has an __init__.py.
    known = names.keys() | {parent for name in names for parent in _parents(name)}
    return [
        Module(name, path, tuple(dict.fromkeys(_imports(name, path, known))))
        for name, path in sorted(names.items())
    ]


def declared_packages(root: Path) -> frozenset[str]:
    """Return the top-level modules of the dependencies that pyproject.toml declares."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = (_leading_name(line) for line in project["dependencies"])
    return frozenset(MODULE_OF.get(name, name) for name in names)


def broken_rules(modules: list[Module], declared: frozenset[str]) -> list[str]:
    """Return one sentence for each import, and each module, that the table does not allow."""
    broken = []
    for module in modules:
        if _height(module.unit) is None:
            broken.append(
                f"{module.path}: {module.unit} is in no layer; add it to LAYERS in"
                " tests/architecture/import_rules.py, as low as its imports allow"
            )
            continue
        for name, line in module.imports:
            reason = _refusal(module, name, declared)
            if reason:
                broken.append(f"{module.path}:{line}: {module.name} imports {name}: {reason}")
    return broken


def import_cycle(modules: list[Module]) -> list[str]:
    """Return the names along one cycle of imports; empty when there is none."""
    known = {module.name for module in modules}
    graph = {m.name: {name for name, _ in m.imports} & known for m in modules}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _refusal(module: Module, name: str, declared: frozenset[str]) -> str:
    top = name.partition(".")[0]
    if top not in PACKAGES:
        allowed = GRAMMAR_PACKAGES if module.unit == "grammar" else declared
        if top in sys.stdlib_module_names or top in allowed or OPTIONAL.get(top) == module.name:
            return ""
        return f"{module.name.partition('.')[0]} may use the standard library and {sorted(allowed)}"
    unit = unit_of(name)
    own, other = _height(module.unit), _height(unit)
    if own is None or other is None:
        return f"{unit} is in no layer"
    if unit == module.unit or other < own:
        return ""
    if other > own:
        return f"imports point down, and {unit} is {other - own} layer(s) above {module.unit}"
    if LAYERS[own].siblings:
        return ""
    return f"{module.unit} and {unit} are siblings, which do not import one another"


def _height(unit: str) -> int | None:
    for height, layer in enumerate(LAYERS):
        if unit in layer.units:
            return height
    return None


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parents(name: str) -> Iterator[str]:
    while name := name.rpartition(".")[0]:
        yield name


def _imports(name: str, path: Path, known: Set[str]) -> Iterator[tuple[str, int]]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield (submodule if submodule in known else base), node.lineno


def _base(node: ast.ImportFrom, package: str) -> str:
    """Return the absolute name of what a ``from ... import`` starts at."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _leading_name(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), None)
    return requirement[:end].lower().replace("-", "_")
