"""``iris-fuzz metrics``: what a run tells Prometheus, and the dashboard that shows it."""

from __future__ import annotations

import json

import click
from rich.text import Text

from fuzz.cli.screen import screen
from fuzz.report.metrics import EXPORTED, dashboard
from fuzz.report.text import say


@click.group()
def metrics() -> None:
    """Metrics of a run for Prometheus and Grafana, and assertions on those of your server.

    `iris-fuzz fuzz --metrics-port 9464` answers Prometheus on http://127.0.0.1:9464/metrics while
    it runs. Only this machine can read it.

    \b
    Examples:
      iris-fuzz fuzz --time 3600 --metrics-port 9464
      iris-fuzz metrics dashboard
      iris-fuzz metrics names

    An assertion is a comparison of two sums over the metrics of your own server, at --metrics-url:

    \b
      iris_errors / iris_messages < 0.001
      iris_sessions{edge="1"} + iris_sessions{edge="2"} <= 10000
      (iris_sent_total - iris_acked_total) / iris_sent_total < 0.5
      beam_processes < 5000

    A name stands for all label sets of a metric together, or for those with the labels in braces.
    A counter (by its TYPE, or the end of its name: _total, _count, _sum, _bucket) is how much it
    has grown since the run began, over restarts of the node; a gauge is what it is now. There are
    numbers, + - * / and brackets, and one of < <= > >= == != between the sides. Nothing divided by
    nothing says neither yes nor no.

    What the agents tell of their nodes can be asserted without a --metrics-url: beam_processes,
    beam_ports, beam_atoms, beam_tables, beam_memory_bytes, each with the label node.

    It is looked at every two seconds and at the end. What does not hold at two looks in a row, or
    at the last one, is a finding of the kind `semantic`, whose file in crashes has the numbers. No
    case shows it, so it does not end a run with --until-finding.
    """


@metrics.command("dashboard", short_help="Print the dashboard for Grafana.")
def print_dashboard() -> int:
    """Print a dashboard for Grafana, as JSON to be imported there.

    \b
    Examples:
      iris-fuzz metrics dashboard >iris-fuzz.json

    Exit codes: 0 always.
    """
    click.echo(dashboard(), nl=False)
    return 0


@metrics.command("names", short_help="List the metrics of a run.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def names(as_json: bool) -> int:
    """List the metrics that `--metrics-port` exports.

    \b
    Examples:
      iris-fuzz metrics names
      iris-fuzz metrics names --json

    Exit codes: 0 always.
    """
    told = [
        {
            "name": one.name,
            "type": "counter" if one.counts else "gauge",
            "labels": list(one.labels),
            "help": one.text,
        }
        for one in EXPORTED
    ]
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return 0
    widest = max(len(one.name) for one in EXPORTED)
    for one in EXPORTED:
        labels = f" By {', '.join(one.labels)}." if one.labels else ""
        say(screen(), [Text(f"{one.name:<{widest}}  {one.text}{labels}")])
    return 0
