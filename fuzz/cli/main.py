"""``iris-fuzz``: the verbs, and the one place where errors become sentences.

Exit codes: 0 nothing found (or all cases FIXED), 1 findings, 2 could not run, 130 interrupted,
141 nobody reads its output any more.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from fuzz.cli.config import CONFIG_NAME, defaults, read_config
from fuzz.cli.verbs import Commands, Verbs
from fuzz.errors import IrisFuzzError

_NAME = "iris-fuzz"
#: What a shell gives for a command that was interrupted: 128 and the number of SIGINT.
_INTERRUPTED = 130
#: What it gives for one whose reader is gone: 128 and the number of SIGPIPE.
_UNREAD = 141
#: What the system says of a write. Of a file its name is known too, so it is the output.
_UNWRITTEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    try:
        number = metadata.version(_NAME)
    except metadata.PackageNotFoundError:
        number = "(run from its sources; `make setup` installs it)"
    click.echo(f"{_NAME} {number}")
    context.exit()


@click.group(
    cls=Verbs, commands=Commands(), context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=f"Take options from this file. [default: {CONFIG_NAME} in this folder, if there is one]",
)
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """Fuzz live Erlang nodes that speak the Iris protocol.

    The node's own coverage, read while it serves real TCP connections, steers the search;
    a watchdog tells what broke, and each finding is saved as a case that replays.

    \b
    Begin with:
      iris-fuzz doctor                      is this machine ready?
      iris-fuzz init                        a file of options for the server in this folder
      iris-fuzz fuzz --time 60              fuzz the reference Iris for a minute
      iris-fuzz check                       what does it owe its users?
      iris-fuzz smoke                       is anything new broken? for CI
      iris-fuzz show corpus/crashes/FILE    what does this case do?
      iris-fuzz replay corpus/crashes       does it still happen?
      iris-fuzz triage corpus/crashes       a bug report for each defect
      iris-fuzz report corpus               all of it as one page for a browser

    \b
    Exit codes: 0  nothing found; all cases FIXED; all is well
                1  findings; a case that is not FIXED
                2  could not run: one sentence says why
              130  interrupted; but fuzz ends with its summary, and 0 or 1
              141  nobody reads its output any more, as behind `| head -1`
    """
    verb = context.invoked_subcommand
    if verb is not None and verb != "init":  # it writes the file, and may have to mend it
        context.obj = read_config(config)
        context.default_map = {verb: defaults(context.obj, cli.commands, verb)}


def main() -> None:
    """Run the command line and exit with its code."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may be any bytes
    with _ended_cleanly():
        code = _run()
    sys.exit(code)


def _run() -> int:
    """Run the verb that is asked for, say in a sentence what it fails at; return the exit code."""
    try:
        code = cli(prog_name=_NAME, standalone_mode=False)
    except click.exceptions.Abort:
        return _INTERRUPTED
    except click.ClickException as error:
        with suppress(OSError):  # where nothing can be said, the code says it
            error.show()
        return 2
    except IrisFuzzError as error:
        _say(str(error))
        return error.exit_code
    except OSError as error:
        _say(_refused(error))
        return 2
    except SystemExit:  # Click and Rich exit where they meet a closed pipe, with what is 1 to us
        return _UNREAD
    return code if isinstance(code, int) else 0


def _say(sentence: str) -> None:
    with suppress(OSError):  # where nothing can be said, the code says it
        click.echo(f"{_NAME}: {sentence}", err=True)


def _refused(error: OSError) -> str:
    """Return what the system refused, which no verb has foreseen, and what to do about it."""
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error.filename, str | bytes):
        name = os.fsdecode(error.filename)
        return f"{name} cannot be used ({reason}): see to its permissions, or choose another"
    if error.errno in _UNWRITTEN:
        return f"the output cannot be written ({reason}): send it to where there is room for it"
    return f"the system refused what was asked of it ({reason}): `{_NAME} doctor` may know why"


@contextmanager
def _ended_cleanly() -> Iterator[None]:
    """Let SIGTERM end a verb as Ctrl-C does, so that nodes and their folders are removed."""

    def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
