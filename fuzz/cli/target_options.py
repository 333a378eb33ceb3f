"""The options that choose a target, and how they become its settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import click

from fuzz.cli.options import plant_option, port_option
from fuzz.settings import TargetSettings
from fuzz.target.base import is_loopback, loopback_only

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: One batch is sixteen cases, and nothing is heard between two of them: an interrupt would seem
#: to be ignored below that.
_LEAST_RATE = 1.0

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
    click.option(
        "--rate",
        type=click.FloatRange(_LEAST_RATE),
        metavar="CASES",
        help="Play at most so many cases in a second. [default: as many as it takes]",
    ),
)

#: What click hands over for them; each is an argument of :func:`_settings`.
TARGET_WORDS = ("target", "port", "plants", "allowed", "auth", "rate")


def target_options(command: _Command) -> _Command:
    """Add the options that choose a target; the command gets them as one ``target``."""

    @wraps(command)
    def with_settings(*args: Any, **words: Any) -> Any:
        settings = _settings(**{name: words.pop(name) for name in TARGET_WORDS})
        announce(settings)
        return command(*args, target=settings, **words)

    wrapped = cast(_Command, with_settings)
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _settings(
    target: str,
    port: int,
    plants: tuple[str, ...],
    allowed: tuple[str, ...],
    auth: bool,
    rate: float | None,
) -> TargetSettings:
    return TargetSettings(target, port, plants, allowed, auth, rate)


def announce(settings: TargetSettings) -> None:
    """Say what is about to be done to a host that is not this machine.

    Raises :class:`fuzz.errors.SettingsError` for one that was not allowed.
    """
    if settings.embedded:
        return
    host, port = settings.address()
    if is_loopback(loopback_only(host, settings.allowed)):
        return
    most = "as many cases as it takes" if settings.rate is None else f"at most {settings.rate:g}"
    click.echo(
        f"iris-fuzz: about to send malformed traffic to {host}, port {port}, which is not this "
        f"machine: {most} in a second (--rate), until it ends or Ctrl-C ends it",
        err=True,
    )
