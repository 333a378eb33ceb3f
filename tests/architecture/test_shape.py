"""Modules and functions stay small enough to be read; test files can be told apart."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: A module that is read in one sitting.
MAX_MODULE_LINES = 400
#: A function that is seen on one screen.
MAX_FUNCTION_LINES = 60


def oversized(root: Path) -> list[str]:
    """Return a sentence for each module and function of the product above its limit."""
    found = []
    for package in ("grammar", "fuzz"):
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            lines = len(source.splitlines())
            if lines > MAX_MODULE_LINES:
                found.append(f"{path}: {lines} lines; at most {MAX_MODULE_LINES}: split it")
            for node in ast.walk(ast.parse(source, str(path))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    if lines > MAX_FUNCTION_LINES:
                        found.append(
                            f"{path}:{node.lineno}: {node.name} has {lines} lines;"
                            f" at most {MAX_FUNCTION_LINES}: split it"
                        )
    return found


def misplaced_tests(root: Path) -> list[str]:
    """Return a sentence for each test name used twice and each folder without __init__.py."""
    paths = sorted((root / "tests").rglob("*.py"))
    names = Counter(path.name for path in paths if path.name.startswith("test_"))
    found = [
        f"{name}: {times} test files have this name" for name, times in names.items() if times > 1
    ]
    folders = sorted({path.parent for path in paths})
    return found + [f"{f}: has no __init__.py" for f in folders if not (f / "__init__.py").exists()]


def test_the_product_is_in_readable_pieces() -> None:
    found = oversized(ROOT)
    assert not found, "\n".join(found)


def test_the_tests_can_be_told_apart() -> None:
    found = misplaced_tests(ROOT)
    assert not found, "\n".join(found)


def test_a_long_module_is_noticed_and_one_at_the_limit_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "fuzz" / "store"
    folder.mkdir(parents=True)
    (folder / "fits.py").write_text("x = 1\n" * MAX_MODULE_LINES)
    (folder / "long.py").write_text("x = 1\n" * (MAX_MODULE_LINES + 1))
    assert [line.split(": ")[1] for line in oversized(tmp_path)] == ["401 lines; at most 400"]


def test_a_long_function_is_noticed_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "grammar").mkdir()
    method = "class C:\n    async def go(self):\n" + "        x = 1\n" * MAX_FUNCTION_LINES
    fits = "def fits():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1)
    (tmp_path / "grammar" / "codec.py").write_text(method + fits)
    found = oversized(tmp_path)
    assert len(found) == 1
    assert "go has 61 lines" in found[0]


def test_a_name_used_twice_and_a_bare_folder_are_noticed(tmp_path: Path) -> None:
    for folder in ("tests", "tests/a", "tests/b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
        (tmp_path / folder / "conftest.py").touch()
    (tmp_path / "tests/b/__init__.py").unlink()
    (tmp_path / "tests/a/test_x.py").touch()
    (tmp_path / "tests/b/test_x.py").touch()
    found = misplaced_tests(tmp_path)
    assert found[0] == "test_x.py: 2 test files have this name"
    assert found[1:] == [f"{tmp_path / 'tests/b'}: has no __init__.py"]
