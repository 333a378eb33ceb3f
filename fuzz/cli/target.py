"""``iris-fuzz target``: the embedded target by itself."""

from __future__ import annotations

import re
from pathlib import Path

import click

from fuzz.cli.options import clock_skew_option, plant_option, port_option
from fuzz.settings import check_clock_skew
from fuzz.target.foreground import Layout, run_foreground
from fuzz.target.planted import check_plants

#: How a node tells that it is up. A core has no ports of its own: it says 0.
_READY = re.compile(
    r"IRIS_REF READY tcp=(?P<tcp>\d+) ws=(?P<ws>\d+) node=(?P<node>\S+) auth=\S+ tls=(?P<tls>\S+)"
)

#: How a node tells why it does not come up.
_ERROR = "IRIS_REF ERROR "


@click.group()
def target() -> None:
    """The embedded target: a reference Iris, by itself."""


@target.command(short_help="Run the reference Iris in the foreground.")
@port_option("TCP port; the WebSocket port is the next one. 0 lets the system choose both.")
@click.option(
    "--edges",
    type=click.IntRange(0, 16),
    default=0,
    show_default=True,
    metavar="N",
    help="Run a core node and this many edges, on PORT, PORT+2, ...; 0 is one node for all.",
)
@clock_skew_option()
@plant_option("Switch a planted defect on; may be repeated.")
@click.option(
    "--auth-secret",
    metavar="TEXT",
    help="Let only clients log in that have a token (JWT, HS256) signed with this secret.",
)
@click.option(
    "--tls",
    is_flag=True,
    help="Speak TLS on both ports. What a client has to trust is tls/ca.pem in the data of the "
    "node: with --data FOLDER, that is FOLDER/single or FOLDER/edge1, ...",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Where messages are kept. [default: a temporary folder, removed at the end]",
)
def run(
    port: int,
    edges: int,
    clock_skew: float,
    plants: tuple[str, ...],
    auth_secret: str | None,
    tls: bool,
    data: Path | None,
) -> int:
    """Run the reference Iris in the foreground on 127.0.0.1, until Ctrl-C.

    What the nodes print is passed on.

    \b
    Examples:
      iris-fuzz target run
      iris-fuzz target run --port 9000 --plant hang
      iris-fuzz target run --edges 2 --auth-secret sesame --clock-skew 5

    Exit codes: 0 ended by Ctrl-C, 2 it did not start, or ended by itself.
    """
    check_clock_skew(clock_skew, edges)
    check_plants(plants, edges, clock_skew)
    options: list[tuple[str, str]] = []
    if plants:
        options.append(("plants", ",".join(plants)))
    if auth_secret is not None:
        options += [("auth_enabled", "true"), ("auth_secret", auth_secret)]
    if tls:
        options.append(("tls", "true"))
    layout = Layout(port, edges, tuple(options), clock_skew)
    return 2 if run_foreground(layout, _pass_on, data) else 0


def _pass_on(line: str) -> None:
    """Print a line of a node; what it says to the harness becomes a sentence."""
    ready = _READY.fullmatch(line)
    if line.startswith(_ERROR):
        click.echo(f"iris-fuzz: {line.removeprefix(_ERROR)}", err=True)
    elif ready is None:
        click.echo(line)
    elif ready["tcp"] == "0":
        click.echo(f"ready: {ready['node']}")
    else:
        click.echo(
            f"ready: {ready['node']} on 127.0.0.1, TCP {ready['tcp']}, WebSocket {ready['ws']}"
            + (", both over TLS" if ready["tls"] == "true" else "")
        )
