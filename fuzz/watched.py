"""An Iris under watch, for tests that other people write: it runs, and tells what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuzz.case import Case, encode_case
from fuzz.describe import describe_steps
from fuzz.executor.endpoint import CONFIRMING
from fuzz.finding import Finding
from fuzz.observation import Observation
from fuzz.rig import rig_of
from fuzz.settings import TargetSettings
from fuzz.store.crashes import CrashStore
from fuzz.store.sidecar import read_sidecar
from fuzz.watchdog.attribute import Investigator
from fuzz.watchdog.watchdog import Watchdog


class FindingError(AssertionError):
    """A test has shown that the server does something wrong; ``findings`` tell what."""

    def __init__(self, findings: Sequence[Finding], case: Case | None, path: Path | None) -> None:
        self.findings = tuple(findings)
        lines = [f"{f.kind.value} {f.fingerprint}: {f.title}" for f in findings]
        if case is not None:
            lines += [f"  {step}" for step in describe_steps(case)]
        saved = None if path is None else read_sidecar(path)
        if saved is not None:
            lines.append(f"replay it: {saved.replay}")
        super().__init__("\n".join(lines))


class WatchedIris:
    """The Iris that ``settings`` name, under watch; ``start`` it before anything else.

    The cases of findings are kept in ``crashes``, nowhere if that is None. Errors of the harness
    or of the target are :class:`fuzz.errors.IrisFuzzError`.
    """

    def __init__(self, settings: TargetSettings, crashes: Path | None = None) -> None:
        self._settings = settings
        self._rig = rig_of(settings)
        self._judge = Investigator(self._rig, Watchdog(self._rig))
        self._store = None if crashes is None else CrashStore(crashes)
        self._sizes: dict[str, int] = {}

    def start(self) -> None:
        """Bring it up, or raise :class:`fuzz.errors.TargetError`."""
        self._rig.start()

    def stop(self) -> None:
        """End it if it was started here, and let go of it if not."""
        self._rig.stop()

    @property
    def host(self) -> str:
        """Return the address that it listens on."""
        return self._rig.endpoint.host

    @property
    def port(self) -> int:
        """Return its port for raw TCP."""
        return self._rig.endpoint.port

    def play(self, case: Case) -> Observation:
        """Play ``case`` and return what was seen; raise :class:`FindingError` for what is wrong."""
        (observation,) = self._rig.play([case], CONFIRMING)
        self._raise(self._seen([observation]), case)
        return observation

    def check(self) -> None:
        """Raise :class:`FindingError` if anything went wrong since it was asked last."""
        self._raise(self.findings(), None)

    def findings(self) -> tuple[Finding, ...]:
        """Return what went wrong since it was asked last; the target is well afterwards."""
        return self._seen([])

    def _seen(self, observations: Sequence[Observation]) -> tuple[Finding, ...]:
        if self._judge.lost is not None:
            raise self._judge.lost
        return self._judge.judge_seen(observations)

    def _raise(self, findings: Sequence[Finding], case: Case | None) -> None:
        if findings:
            path = None if case is None else self._save(findings[0], case)
            raise FindingError(findings, case, path)

    def _save(self, finding: Finding, case: Case) -> Path | None:
        """Keep the case of a finding; a shorter one takes the place of one from this run."""
        if self._store is None:
            return None
        data, context = encode_case(case), self._rig.context(self._settings)
        size = self._sizes.get(finding.fingerprint)
        if size is not None and len(data) < size:
            saved = self._store.improve(data, finding, context)
        else:
            saved = self._store.save(data, finding, context)
        if saved.new or size is not None:
            self._sizes[finding.fingerprint] = min(len(data), size or len(data))
        self._store.flush()
        return saved.path
