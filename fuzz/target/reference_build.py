"""The embedded reference server, compiled."""

from __future__ import annotations

from pathlib import Path

from fuzz.erlang import compile_erlang

#: The Erlang sources of the reference server, part of this package.
REFERENCE_SOURCES = Path(__file__).parent / "reference"

#: The name of the OTP application, of the ``.app`` file and of the module with ``main/0``.
REFERENCE_APPLICATION = "iris_ref"


def compile_reference(cache_dir: Path | None = None) -> Path:
    """Return the folder with the compiled reference server, for ``erl -pa``.

    Raises :class:`fuzz.errors.TargetError` when it cannot be compiled.
    """
    return compile_erlang(REFERENCE_SOURCES, REFERENCE_APPLICATION, cache_dir)
