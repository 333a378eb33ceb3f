"""The options that choose a target, and how they become its settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from fuzz.cli.options import plant_option, port_option
from fuzz.settings import TargetSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--target",
        default="embedded",
        show_default=True,
        metavar="embedded|HOST:PORT",
        help="The reference Iris, started for you, or a server that is running, which "
        "is seen from outside only.",
    ),
    port_option(
        "Port of the embedded target; its WebSocket port is the next one. 0 lets the "
        "system choose both."
    ),
    plant_option(
        "Switch a planted defect on in the embedded target; may be repeated. "
        "`iris-fuzz planted` lists them."
    ),
    click.option(
        "--auth",
        is_flag=True,
        help="Let the embedded target ask for tokens: clients of a case get good ones, "
        "unless it says otherwise.",
    ),
    click.option(
        "--allow-host",
        "allowed",
        multiple=True,
        metavar="HOST",
        help="Allow this host although it is not on the loopback interface. It will "
        "be sent malformed traffic: name only what is yours.",
    ),
)

#: What click hands over for them; each is an argument of :func:`_settings`.
_WORDS = ("target", "port", "plants", "allowed", "auth")


def target_options(command: _Command) -> _Command:
    """Add the options that choose a target; the command gets them as one ``target``."""

    @wraps(command)
    def with_settings(*args: Any, **words: Any) -> Any:
        own = {name: words.pop(name) for name in _WORDS}
        return command(*args, target=_settings(**own), **words)

    wrapped = cast(_Command, with_settings)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _settings(
    target: str, port: int, plants: tuple[str, ...], allowed: tuple[str, ...], auth: bool
) -> TargetSettings:
    return TargetSettings(target, port, plants, allowed, auth)
