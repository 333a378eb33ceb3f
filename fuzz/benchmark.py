"""The planted benchmark: how soon is each planted defect found, and as the right kind?

A campaign against a defect ends as soon as it has a finding of the right kind, or when its
time is up. Each starts from the shipped seeds with an empty corpus of its own, so that no
campaign gains from the one before. One that must find a cost is asked to maximise it. A *whole*
trial goes on to the end of its time, and tells how many findings one defect gives. The case of a
trial that is to *minimise* is then given the time that ``iris-fuzz tmin`` takes. A defect that no
single case shows by itself is not for a campaign: the check that its entry names is made in the
place of one, and ends in the same way. One of the decoder is for a campaign that calls that.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fuzz import checks
from fuzz.campaign import Campaign
from fuzz.case import Case, read_case
from fuzz.events import Event, Found, Progress, Refined
from fuzz.finding import Finding
from fuzz.rig import Rig, rig_of
from fuzz.scratch import scratch_prefix
from fuzz.settings import FuzzSettings, TargetSettings
from fuzz.store.crashes import CrashStore
from fuzz.target.planted import REFERENCE_DECODER, Planted
from fuzz.triage.dossier import Examiner
from fuzz.triage.reduce import Budget


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one defect.

    ``findings`` are apart by fingerprint, in the order in which they came, each as the worst
    that was seen of it. ``seconds`` and ``cases`` (of a check: its questions) were spent until
    the right one was told, the start of the target not counted. ``case`` is the smallest that
    shows the right one; None where none was found, or nobody asked for it to be small.
    """

    defect: Planted
    findings: tuple[Finding, ...]
    seconds: float
    cases: int
    case: Case | None = None

    @property
    def found(self) -> bool:
        """Tell whether anything was found."""
        return bool(self.findings)

    @property
    def right(self) -> Finding | None:
        """Return the first finding of the kind that the defect must produce."""
        return next((f for f in self.findings if f.kind.value == self.defect.kind), None)

    @property
    def others(self) -> tuple[Finding, ...]:
        """Return the findings that are not the right one."""
        return tuple(finding for finding in self.findings if finding is not self.right)


def shared(trials: Iterable[Trial]) -> dict[str, list[str]]:
    """Return the fingerprints that are those of several defects, with the names of these."""
    names: dict[str, list[str]] = {}
    for trial in trials:
        if trial.right is not None:
            names.setdefault(trial.right.fingerprint, []).append(trial.defect.name)
    return {fingerprint: of for fingerprint, of in names.items() if len(of) > 1}


#: What makes the campaign of one trial; a test puts another in its place.
MakeCampaign = Callable[[FuzzSettings], Campaign]
#: Yields what a check asked, each question with the seconds that were spent by then.
Asking = Generator[tuple[checks.Trial, float], None, None]
#: Makes the check that is to find a defect, for so many seconds, with a seed.
Ask = Callable[[Planted, float, int], Asking]
#: Returns the smallest case that shows a finding of a defect, made of one that does.
Shrink = Callable[[Planted, Case, Finding], Case]
#: For making the case of a trial small, as for ``iris-fuzz tmin``: a node that has to be started
#: anew for each play leaves room for some fifty of them.
_SMALL_SECONDS = 60.0


def shrunk(defect: Planted, case: Case, finding: Finding) -> Case:
    """Make ``case`` small on a target that has ``defect`` and nothing behind it."""
    with _rig_with(defect) as rig:
        return Examiner(rig, Budget(seconds=_SMALL_SECONDS)).minimise(case, finding).case


def _with(defect: Planted, auth: bool = False) -> TargetSettings:
    """Return the settings of a target that has ``defect``, and shows it."""
    return TargetSettings(
        port=0,
        plants=(defect.name,),
        auth=auth,
        edges=defect.edges,
        clock_skew=defect.skew,
    )


@contextmanager
def _rig_with(defect: Planted, auth: bool = False) -> Iterator[Rig]:
    rig = rig_of(_with(defect, auth))
    rig.start()
    try:
        yield rig
    finally:
        rig.stop()


def asked(defect: Planted, seconds: float, seed: int) -> Asking:
    """Make the check that is to find ``defect`` on a target that has it."""
    check = checks.check_named(defect.check)
    with _rig_with(defect, check.auth) as rig:
        begun = rig.clock.now()
        for trial in check.run(checks.ground_of(check, rig, checks.Terms(seconds, seed))):
            yield trial, rig.clock.now() - begun


