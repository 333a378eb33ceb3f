"""The workflows are what actionlint and shellcheck let through, and ask for no more than needed.

actionlint does not read the steps of a composite action, so they are put into a workflow for it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTION = ROOT / ".github" / "actions" / "smoke" / "action.yml"
TOOLS = Path(sys.executable).parent
#: Each takes well under a second.
LIMIT_SECONDS = 60


def lint(*files: Path) -> str:
    """Return what actionlint says of workflows, with shellcheck for what they run."""
    command = [TOOLS / "actionlint", "-shellcheck", TOOLS / "shellcheck", "-pyflakes=", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_SECONDS)
    assert (done.returncode == 0) == (not done.stdout), done.stderr
    return done.stdout


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def workflow_of(action: Any) -> dict[str, Any]:
    """Return a workflow with the steps and the inputs of a composite action."""
    inputs = {name: {**one, "type": "string"} for name, one in action["inputs"].items()}
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}
    return {"on": {"workflow_call": {"inputs": inputs}}, "jobs": {"action": job}}


def test_actionlint_lets_all_workflows_through() -> None:
    assert {path.name for path in WORKFLOWS} == {"ci.yml", "nightly.yml"}
    assert lint(*WORKFLOWS) == ""


def test_actionlint_lets_the_steps_of_the_action_through(tmp_path: Path) -> None:
    file = tmp_path / "action.yml"
    file.write_text(yaml.safe_dump(workflow_of(read(ACTION))))
    assert lint(file) == ""


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"run": 'ls "$x" $y'}, "SC2086"),
        ({"run": "echo ${{ inputs.nothing }}"}, "nothing"),
        ({"uses": "actions/checkout@v5", "with": {"none": "x"}}, "none"),
    ],
)
def test_a_bad_step_is_noticed(tmp_path: Path, step: dict[str, Any], words: str) -> None:
    action = {"inputs": {}, "runs": {"steps": [step]}}
    file = tmp_path / "action.yml"
    file.write_text(yaml.safe_dump(workflow_of(action)))
    assert words in lint(file)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_reads_only_ends_and_gets_in_nobodys_way(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    assert all(job["timeout-minutes"] <= 180 for job in workflow["jobs"].values())


def test_no_script_of_the_action_has_an_input_in_its_text() -> None:
    scripts = [step["run"] for step in read(ACTION)["runs"]["steps"] if "run" in step]
    assert len(scripts) == 2
    assert [script for script in scripts if "${{" in script] == []


def arguments(folder: Path, **inputs: str) -> list[str]:
    """Run the action's script with a stand-in for iris-fuzz; return what that was called with."""
    here = folder / "iris-fuzz" / ".github" / "actions" / "smoke"
    here.mkdir(parents=True)
    program = folder / "iris-fuzz" / ".venv" / "bin" / "iris-fuzz"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    program.chmod(0o755)
    action = read(ACTION)
    (step,) = (step for step in action["runs"]["steps"] if "START" in step.get("env", {}))
    given = {name: one["default"] for name, one in action["inputs"].items()} | inputs
    names = {name: value[len("${{ inputs.") : -len(" }}")] for name, value in step["env"].items()}
    environment = {name: given[source] for name, source in names.items()}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={
            **environment,
            "GITHUB_ACTION_PATH": str(here),
            "RUNNER_TEMP": "temp",
            "PATH": os.environ["PATH"],
        },
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\0")[:-1]


def test_without_inputs_the_reference_is_fuzzed(tmp_path: Path) -> None:
    assert arguments(tmp_path) == [
        "smoke", "--time", "60", "--plays", "1", "--corpus", "corpus",
        "--junit", "temp/iris-fuzz/smoke.xml", "--sarif", "temp/iris-fuzz/smoke.sarif",
    ]  # fmt: skip


def test_inputs_become_options_word_by_word(tmp_path: Path) -> None:
    given = arguments(
        tmp_path, start="make core\n\nmake edge; echo $(x)\n", cwd="a b", port="1", edges="2 3",
        baseline="b", known="k", regressions="r", arguments="--rate\n50\n", corpus="c d",
    )  # fmt: skip
    assert given[:25] == [
        "smoke", "--start", "make core", "--start", "make edge; echo $(x)", "--cwd", "a b",
        "--port", "1", "--edge", "2", "--edge", "3", "--regressions", "r", "--baseline", "b",
        "--known", "k", "--rate", "50", "--time", "60", "--plays", "1",
    ]  # fmt: skip
    assert given[25:27] == ["--corpus", "c d"]
