"""``iris-fuzz completion``: what a shell needs to complete verbs and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": FishComplete,
}
_NAME = "iris-fuzz"
#: Where click looks for what is asked; it makes the same name of that of the program.
_VARIABLE = "_IRIS_FUZZ_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(tuple(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print a script that lets a shell complete the verbs and options of iris-fuzz.

    \b
    Examples:
      source <(iris-fuzz completion bash)
      iris-fuzz completion zsh >~/.zfunc/_iris-fuzz
      iris-fuzz completion fish >~/.config/fish/completions/iris-fuzz.fish

    Exit codes: 0 printed, 2 there is no such shell.
    """
    script = _SHELLS[shell](context.find_root().command, {}, _NAME, _VARIABLE)
    # Its method source() would look for a bash here, and the script may be for another machine.
    click.echo(script.source_template % script.source_vars(), nl=False)
    return 0
