"""The metrics of a campaign for Prometheus, while it runs: a page on the loopback interface.

What is exported is a table, read off the summary by the thread that takes the events; the thread
that answers Prometheus reads only what that has left. The dashboard beside this module, for
Grafana, shows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from fuzz.errors import SettingsError
from fuzz.report.summary import Summary

_HOST = "127.0.0.1"

Samples = Iterable[tuple[tuple[str, ...], float]]


@dataclass(frozen=True, slots=True)
class Exported:
    """A metric: its ``name``, what it tells, and how its samples are read.

    A sample has a value for each of the ``labels``. The ``name`` of a counter ends in ``_total``.
    """

    name: str
    text: str
    read: Callable[[Summary], Samples]
    labels: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Tell whether it is a counter, and no gauge."""
        return self.name.endswith("_total")

    def family(self, summary: Summary) -> Metric:
        """Return it with its samples of now."""
        make = CounterMetricFamily if self.counts else GaugeMetricFamily
        family = make(self.name, self.text, labels=self.labels)
        for labels, value in self.read(summary):
            family.add_metric(labels, value)
        return family


def _one(value: Callable[[Summary], float]) -> Callable[[Summary], Samples]:
    return lambda summary: [((), value(summary))]


def _findings(summary: Summary) -> Samples:
    kinds = Counter(
        (seen.finding.kind.value, seen.finding.kind.severity.value)
        for seen in summary.findings.values()
    )
    return kinds.items()


def _hits(summary: Summary) -> Samples:
    hits: Counter[tuple[str, ...]] = Counter()
    for seen in summary.findings.values():
        hits[(seen.finding.kind.value,)] += seen.hits
    return hits.items()


def _recoveries(summary: Summary) -> Samples:
    return [((how,), times) for how, times in summary.recoveries.items()]


def _modules(summary: Summary) -> Samples:
    return [((name,), covered) for name, (covered, _) in summary.modules.items()]


def _info(summary: Summary) -> Samples:
    started = summary.started
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
    Exported("iris_fuzz_workers", "Workers that play at once.",
             _one(lambda s: 0 if s.started is None else s.started.workers)),
    Exported("iris_fuzz_target_info", "What is fuzzed, and by what the search is guided.",
             _info, ("target", "guided_by")),
)  # fmt: skip


class CampaignMetrics(Collector):
    """The metrics of a run whose events ``summary`` takes; ``refresh`` them behind each event."""

    def __init__(self, summary: Summary) -> None:
        self._summary = summary
        self._families: tuple[Metric, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """Read all metrics; only the thread that feeds the summary may call it."""
        self._families = tuple(one.family(self._summary) for one in EXPORTED)

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
