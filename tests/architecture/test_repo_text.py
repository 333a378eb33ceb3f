"""Nothing in the repository ties it to one machine or one package index.

What is looked for is spelled so that this file does not contain it.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "a path of one machine": re.compile(r"/(?:root|home|Users)/"),
    "a package registry": re.compile(r"\b(?:pypi|pythonhosted|npmjs)\.(?:org|com)\b"),
    "a choice of package index": re.compile(
        r"--(?:extra-)?index[-]url|--find[-]links|--trusted[-]host"
    ),
}
#: A lock with any URL, or a requirement by file, installs from somewhere its hashes hide.
LOCK_FORBIDDEN = re.compile(r"://|^\s*(?:file:|-[a-zA-Z]\b|--(?!hash=))|[ /]@ ", re.MULTILINE)

#: What is made, and not kept in git; for a tree without git.
GENERATED = frozenset({".git", ".venv", "__pycache__", "journal", "evolved", "crashes"})


def repository_files(root: Path) -> list[Path]:
    """Return the files that git keeps or would keep; all files where git is no help."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others"]
    try:
        run = subprocess.run([*command, "--exclude-standard"], capture_output=True)
        listed = [root / name for name in run.stdout.decode().split("\0") if name]
    except FileNotFoundError:
        listed = []
    # An unpacked archive may lie, ignored, inside somebody else's repository.
    if root / "pyproject.toml" in listed:
        return [path for path in listed if path.is_file()]
    return [path for path in walk(root) if path.is_file()]


def walk(root: Path) -> Iterator[Path]:
    """Yield everything under ``root`` but what is made."""
    for path in sorted(root.iterdir()):
        if path.name in GENERATED or (path.name.startswith(".") and path.name.endswith("_cache")):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from walk(path)


def ties(path: Path) -> list[str]:
    """Return a sentence for each thing in a text file that ties it to a place."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return []
    if "\0" in text:
        return []
    return [
        f"{path}:{number}: names {what}"
        for number, line in enumerate(text.splitlines(), 1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]


def test_no_file_is_tied_to_a_machine_or_an_index() -> None:
    found = [tie for path in repository_files(ROOT) for tie in ties(path)]
    assert not found, "\n".join(found)


def test_the_lock_pins_hashes_and_nothing_else() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert LOCK_FORBIDDEN.findall(lock) == []
    pins = re.findall(r"^[a-z0-9-]+==\S+.*?(?=^[a-z]|\Z)", lock, re.MULTILINE | re.DOTALL)
    assert len(pins) > 10
    assert [pin.split()[0] for pin in pins if "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize(
    "line",
    [
        "--index" + "-url https://example.invalid/simple",
        "-i https://example.invalid/simple",
        "--find" + "-links wheels",
        "-e .",
        "rich @ file:///somewhere/rich.whl",
        "# from http://example.invalid",
    ],
)
def test_a_lock_that_names_a_place_is_noticed(line: str) -> None:
    assert LOCK_FORBIDDEN.search(f"rich==1.0 \\\n    --hash=sha256:00\n{line}\n")


@pytest.mark.parametrize(
    "text",
    [
        "see /" + "root/notes",
        "cwd=/" + "home/me",
        "https://py" + "pi.org/simple",
        "files.python" + "hosted.org",
        "pip install --extra-index" + "-url x",
    ],
)
def test_a_tied_file_is_noticed(tmp_path: Path, text: str) -> None:
    file = tmp_path / "notes.md"
    file.write_text(f"fine\n{text}\n")
    assert [tie.rpartition(": names")[0] for tie in ties(file)] == [f"{file}:2"]


def test_binary_files_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "case").write_bytes(b"\0/" + b"root/x")
    (tmp_path / "latin").write_bytes(b"\xff/" + b"root/x")
    assert ties(tmp_path / "case") + ties(tmp_path / "latin") == []


def test_without_git_the_folder_is_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    for name in ("pyproject.toml", "fuzz/a.py", ".venv/lib.py", ".mypy_cache/x", ".ci/run"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = {str(path.relative_to(tmp_path)) for path in repository_files(tmp_path)}
    assert found == {"pyproject.toml", "fuzz/a.py", ".ci/run"}
