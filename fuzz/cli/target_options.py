"""The options that choose a target, and how they become its settings."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from fuzz.case import MAX_EDGES
from fuzz.cli.options import Finite, clock_skew_option, plant_option, port_option
from fuzz.errors import SettingsError
from fuzz.settings import (
    EMBEDDED,
    START_SECONDS,
    TLS_VERSIONS,
    TRANSPORTS,
    AttachSettings,
    CoverageSettings,
    StartSettings,
    TargetSettings,
    TlsSettings,
)
from fuzz.target.base import is_loopback, loopback_only

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: One batch is sixteen cases, and nothing is heard between two of them: an interrupt would seem
#: to be ignored below that.
_LEAST_RATE = 1.0

_OPTIONS = (
    click.option(
        "--target",
        "--attach",
        "target",
        default=EMBEDDED,
        show_default=True,
        metavar="embedded|HOST:PORT",
        help="The reference Iris, started for you, or a server that is running, which "
        "is seen from outside only unless --node is given.",
    ),
    click.option(
        "--node",
        "nodes",
        multiple=True,
        metavar="NAME[@HOST]",
        help="Bring the agent into this node of the running server, over distribution, and take "
        "it out again at the end; it must be on this machine. May be repeated, the edge first.",
    ),
    click.option(
        "--cookie-file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The file with the cookie of the nodes. [default: ~/.erlang.cookie]",
    ),
    click.option(
        "--start",
        "commands",
        multiple=True,
        metavar="COMMAND",
        help="Start your own Iris with this command of the shell, with the agent in it, and end "
        "it afterwards; may be repeated. Each is run when the one before has returned, or its "
        "node is up.",
    ),
    click.option(
        "--cwd",
        "folder",
        type=click.Path(path_type=Path),
        metavar="FOLDER",
        help="The folder in which --start is run. [default: this one, or that of the file which "
        "says --start]",
    ),
    click.option(
        "--start-timeout",
        "start_seconds",
        type=float,
        metavar="SECONDS",
        help="How long --start may take until all ports accept connections. "
        f"[default: {START_SECONDS:g}]",
    ),
    port_option(
        "Port of the target that is started. 0 lets the system choose that of the embedded one, "
        "whose WebSocket port is the next."
    ),
    click.option(
        "--edge",
        "further",
        multiple=True,
        metavar="[HOST:]PORT",
        help="Another edge of the same cluster, with --start or --target; may be repeated.",
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
        "--edges",
        type=click.IntRange(0, MAX_EDGES),
        default=0,
        show_default=True,
        metavar="N",
        help="Let the embedded target be a cluster: a core node and this many edges, on PORT, "
        "PORT+2, ..., and let clients connect to all of them; 0 is one node for all.",
    ),
    clock_skew_option(),
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
        type=Finite(_LEAST_RATE),
        metavar="CASES",
        help="Play at most so many cases in a second. [default: as many as it takes]",
    ),
    click.option(
        "--include",
        multiple=True,
        metavar="PATTERN",
        help="Read the coverage of modules or applications of this name (* and ? are wild); may "
        "be repeated. [default: the project's own applications, not OTP and not dependencies]",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="PATTERN",
        help="Leave out modules or applications of this name; may be repeated.",
    ),
    click.option(
        "--cover-core",
        is_flag=True,
        help="Read the coverage of core nodes too, and not of edges alone.",
    ),
)

_FILE = click.Path(path_type=Path, dir_okay=False)

#: Over what clients come, and how they speak TLS.
_TRANSPORT_OPTIONS = (
    click.option(
        "--transport",
        type=click.Choice(tuple(TRANSPORTS)),
        help="What clients come over, so that the same case plays over each: TCP, TLS, "
        "WebSocket, or WebSocket within TLS (wss). Connections of which a case says that they "
        "come over WebSocket do so whatever is said here. The embedded target speaks TLS where "
        "that is asked for, and its clients trust it.  [default: tcp]",
    ),
    click.option("--tls", is_flag=True, help="Short for --transport tls; or wss with websocket."),
    click.option(
        "--tls-ca",
        "ca",
        type=_FILE,
        metavar="FILE",
        help="PEM file of the CA that the server's certificate is to be from. "
        "[default: those that this machine trusts]",
    ),
    click.option(
        "--tls-cert",
        "certificate",
        type=_FILE,
        metavar="FILE",
        help="PEM file of a certificate to show to a server that asks for one.",
    ),
    click.option(
        "--tls-key",
        "key",
        type=_FILE,
        metavar="FILE",
        help="PEM file of its key, without a password. [default: it is in the file of --tls-cert]",
    ),
    click.option(
        "--tls-insecure",
        "insecure",
        is_flag=True,
        help="Take any certificate of the server: whoever answers in its place is believed.",
    ),
    click.option(
        "--tls-version",
        "version",
        type=click.Choice(TLS_VERSIONS),
        help="Speak this version of TLS only. [default: whichever the server prefers]",
    ),
    click.option(
        "--tls-server-name",
        "server_name",
        metavar="NAME",
        help="Whom the server's certificate is to name. [default: the host of --target]",
    ),
)

_WEBSOCKET_PORT = click.option(
    "--websocket-port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="WebSocket port of an Iris of your own. [default: the next one, if an upgrade is "
    "answered there]",
)

_TLS_WORDS = ("ca", "certificate", "key", "insecure", "version", "server_name")
#: What click hands over for the options of transports.
TRANSPORT_WORDS = ("transport", "tls", *_TLS_WORDS)
#: What click hands over for them; each is an argument of :func:`_settings`, or of its ``security``.
TARGET_WORDS = (
    "target", "commands", "folder", "start_seconds", "port", "further", "plants", "allowed",
    "auth", "rate", "edges", "nodes", "cookie_file", "include", "exclude", "cover_core",
    "clock_skew", "websocket_port", *TRANSPORT_WORDS,
)  # fmt: skip

#: What is said of a server of one's own, and is not so of another.
_ONE_SERVERS: Mapping[str, Any] = MappingProxyType(
    {
        "commands": (), "folder": None, "start_seconds": None, "further": (),
        "nodes": (), "cookie_file": None, "websocket_port": None,
    }
)  # fmt: skip
#: What the embedded target needs nobody to say: it makes its certificates itself.
_NOT_EMBEDDED: Mapping[str, Any] = MappingProxyType(
    {"ca": None, "certificate": None, "key": None, "insecure": False, "server_name": None}
)


def target_options(command: _Command) -> _Command:
    """Add the options that choose a target; the command gets them as one ``target``."""

    @wraps(command)
    def with_settings(*args: Any, **words: Any) -> Any:
        own = {name: words.pop(name) for name in TARGET_WORDS}
        settings = _settings(**(own | _overruled()))
        announce(settings)
        return command(*args, target=settings, **words)

    wrapped = cast(_Command, with_settings)
    for option in reversed((*_OPTIONS, *_TRANSPORT_OPTIONS, _WEBSOCKET_PORT)):
        wrapped = option(wrapped)
    return wrapped


def transport_options(command: _Command) -> _Command:
    """Add the options of transports only; the command gets :data:`TRANSPORT_WORDS`."""
    for option in reversed(_TRANSPORT_OPTIONS):
        command = option(command)
    return command


@click.command(add_help_option=False)
@target_options
@click.pass_context
def _chosen(context: click.Context, target: TargetSettings) -> TargetSettings:
    named = context.get_parameter_source("port") is not ParameterSource.DEFAULT
    return target if named or not target.embedded else replace(target, port=0)


def target_of(words: Sequence[str], defaults: Mapping[str, Any] | None = None) -> TargetSettings:
    """Return the target that ``words`` of a command line choose; for the rest, ``defaults`` hold.

    Those are by the names of :data:`TARGET_WORDS`. The port of an embedded target is the system's
    to choose where nobody names it. Raises :class:`SettingsError` for what is no such option.
    """
    try:
        with _chosen.make_context("target", list(words), default_map=dict(defaults or {})) as made:
            settings: TargetSettings = _chosen.invoke(made)
    except click.ClickException as error:
        raise SettingsError(error.format_message()) from None
    return settings


def words_of(text: str) -> list[str]:
    """Return the words of ``text`` as a shell tells them apart; raise :class:`SettingsError`."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} cannot be taken apart into words: {error}") from None


