"""The metrics of a campaign for Prometheus, while it runs: a page on the loopback interface.

What is exported is a table, read off the summary by the thread that takes the events; the thread
that answers Prometheus reads only what that has left. The dashboard beside this module, for
Grafana, shows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import resources

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fuzz.errors import SettingsError
from fuzz.events import Event, Gauged
from fuzz.node import QuickVitals
from fuzz.report.summary import Summary

_HOST = "127.0.0.1"

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class View:
    """What is exported of: the summary of a run, and what the agents told last, by node."""

    summary: Summary
    levels: Mapping[str, QuickVitals] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exported:
    """A metric: its ``name``, what it tells, and how its samples are read.

    A sample has a value for each of the ``labels``. The ``name`` of a counter ends in ``_total``.
    """

    name: str
    text: str
    read: Callable[[View], Samples]
    labels: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Tell whether it is a counter, and no gauge."""
        return self.name.endswith("_total")

    def family(self, view: View) -> Metric:
        """Return it with its samples of now."""
        make = CounterMetricFamily if self.counts else GaugeMetricFamily
        family = make(self.name, self.text, labels=self.labels)
        for labels, value in self.read(view):
            family.add_metric(labels, value)
        return family


def _one(value: Callable[[Summary], float]) -> Callable[[View], Samples]:
    return lambda view: [((), value(view.summary))]


def _each(value: Callable[[QuickVitals], float]) -> Callable[[View], Samples]:
    return lambda view: [((node,), value(vitals)) for node, vitals in view.levels.items()]


def _findings(view: View) -> Samples:
    kinds = Counter(
        (seen.finding.kind.value, seen.finding.kind.severity.value)
        for seen in view.summary.findings.values()
    )
    return kinds.items()


def _hits(view: View) -> Samples:
    hits: Counter[tuple[str, ...]] = Counter()
    for seen in view.summary.findings.values():
        hits[(seen.finding.kind.value,)] += seen.hits
    return hits.items()


def _recoveries(view: View) -> Samples:
    return [((how,), times) for how, times in view.summary.recoveries.items()]


def _modules(view: View) -> Samples:
    return [((name,), covered) for name, (covered, _) in view.summary.modules.items()]


def _info(view: View) -> Samples:
    started = view.summary.started
    return [] if started is None else [((started.target, started.guided_by), 1.0)]


EXPORTED = (
    Exported("iris_fuzz_cases_total", "Cases that were played and judged.",
             _one(lambda s: s.progress.cases)),
    Exported("iris_fuzz_replays_total", "Cases played alone, to see what each one does.",
             _one(lambda s: s.progress.replays)),
    Exported("iris_fuzz_cases_per_second", "Judged cases in a second, over the last few seconds.",
             _one(lambda s: s.recent_rate())),
    Exported("iris_fuzz_run_seconds", "How long the run has taken.",
             _one(lambda s: s.progress.seconds)),
    Exported("iris_fuzz_coverage_points_covered", "Coverage points that were hit.",
             _one(lambda s: s.progress.points_covered)),
    Exported("iris_fuzz_coverage_points_known", "Coverage points that there are.",
             _one(lambda s: s.progress.points_total)),
    Exported("iris_fuzz_module_points_covered", "Points hit of a module, once a run has ended.",
             _modules, ("module",)),
    Exported("iris_fuzz_corpus_cases", "Cases that reached something new.",
             _one(lambda s: s.progress.corpus)),
    Exported("iris_fuzz_findings", "Findings, each fingerprint once.",
             _findings, ("kind", "severity")),
    Exported("iris_fuzz_finding_hits_total", "How often findings came up.", _hits, ("kind",)),
    Exported("iris_fuzz_dismissed_total", "Suspicions that no fresh node shared.",
             _one(lambda s: s.dismissed.total())),
    Exported("iris_fuzz_restarts_total", "How often the target was brought back.",
             _one(lambda s: s.restarts()[0])),
    Exported("iris_fuzz_recovering_seconds_total", "How long it took to bring the target back.",
             _one(lambda s: s.restarts()[1])),
    Exported("iris_fuzz_recoveries_total", "How often the target was brought back, by the means.",
             _recoveries, ("how",)),
    Exported("iris_fuzz_node_processes", "Processes of a node.",
             _each(lambda v: v.processes), ("node",)),
    Exported("iris_fuzz_node_ports", "Ports (sockets, files) of a node.",
             _each(lambda v: v.ports), ("node",)),
    Exported("iris_fuzz_node_atoms", "Atoms of a node, which never go away.",
             _each(lambda v: v.atoms), ("node",)),
    Exported("iris_fuzz_node_tables", "ETS tables of a node.",
             _each(lambda v: v.tables), ("node",)),
    Exported("iris_fuzz_node_memory_bytes", "Memory that a node has allocated.",
             _each(lambda v: v.memory), ("node",)),
    Exported("iris_fuzz_node_reductions_total", "Work of a node since it was started.",
             _each(lambda v: v.reductions), ("node",)),
    Exported("iris_fuzz_workers", "Workers that play at once.",
             _one(lambda s: 0 if s.started is None else s.started.workers)),
    Exported("iris_fuzz_target_info", "What is fuzzed, and by what the search is guided.",
             _info, ("target", "guided_by")),
)  # fmt: skip


class CampaignMetrics(Collector):
    """The metrics of a run; it is to ``take`` each event when the ``summary`` has taken it."""

    def __init__(self, summary: Summary) -> None:
        self._view = View(summary)
        self._families: tuple[Metric, ...] = ()
        self._read()

    def take(self, event: Event) -> None:
        """Read all metrics anew; only the thread that feeds the summary may call it."""
        if isinstance(event, Gauged):
            self._view = replace(self._view, levels=event.levels)
        self._read()

    def _read(self) -> None:
        self._families = tuple(one.family(self._view) for one in EXPORTED)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics as they were read last."""
        yield from self._families


@contextmanager
def served(metrics: Collector, port: int) -> Iterator[str]:
    """Answer Prometheus on ``port`` (0: one that is free) while the context lasts; give the URL.

    Raises :class:`SettingsError` if the port cannot be used.
    """
    registry = CollectorRegistry()
    registry.register(metrics)
    try:
        server, thread = start_http_server(port, addr=_HOST, registry=registry)
    except OSError as error:
        raise SettingsError(
            f"metrics cannot be served on port {port}: {error.strerror}; name another port with "
            "--metrics-port, or 0 for one that is free"
        ) from None
    try:
        yield f"http://{_HOST}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def dashboard() -> str:
    """Return the dashboard for Grafana, as JSON text."""
    return resources.files("fuzz.report").joinpath("grafana.json").read_text("utf-8")
