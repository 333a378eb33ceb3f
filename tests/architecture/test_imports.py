"""Imports point down the layers; and the check itself notices when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.import_rules import (
    broken_rules,
    declared_packages,
    import_cycle,
    read_modules,
)

ROOT = Path(__file__).resolve().parents[2]
DECLARED = frozenset({"rich", "construct", "cbor2"})


def plant(root: Path, sources: dict[str, str]) -> None:
    """Write modules, given as dotted name and source, under ``root``."""
    for name, source in sources.items():
        path = root.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")


def test_every_import_points_down() -> None:
    broken = broken_rules(read_modules(ROOT), declared_packages(ROOT))
    assert not broken, "\n".join(broken)


def test_no_module_imports_itself_through_others() -> None:
    cycle = import_cycle(read_modules(ROOT))
    assert not cycle, " imports ".join(reversed(cycle))


def test_both_packages_are_read() -> None:
    units = {module.unit for module in read_modules(ROOT)}
    assert {"grammar", "fuzz.case", "fuzz.errors"} <= units


def test_erlang_py_is_known_by_its_module_name() -> None:
    assert {"erlang", "construct"} <= declared_packages(ROOT)


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("grammar.codec", "import fuzz.case", "imports point down"),
        ("grammar.codec", "from fuzz import case", "imports point down"),
        ("grammar.codec", "import rich", "may use the standard library and"),
        ("fuzz.case", "from fuzz.finding import Finding", "1 layer(s) above fuzz.case"),
        ("fuzz.case", "def late():\n    import fuzz.cli", "layer(s) above fuzz.case"),
        ("fuzz.case", "from . import cli", "layer(s) above fuzz.case"),
        ("fuzz.store.corpus", "from fuzz.beam.client import Client", "are siblings"),
        ("fuzz.store.corpus", "from ..beam import client", "are siblings"),
        ("fuzz.store.corpus", "from fuzz import beam", "are siblings"),
        ("fuzz.executor.player", "import fuzz.watchdog", "layer(s) above fuzz.executor"),
        ("fuzz.bench.rival", "import boofuzz", "may use the standard library and"),
        ("fuzz.report.html", "import requests", "may use the standard library and"),
        ("fuzz.report.html", "import tests.tools", "may use the standard library and"),
        ("fuzz.report.html", "import fuzz.misc", "fuzz.misc is in no layer"),
        ("fuzz.misc", "import os", "add it to LAYERS in tests/architecture/import_rules.py"),
    ],
)
def test_a_forbidden_import_is_noticed(
    tmp_path: Path, module: str, source: str, reason: str
) -> None:
    plant(tmp_path, dict.fromkeys(("fuzz.__init__", "fuzz.beam.client", "fuzz.cli"), ""))
    plant(tmp_path, {module: source})
    broken = broken_rules(read_modules(tmp_path), DECLARED)
    assert len(broken) == 1
    assert reason in broken[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("grammar.codec", "import struct\nimport construct\nimport cbor2\nimport grammar.wire"),
        ("fuzz.case", "from fuzz.errors import CaseFileError\nfrom grammar import codec"),
        ("fuzz.finding", "from fuzz.observation import Observation"),
        ("fuzz.store.corpus", "from . import journal\nfrom .atomic import write\nimport rich"),
        ("fuzz.cli.main", "from fuzz.report import html\nfrom fuzz.cli.options import x"),
    ],
)
def test_an_allowed_import_is_let_through(tmp_path: Path, module: str, source: str) -> None:
    plant(tmp_path, {module: source})
    assert broken_rules(read_modules(tmp_path), DECLARED) == []


def test_a_cycle_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path, {"grammar.a": "from grammar import b", "grammar.b": "from .a import thing"})
    assert set(import_cycle(read_modules(tmp_path))) == {"grammar.a", "grammar.b"}
