"""An embedded target with as many coverage points as are asked for: the rest is made up.

Modules of functions that nobody calls are generated, compiled with the rest, loaded when the node
boots, and instrumented by the agent like any other. So each point costs what it costs in the node,
on the way, and in libFuzzer's table, and none changes what the search finds.
"""

from __future__ import annotations

import shlex
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

from fuzz.erlang import compile_erlang
from fuzz.scratch import scratch_prefix
from fuzz.settings import CoverageSettings, StartSettings, TargetSettings
from fuzz.target.embedded import reference_command, scratch_folder
from fuzz.target.reference_build import compile_reference

#: Clauses of a function, and functions of a module: each clause is one point.
_CLAUSES, _FUNCTIONS = 25, 40
#: The target's own module that is covered: it has some tens of points, and each case passes some.
_OWN = "iris_ref_session"
_NAME = "iris_bench_pad"


def module(number: int, points: int) -> str:
    """Return the source of a module with so many points, of clauses that differ in a number."""
    functions = []
    for place in range(0, points, _CLAUSES):
        clauses = range(min(_CLAUSES, points - place))
        name = f"f{place // _CLAUSES}"
        functions.append(";\n".join(f"{name}({n}) -> {n + place}" for n in clauses) + ".")
    exports = ", ".join(f"f{n}/1" for n in range(len(functions)))
    head = f"-module({_NAME}_{number}).\n-export([{exports}]).\n"
    return head + "\n".join(functions) + "\n"


def sources(points: int) -> dict[str, str]:
    """Return the files that together have so many points, by name."""
    most = _CLAUSES * _FUNCTIONS
    sizes = [min(most, points - start) for start in range(0, points, most)]
    return {f"{_NAME}_{number}.erl": module(number, size) for number, size in enumerate(sizes)}


class PaddedTarget:
    """Settings of a target with so many points more; ``close`` removes the folder of its data."""

    def __init__(self, points: int) -> None:
        self._stack = ExitStack()
        self._data = self._stack.enter_context(
            tempfile.TemporaryDirectory(prefix=scratch_prefix("pad"), dir=scratch_folder())
        )
        self.settings = self._settings(points)

    def close(self) -> None:
        """Remove what was made for it."""
        self._stack.close()

    def _settings(self, points: int) -> TargetSettings:
        files = sources(points)
        port, websocket_port = _free_ports()
        arguments = {
            "port": str(port),
            "ws_port": str(websocket_port),
            "data_dir": str(Path(self._data, "data")),
        }
        words = reference_command(compile_reference(), arguments)
        words[1:1] = ["-pa", str(_compiled(files)), "-eval", _loading(files)]
        return TargetSettings(
            port=port,
            websocket_port=websocket_port,
            start=StartSettings((shlex.join(words),), Path(self._data)),
            coverage=CoverageSettings(include=(_OWN, f"{_NAME}_*")),
        )


def _compiled(files: dict[str, str]) -> Path:
    with tempfile.TemporaryDirectory(prefix=scratch_prefix("pad-sources")) as folder:
        for name, text in files.items():
            Path(folder, name).write_text(text)
        return compile_erlang(Path(folder), _NAME)


def _loading(files: dict[str, str]) -> str:
    names = ",".join(name.removesuffix(".erl") for name in files)
    return f"[{{module,_}}=code:ensure_loaded(M)||M<-[{names}]]."


def _free_ports() -> tuple[int, int]:
    """Return two ports that were free just now; a target that is started has to be told its own."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as b:
        return int(one.getsockname()[1]), int(b.getsockname()[1])
