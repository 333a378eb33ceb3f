"""Whose fault was it? From an alarm after a batch to the case that causes it.

A batch plays many cases at once, and an alarm says only that one of them did harm. The
batch is judged as a whole first: if all that the oracles say is known already, it is
counted, and the campaign goes on. Else each case is played alone, with more patience,
until everything new has a case that shows it. What no case shows alone is tried as all of
them together, and is kept as that even when it does not come back: evidence is never
lost. Three kinds are told only when they come back, since a busy machine makes suspicions of
them: a hang, and on a fresh node a leak and a cost.

A finding is told as soon as a case shows it, and once more when that case was played again on
a fresh node: so many of so many plays. What crashes one process is then tried many times at
once, since a supervisor that restarts too often gives up. What not even all together show, and
what two cases showed that show nothing on a fresh node, may be the late effect of an earlier case,
or of many: that is what :mod:`fuzz.watchdog.backtrack` looks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from fuzz.case import Case
from fuzz.errors import IrisFuzzError, TargetError
from fuzz.evidence import Cost, Evidence, Growth, Pulse
from fuzz.executor.endpoint import CONFIRMING, SEARCHING, Patience
from fuzz.finding import Cause, Finding, Kind
from fuzz.generate.relations import relation_named
from fuzz.observation import Observation
from fuzz.oracles import judge
from fuzz.oracles.decoder import DECODER
from fuzz.oracles.hang import HANG
from fuzz.oracles.laws import judge_laws
from fuzz.oracles.leak import leak_of
from fuzz.oracles.relation import RELATION
from fuzz.rig import Recovery, Rig
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.backtrack import Backtracker
from fuzz.watchdog.decoding import NOTHING, Known, evidence_of
from fuzz.watchdog.merge import merge
from fuzz.watchdog.plainer import Ways, shown_in_another_way, told_in_ways
from fuzz.watchdog.relate import Relater
from fuzz.watchdog.suspicion import (
    RESTARTS,
    SEEN_TWICE,
    answered_in,
    confirmations,
    is_doubtful,
    is_silent,
    most_suspicious_first,
    what_ails,
)
from fuzz.watchdog.watchdog import Glance, Watchdog

#: Kinds that may be the late effect of an earlier case: a timer, or a count that is full.
_MAY_BE_LATE = frozenset({Kind.PROCESS_CRASH, Kind.LISTENER_RESTART, *RESTARTS})
#: One that fell upon so many cases which do not show it on a fresh node was caused by what was
#: played before them. Once may be chance: an id of the server's may do it, and another case shows
#: the same for sure; and to trace a cause takes half a minute.
_FALLS = 2
#: Why a node that is well is restarted.
CHECKS, CONFIRMS = "to check a suspicion", "to confirm a finding"
#: More restarts than supervisors allow: one in five seconds by default, and ten in common use.
_AT_ONCE = 12


class Investigator:
    """Attributes alarms to cases, and leaves a target that is well.

    ``known`` tells whether a finding has been saved before, and as no less bad than now.
    ``recent`` returns the cases that were played last, the latest at the end: those among
    which the cause of a late effect is looked for. Once ``overdue``, no case is looked for any
    more: what was seen is told with all that was played. ``lost`` says why the target could not
    be brought back after a play whose findings were told: each later one would show them again.
    ``smaller`` is as for :class:`fuzz.watchdog.plainer.Ways`.
    """

    def __init__(
        self,
        rig: Rig,
        watchdog: Watchdog,
        known: Callable[[Finding], bool] = lambda _: False,
        recovered: Callable[[Recovery], None] = lambda _: None,
        recent: Callable[[], Sequence[Case]] = tuple,
        overdue: Callable[[], bool] = lambda: False,
        smaller: Callable[[Case, Finding], Case] = lambda case, _: case,
    ) -> None:
        self._rig = rig
        self._watchdog = watchdog
        self._known = known
        self._recovered = recovered
        self._recent = recent
        self._overdue = overdue
        self._backtracked: set[str] = set()
        #: How often each finding fell upon a case that does not show it on a fresh node.
        self._fallen: Counter[str] = Counter()
        self._ways = Ways(self.judge_alone, known, smaller)
        self.replays = 0
        self.lost: TargetError | None = None

    def knows(self, finding: Finding) -> Finding | None:
        """Return what would be counted for ``finding``; None if it is new."""
        told = self._ways.told_as(finding)
        return told if self._known(told) else None

    def investigate(
        self, batch: Sequence[Case], observations: Sequence[Observation], glance: Glance
    ) -> Iterator[Attributed]:
        """Yield what the alarm after ``batch`` comes down to."""
        evidence = self._watchdog.settle(observations, glance.events, cost=glance.cost(batch))
        findings = tuple(map(self._ways.told_as, judge(evidence)))
        sought = {f.fingerprint: f for f in findings if not self._known(f)}
        shown: dict[str, Finding] = {}
        for finding in findings:
            if self._known(finding):
                yield Attributed(finding, None)
        try:
            self.heal(evidence)
            yield from self._attribute(batch, observations, glance, sought, shown)
        except IrisFuzzError:
            # It cannot be brought back, so nothing can be played again: all is told as it is.
            for fingerprint, finding in sought.items():
                if fingerprint not in shown and finding.kind not in SEEN_TWICE:
                    yield Attributed(finding, merge(batch))
            raise

    def _attribute(
        self,
        batch: Sequence[Case],
        observations: Sequence[Observation],
        glance: Glance,
        sought: Mapping[str, Finding],
        shown: dict[str, Finding],
    ) -> Iterator[Attributed]:
        """Yield the cases that show what is ``sought``, or else grows; ``shown`` fills up."""
        grown = self._unknown_growth(glance.grown)
        if not (sought or grown):
            return
        for case, observation in most_suspicious_first(batch, observations):
            if self._overdue():
                break
            # Silence within a short deadline is only a suspicion, and so is all that is not exact.
            wary = is_silent(observation) or not self._rig.exact
            patience = (CONFIRMING,) if wary else (SEARCHING, CONFIRMING)
            _, evidence = self._look(case, patience, grown)
            if evidence is None:
                continue
            new = []
            for finding in map(self._ways.told_as, judge(evidence)):
                shown[finding.fingerprint] = finding
                if self._known(finding):
                    yield Attributed(finding, None)
                    continue
                new.append(finding)
                if not (is_doubtful(finding) or told_in_ways(finding)):
                    yield Attributed(finding, case, 1, 1)
            self.heal(evidence)
            for finding in new:
                yield from self._once_more(case, finding)
                yield from self._at_once(case, finding)
            if sought and shown.keys() >= sought.keys():
                return
        for fingerprint, finding in sought.items():
            missed = fingerprint not in shown and not shown_in_another_way(finding, shown.values())
            if missed and finding.kind not in SEEN_TWICE:
                yield from self._together(batch, finding)

    def _at_once(self, case: Case, finding: Finding) -> Iterator[Attributed]:
        """Yield what ``case``, which crashes one process, does when it comes many times at once.

        A supervisor restarts a child only so often, and then gives up itself: what is a nuisance
        when it happens once may take the application down.
        """
        if finding.kind is not Kind.PROCESS_CRASH or not self._rig.target.restartable:
            return
        if self._overdue():
            return
        many = merge([case] * _AT_ONCE)
        for worse in self.judge_alone(many):
            if worse.fingerprint == finding.fingerprint and not self._known(worse):
                yield Attributed(worse, many, 1, 1)
                yield self.confirm(many, worse)

    def investigate_growth(self, case: Case, what: str) -> Iterator[Attributed]:
        """Yield what leaks when ``case`` is played, if that is new; ``what`` is suspected to.

        A fresh node, where there is one, waits for timers in our place, and tells of all that
        grows what explains the rest. Most suspicions do not get that far.
        """
        findings: Sequence[Finding]
        if self._rig.target.restartable:
            suspicions = self.judge_growth(case, (what,), hasty=True)
            if all(map(self._known, suspicions)):
                return
            self._renew(CHECKS)
            findings = self.judge_growth(case)
            if not findings:
                yield from (Attributed(one, case, 0, 1, True, dismissed=True) for one in suspicions)
        else:
            findings = self.judge_growth(case)
        for finding in findings:
            if self._known(finding):
                continue
            if not (is_doubtful(finding) or told_in_ways(finding)):
                yield Attributed(finding, case, 1, 1)  # it broke while that was looked at
            yield from self._once_more(case, finding)

    def _once_more(self, case: Case, finding: Finding) -> Iterator[Attributed]:
        """Yield how surely ``case`` shows ``finding`` on a fresh node.

        What is doubtful (:func:`fuzz.watchdog.suspicion.is_doubtful`) is told only now, and only
        if it is there as well. What may be told in several ways is told in the plainest.
        """
        if told_in_ways(finding):
            plain = yield from self._ways.settled(case, finding)
            if plain is None:
                return
            case, finding = plain
        confirmed = self.confirm(case, finding)
        if is_doubtful(finding):
            if confirmed.reproduced == 0:
                yield replace(confirmed, dismissed=True)
                return
            yield Attributed(finding, case, 1, 1)
        yield confirmed
        if confirmed.reproduced == 0 and finding.kind in _MAY_BE_LATE:
            self._fallen[finding.fingerprint] += 1
            if self._fallen[finding.fingerprint] >= _FALLS:
                yield from self._traced(finding)

    def confirm(self, case: Case, finding: Finding) -> Attributed:
        """Play ``case`` again on a fresh node: how surely does it show ``finding``?

        On a target that is not ours to restart, it is played as the target is.
        """
        if self._rig.target.restartable:
            self._renew(CHECKS if is_doubtful(finding) else CONFIRMS)
        plays = confirmations(finding.kind)
        began = self._rig.clock.now()
        again = [self.judge_again(case, finding) for _ in range(plays)]
        seconds = self._rig.clock.now() - began
        return Attributed(finding, case, sum(again), plays, confirms=True, seconds=seconds)

    def _renew(self, why: str) -> None:
        self._recovered(replace(self._rig.recover(fresh_node=True), why=why))
        self._watchdog.forget_levels()

    def judge_again(self, case: Case, finding: Finding) -> bool:
        """Play ``case`` in the way that shows ``finding``, and tell whether it did."""
        if finding.kind is Kind.LEAK:
            again = self.judge_growth(case, (finding.cause.reason,))
        else:
            again = self.judge_as(case, finding.cause, finding.evidence)
        return finding.fingerprint in {found.fingerprint for found in again}

    def judge_as(
        self, case: Case, cause: Cause, known: Known = NOTHING, brief: bool = False
    ) -> tuple[Finding, ...]:
        """Play ``case`` as it takes to see ``cause``, of which ``known`` is the evidence.

        ``brief`` waits less for a process that is known to get stuck: that it is stuck shows in
        two looks at it, and not in how long it has been so.
        """
        if cause.what == DECODER:
            evidence = evidence_of(self._rig, case, cause, known)
            return judge(evidence) if evidence.node_exit is None else self.weigh(evidence)
        if cause.what != RELATION:
            return self.judge_alone(case, brief=brief and cause.what == HANG and bool(cause.origin))
        self.replays += 1
        relater = Relater(self._rig)
        contrasts = tuple(relater.contrasts(case, relation_named(cause.reason.partition(":")[0])))
        # What broke, or broke a law, has made the difference too.
        return self.judge_seen(relater.plays) or judge(Evidence(contrasts=contrasts))

    def judge_alone(self, case: Case, brief: bool = False) -> tuple[Finding, ...]:
        """Play ``case`` once, with all patience unless ``brief``; return what the oracles say."""
        return self.witness(case, brief)[1]

    def witness(self, case: Case, brief: bool = False) -> tuple[Observation, tuple[Finding, ...]]:
        """Play ``case`` once, as :meth:`judge_alone`; return what was seen, and what that shows."""
        observation, evidence = self._look(case, (SEARCHING if brief else CONFIRMING,))
        return observation, () if evidence is None else self.weigh(evidence)

    def judge_seen(self, observations: Sequence[Observation] = ()) -> tuple[Finding, ...]:
        """Return what the oracles say of what has happened by now, ``observations`` included.

        Nothing is played: this is for traffic that others have made.
        """
        glance = self._watchdog.glance(observations)
        if not (glance.alarmed or any(map(judge_laws, observations))):
            return ()
        evidence = self._watchdog.settle(observations, glance.events)
        findings = judge(evidence)
        self._heal_after(evidence, findings)
        return findings

    def judge_growth(
        self, case: Case, what: Sequence[str] | None = None, hasty: bool = False
    ) -> tuple[Finding, ...]:
        """Play ``case`` many times and return what leaks of ``what``, of all resources if None.

        ``hasty`` returns all that may leak, with what hangs on it.
        """
        growth, reports = self._watchdog.confirm_growth(case, what, hasty)
        return self.weigh(self._watchdog.settle((), reports, growth))

    def weigh(self, evidence: Evidence) -> tuple[Finding, ...]:
        """Return what the oracles say of ``evidence``, and leave a target that is well."""
        findings = judge(evidence)
        self._heal_after(evidence, findings)
        return findings

    def _heal_after(self, evidence: Evidence, findings: Sequence[Finding]) -> None:
        try:
            self.heal(evidence)
        except TargetError as error:
            # What was seen is told; that the target is gone shows with whatever comes next.
            if not findings:
                raise
            self.lost = error

    def heal(self, evidence: Evidence) -> None:
        """Bring the target back if ``evidence`` shows that it is not well."""
        stuck = bool(evidence.suspects) or any(map(is_silent, evidence.observations))
        gone = evidence.node_exit is not None or evidence.node_silent or evidence.node_restarted
        if gone or evidence.pulse is not Pulse.WELL or evidence.applications_lost or stuck:
            recovery = self._rig.revive() or self._rig.recover(fresh_node=gone)
            self._recovered(replace(recovery, why=f"for {what_ails(evidence)}"))
        elif evidence.bystanders_cut:
            try:
                self._rig.reseat()
            except TargetError:
                recovery = self._rig.recover()
                self._recovered(replace(recovery, why=f"for {what_ails(evidence)}"))
        else:
            return
        self._watchdog.forget_levels()

    def _look(
        self, case: Case, patience: Sequence[Patience], grown: Sequence[str] = ()
    ) -> tuple[Observation, Evidence | None]:
        """Play ``case`` once; return that, and all that was seen if anything is out of order.

        Where it is silent, it is played again with the next ``patience``.
        """
        self.replays += 1
        self._watchdog.rebase()
        for each in patience:
            observations = self._rig.play([case], each)
            if not is_silent(observations[0]):
                break
        glance = self._watchdog.glance(observations)
        growth: tuple[Growth, ...] = ()
        seconds = answered_in(case, observations[0])
        # What a restart costs is not asked of the case.
        spent = 0 if case.restarts() else glance.reductions
        cost = Cost(spent, case.sent_bytes(), where=glance.hottest, seconds=seconds)
        well = not (glance.alarmed or cost.excessive() or any(map(judge_laws, observations)))
        # Whoever is connected may be served while nobody new is.
        if well and self._rig.pulse(SEARCHING.reply) is Pulse.WELL:
            suspected = [what for what in glance.grown if what in grown]
            if not suspected:
                return observations[0], None
            growth, reports = self._watchdog.confirm_growth(case, suspected)
            events = (*glance.events, *reports)
            return observations[0], self._watchdog.settle(observations, events, growth)
        return observations[0], self._watchdog.settle(observations, glance.events, growth, cost)

    def _together(self, batch: Sequence[Case], finding: Finding) -> Iterator[Attributed]:
        """Yield all of ``batch`` as one case, and the earlier cases where it shows nothing."""
        case = merge(batch)
        if self._overdue():
            yield Attributed(finding, case)
            return
        shown = self.judge_again(case, finding)
        yield Attributed(finding, case, int(shown), 1)
        if shown:
            yield self.confirm(case, finding)
        else:
            yield from self._traced(finding)

    def _traced(self, finding: Finding) -> Iterator[Attributed]:
        """Yield the earlier cases that have ``finding`` as a late effect; looked for only once."""
        if finding.fingerprint in self._backtracked or self._overdue():
            return
        self._backtracked.add(finding.fingerprint)
        tracker = Backtracker(self._rig, self._watchdog, self._bring_back, self._overdue)
        found = tracker.trace(self._recent(), finding.fingerprint)
        self.replays += tracker.plays
        if found is not None:
            yield self.confirm(found, finding)

    def _bring_back(self) -> None:
        self._recovered(replace(self._rig.recover(), why="to look for a cause"))
        self._watchdog.forget_levels()

    def _unknown_growth(self, grown: Sequence[str]) -> tuple[str, ...]:
        return tuple(what for what in grown if not self._known(leak_of(what)))
