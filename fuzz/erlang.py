"""Compile folders of Erlang sources once, and find them compiled ever after.

The result of a compilation lives in a cache under a name made of everything that went into
it (sources, options, OTP release), so it is never stale and never rebuilt. A compilation
happens in a folder of its own that is renamed into place when it is complete: concurrent
callers, of one process or of several, see either nothing or all of it.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from fuzz.errors import TargetError

#: What a Debian or Ubuntu machine needs for the target and for the agent.
PACKAGES = (
    "erlang-base erlang-dev erlang-asn1 erlang-crypto erlang-mnesia erlang-public-key "
    "erlang-runtime-tools erlang-ssl erlang-tools erlang-syntax-tools"
)

#: ``+deterministic`` keeps the caller's paths out of the code, so equal sources give equal code.
ERLC_OPTIONS = ("+debug_info", "+deterministic", "-Wall", "-Werror")

#: A folder of some dozens of modules compiles in seconds; ten times that on a busy machine.
ERLC_SECONDS = 120.0

#: Printing the release takes a quarter of a second; more means that ``erl`` does not boot.
ERL_SECONDS = 30.0

#: Emulator flags from the environment are for targets, not for the compiler.
_FLAG_VARIABLES = ("ERL_FLAGS", "ERL_AFLAGS", "ERL_ZFLAGS")

_PLACE = re.compile(r"\.[eh]rl:\d+")

_SUFFIXES = (".erl", ".hrl", ".app", ".src")


def compile_erlang(sources: Path, name: str, cache_dir: Path | None = None) -> Path:
    """Return the folder with the ``.beam`` files of the sources below ``sources``.

    ``name`` is the OTP application's name: the folder is ``.../NAME/ebin``, so that
    ``code:lib_dir(NAME)`` finds it. A ``NAME.app`` among the sources is copied, and a
    ``NAME.app.src`` is copied with its empty list of modules filled in. ``cache_dir`` is
    ``$XDG_CACHE_HOME/iris-fuzz`` if None. Raises :class:`TargetError` with the compiler's
    first complaint, or with the packages to install when there is no compiler.
    """
    files = _source_files(sources)
    if not any(path.suffix == ".erl" for path in files):
        raise TargetError(f"{sources} holds no Erlang source to compile")
    cache = (cache_dir or default_cache_dir()) / "erlang"
    home = cache / f"{name}-{_digest(sources, files)}"
    ebin = home / name / "ebin"
    if ebin.is_dir():
        return ebin
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache) as scratch:
            built = Path(scratch) / "home"
            _build(sources, files, name, built / name / "ebin")
            _move_into_place(built, home)
    except OSError as error:
        raise TargetError(f"cannot keep compiled Erlang code in {cache}: {error}") from None
    return ebin


def default_cache_dir() -> Path:
    """Return ``$XDG_CACHE_HOME/iris-fuzz``, or ``~/.cache/iris-fuzz`` if that is not set.

    Raises :class:`TargetError` where there is neither.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base).resolve() if base else Path.home() / ".cache") / "iris-fuzz"
    except RuntimeError:  # this user has no home, or links go round in a circle
        raise TargetError(
            "there is no folder for compiled Erlang code; name one with XDG_CACHE_HOME"
        ) from None


@functools.cache
def otp_release() -> str:
    """Return the OTP release on the path, such as ``"25"``; raise :class:`TargetError`."""
    expression = "io:put_chars(erlang:system_info(otp_release)),halt()."
    result = _run(["erl", "-noshell", "-eval", expression], ERL_SECONDS)
    release = result.stdout.strip()
    if result.returncode != 0 or not release.isdigit():
        raise TargetError(f"erl does not run: {_first_line(result.stdout, result.stderr)}")
    return release


def clean_environment() -> dict[str, str]:
    """Return this process's environment without the variables that add flags to ``erl``."""
    return {key: value for key, value in os.environ.items() if key not in _FLAG_VARIABLES}


def _source_files(sources: Path) -> list[Path]:
    return sorted(p for p in sources.rglob("*") if p.suffix in _SUFFIXES and p.is_file())


def _digest(sources: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256(f"{otp_release()} {ERLC_OPTIONS}".encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(sources)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _build(sources: Path, files: Iterable[Path], name: str, ebin: Path) -> None:
    ebin.mkdir(parents=True)
    modules = [path for path in files if path.suffix == ".erl"]
    folders = sorted({str(p.parent.resolve()) for p in files if p.suffix in (".erl", ".hrl")})
    includes = [argument for folder in folders for argument in ("-I", folder)]
    command = ["erlc", *ERLC_OPTIONS, *includes, "-o", str(ebin)]
    result = _run([*command, *(str(path.resolve()) for path in modules)], ERLC_SECONDS)
    if result.returncode != 0:
        complaint = _first_complaint(result.stdout + result.stderr)
        raise TargetError(f"the Erlang sources in {sources} do not compile: {complaint}")
    for resource in files:
        if resource.name == f"{name}.app":
            shutil.copyfile(resource, ebin / f"{name}.app")
        elif resource.name == f"{name}.app.src":
            names = ", ".join(sorted(path.stem for path in modules))
            text = resource.read_text(encoding="utf-8")
            text = text.replace("{modules, []}", f"{{modules, [{names}]}}")
            (ebin / f"{name}.app").write_text(text, encoding="utf-8")


def _move_into_place(built: Path, home: Path) -> None:
    try:
        built.rename(home)
    except OSError:
        # Somebody else was quicker: the same name means the same content.
        if not home.is_dir():
            raise


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            env=clean_environment(),
            start_new_session=True,  # an interrupt is for us: erl would ask what to do
        )
    except FileNotFoundError:
        raise TargetError(
            f"{command[0]} is not installed; on Debian: apt install {PACKAGES}"
        ) from None
    except subprocess.TimeoutExpired:
        raise TargetError(f"{command[0]} did not finish within {seconds:.0f} seconds") from None


def _first_complaint(output: str) -> str:
    """Return the first line that names a place in a source, else the first line."""
    placed = (line.strip() for line in output.splitlines() if _PLACE.search(line))
    return next(placed, _first_line(output))


def _first_line(*outputs: str) -> str:
    lines = (line.strip() for output in outputs for line in output.splitlines())
    return next((line for line in lines if line), "it said nothing")
