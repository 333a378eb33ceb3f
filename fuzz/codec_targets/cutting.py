"""The property :func:`fuzz.codec_targets.properties.cutting` as a target of libFuzzer."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["grammar"]):
    from fuzz.codec_targets.properties import cutting


def main() -> None:
    """Fuzz with the arguments of libFuzzer; it ends the process."""
    atheris.Setup(sys.argv, cutting)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