class Benchmark:
    """Runs trials; :meth:`stop` ends the one that is running, and refuses further ones."""

    def __init__(
        self,
        seeds: Path,
        seconds: float,
        random_seed: int | None = None,
        whole: bool = False,
        minimise: bool = False,
        make_campaign: MakeCampaign = Campaign,
        ask: Ask = asked,
        shrink: Shrink = shrunk,
    ) -> None:
        self._seeds = seeds
        self._seconds = seconds
        self._random_seed = random_seed
        self._whole = whole
        self._minimise = minimise
        self._make_campaign = make_campaign
        self._ask = ask
        self._shrink = shrink
        self._campaign: Campaign | None = None
        self.stopped = False

    def stop(self) -> None:
        """End early."""
        self.stopped = True
        if self._campaign is not None:
            self._campaign.stop()

    def run(self, defect: Planted) -> Trial:
        """Look for ``defect`` once; raise :class:`IrisFuzzError` if that can't be done."""
        trial = self._asked(defect) if defect.check else self._searched(defect)
        if trial.case is None or trial.right is None or self.stopped:
            return trial
        return replace(trial, case=self._shrink(defect, trial.case, trial.right))

    def _asked(self, defect: Planted) -> Trial:
        tally = _Tally(defect, self._minimise)
        seed = secrets.randbits(32) if self._random_seed is None else self._random_seed
        with closing(self._ask(defect, self._seconds, seed)) as asking:
            for question, seconds in asking:
                tally.hear(question, seconds)
                if self.stopped or (tally.done and not self._whole):
                    break
        return tally.trial(None)

    def _searched(self, defect: Planted) -> Trial:
        with tempfile.TemporaryDirectory(prefix=scratch_prefix("planted")) as folder:
            settings = FuzzSettings(
                target=_with(defect),
                corpus=Path(folder),
                seeds=(self._seeds,),
                seconds=self._seconds,
                random_seed=self._random_seed,
                maximise="cost" if defect.kind == "cost" else None,
                decoder=REFERENCE_DECODER if defect.decoder else None,
            )
            self._campaign = self._make_campaign(settings)
            tally = _Tally(defect, self._minimise)
            with closing(self._campaign.events()) as events:
                for event in events:
                    tally.take(event)
                    # What is done about a finding after it was told is of no use here.
                    if tally.done and not self._whole:
                        break
                    if self.stopped:
                        self._campaign.stop()
            self._campaign = None
            return tally.trial(settings.corpus / "crashes")


class _Tally:
    """What was seen of a campaign."""

    def __init__(self, defect: Planted, with_case: bool) -> None:
        self._defect = defect
        self._with_case = with_case
        self._findings: dict[str, Finding] = {}
        self._paths: dict[str, str] = {}
        self._shown: dict[str, Case] = {}
        self._seconds = 0.0
        self._cases = 0
        self._told = False
        #: Whether there is all that was asked for: the finding, and if it is to be made small, a
        #: case that shows it by itself. The campaign tells of that after the finding, if ever.
        self.done = False

    def take(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, Progress) and not self._told:
            self._seconds, self._cases = event.seconds, event.cases
        elif isinstance(event, Found | Refined):
            self._paths[event.finding.fingerprint] = event.path
            self._note(event.finding, event.rate > 0)

    def hear(self, question: checks.Trial, seconds: float) -> None:
        """Take in what a check asked, ``seconds`` after its beginning."""
        if not self._told:
            self._seconds, self._cases = seconds, self._cases + 1
        for finding in question.findings:
            self._note(finding, shown=True)
            known = self._shown.setdefault(finding.fingerprint, question.case)
            if question.case.sent_bytes() < known.sent_bytes():
                self._shown[finding.fingerprint] = question.case

    def _note(self, finding: Finding, shown: bool) -> None:
        known = self._findings.get(finding.fingerprint)
        if known is None or finding.kind.rank < known.kind.rank:
            self._findings[finding.fingerprint] = finding
        if finding.kind.value == self._defect.kind:
            self._told = True
            self.done = self.done or shown or not self._with_case

    def trial(self, crashes: Path | None) -> Trial:
        """Return all of it; the case is read, so that its folder ``crashes`` may go."""
        trial = Trial(self._defect, tuple(self._findings.values()), self._seconds, self._cases)
        if trial.right is None or not self._with_case:
            return trial
        fingerprint = trial.right.fingerprint
        case = self._shown.get(fingerprint) or self._kept(fingerprint, crashes)
        return Trial(trial.defect, trial.findings, trial.seconds, trial.cases, case)

    def _kept(self, fingerprint: str, crashes: Path | None) -> Case:
        """Return the case of a finding: where it was told to be, or what has taken its place.

        A campaign goes on for a moment after a finding was heard of, and may make its case smaller.
        """
        path = Path(self._paths[fingerprint])
        if crashes is not None and not path.exists():
            path = CrashStore(crashes).known()[fingerprint].path
        return read_case(path)