def _overruled() -> dict[str, Any]:
    """Return what is not in force of a file's target, where the command line names another."""
    context = click.get_current_context()
    typed = {
        name
        for name in TARGET_WORDS
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    none: dict[str, Any] = {}
    if "target" in typed and "commands" not in typed:
        none = dict(_ONE_SERVERS)
        if context.params["target"] == EMBEDDED:
            none |= _NOT_EMBEDDED
    elif "commands" in typed and "target" not in typed:
        none = {"target": EMBEDDED, "nodes": (), "cookie_file": None}
    return {name: value for name, value in none.items() if name not in typed}


def _settings(
    target: str,
    commands: tuple[str, ...],
    folder: Path | None,
    start_seconds: float | None,
    port: int,
    further: tuple[str, ...],
    plants: tuple[str, ...],
    allowed: tuple[str, ...],
    auth: bool,
    rate: float | None,
    edges: int,
    nodes: tuple[str, ...],
    cookie_file: Path | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    cover_core: bool,
    transport: str | None,
    tls: bool,
    websocket_port: int | None,
    clock_skew: float,
    **security: Any,
) -> TargetSettings:
    start = None
    if commands:
        seconds = START_SECONDS if start_seconds is None else start_seconds
        start = StartSettings(commands, folder or Path(), seconds)
    elif folder is not None or start_seconds is not None:
        raise SettingsError("--cwd and --start-timeout are for --start COMMAND, which is missing")
    if cookie_file is not None and not nodes:
        raise SettingsError("--cookie-file belongs to --node, which names the node to be let into")
    if tls and transport == "tcp":
        raise SettingsError("--tls and --transport tcp contradict one another")
    secure, websocket = TRANSPORTS[transport or "tcp"]
    return TargetSettings(
        target,
        port,
        plants,
        allowed,
        auth,
        rate,
        edges,
        start,
        further,
        attach=AttachSettings(nodes, cookie_file) if nodes else None,
        coverage=CoverageSettings(include, exclude, cover_core),
        tls=_tls(secure or tls, security),
        websocket=websocket,
        websocket_port=websocket_port,
        clock_skew=clock_skew,
    )


def _tls(secure: bool, words: Mapping[str, Any]) -> TlsSettings | None:
    settings = TlsSettings(**words)
    if not secure and settings.switches():
        raise SettingsError(f"{settings.switches()[0]} is of no use without --tls")
    return settings if secure else None


def declared() -> tuple[click.Option, ...]:
    """Return the options as click knows them: their names, defaults and help."""

    return tuple(param for param in _chosen.params if isinstance(param, click.Option))


def announce(settings: TargetSettings) -> None:
    """Say what is about to be done to a host that is not this machine.

    Raises :class:`fuzz.errors.SettingsError` for one that was not allowed.
    """
    if settings.embedded:
        return
    for host, port in (settings.address(), *settings.edge_addresses()):
        if not is_loopback(loopback_only(host, settings.allowed)):
            _announce(host, port, settings.rate)


def _announce(host: str, port: int, rate: float | None) -> None:
    most = "as many cases as it takes" if rate is None else f"at most {rate:g}"
    click.echo(
        f"iris-fuzz: about to send malformed traffic to {host}, port {port}, which is not this "
        f"machine: {most} in a second (--rate), until it ends or Ctrl-C ends it",
        err=True,
    )
