"""The layout of ClusterFuzzLite for the fuzzers of our codec, which need no BEAM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fuzz.errors import SettingsError
from fuzz.store.atomic import store_error, write_together

FOLDER = ".clusterfuzzlite"

_DOCKERFILE = """\
FROM gcr.io/oss-fuzz-base/base-builder-python

COPY . $SRC/project
WORKDIR $SRC/project
COPY .clusterfuzzlite/build.sh $SRC/build.sh
# Where pip gets iris-fuzz from: this folder, if it is (a fork of) iris-fuzz; else a URL.
ENV IRIS_FUZZ=$SRC/project
"""

_BUILD = """\
#!/bin/bash -eu
# Run by ClusterFuzzLite in the image of the Dockerfile beside this.
python3 -m pip install "$IRIS_FUZZ"
targets=$(python3 -c 'import fuzz.codec_targets as targets; print(targets.__path__[0])')
for name in round_trip cutting; do
    compile_python_fuzzer "$targets/$name.py"
done
"""

_PROJECT = "language: python\n"

#: The files of the layout, with what is in them.
FILES: Mapping[str, str] = MappingProxyType(
    {"Dockerfile": _DOCKERFILE, "build.sh": _BUILD, "project.yaml": _PROJECT}
)


def write_layout(root: Path, force: bool) -> Path:
    """Write the layout into ``root``; return its folder.

    Raises :class:`SettingsError` if one of its files is there, unless they are to be replaced.
    """
    folder = root / FOLDER
    there = next((folder / name for name in FILES if (folder / name).exists()), None)
    if there is not None and not force:
        raise SettingsError(f"{there} is there already; --force replaces it")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise store_error(folder, "made", error) from None
    write_together({folder / name: text.encode() for name, text in FILES.items()})
    return folder
