"""What of a case as a whole is needed: logins, the order of frames, connections, other steps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from fuzz.case import ALL_USER_TOKENS, Case, Step, StepKind
from fuzz.describe import quoted
from fuzz.triage.generalise_names import unused_user
from fuzz.triage.generalise_survey import Survey, Tally
from fuzz.triage.pattern import FrameRule, Login, Part, Place

_STEP_WORDS = {
    StepKind.RESET: "with the connection cut",
    StepKind.HALF_CLOSE: "with a half-close",
    StepKind.PAUSE: "with a pause",
    StepKind.RESTART: "with a restart of the server",
    StepKind.WAIT: "with the replies awaited",
}

#: Steps that are on no connection.
_NOBODYS = frozenset({StepKind.RESTART})


def logins(survey: Survey, rules: list[FrameRule], parts: list[Part]) -> list[FrameRule]:
    """Return ``rules`` with when each connection must be logged in, if at all."""
    found: dict[int, Login] = {}
    counts: dict[int, int] = {}
    tally, several = survey.tally(), survey.tally()
    for connection in dict.fromkeys(frame.connection for frame in survey.frames):
        frames = [frame for frame in survey.frames if frame.connection == connection]
        needed = frames[-1].user is not None
        free = tally.shows(_without_login(survey, connection, needed))
        kept = Login.NEEDED if needed else Login.REFUSED
        found[connection] = Login.FREE if free else kept
        if not free and frames[-1].logins > 1 and _needs_each(survey, connection, several):
            counts[connection] = frames[-1].logins
    if found and survey.exhausted:
        parts.append(tally.part("login", Place.SETTING))
    elif found:
        kinds = list(dict.fromkeys(found.values()))
        words = kinds[0].value if len(kinds) == 1 else "each client logged in as in the case"
        parts.append(tally.part(words, Place.CONTEXT))
        for count in dict.fromkeys(counts.values()):
            parts.append(several.part(f"with {count} logins on one connection", Place.CONTEXT))
    # Of a connection that logs in between two of its frames, nothing is asked.
    states = {(frame.connection, frame.user is None) for frame in survey.frames}
    asked = {link for link in found if not {(link, True), (link, False)} <= states}
    even = {link for link in counts if len(_counts_on(survey, link)) == 1}
    return [
        replace(
            rule,
            login=found[rule.connection] if rule.connection in asked else rule.login,
            logins=counts[rule.connection] if rule.connection in even else 0,
        )
        for rule in rules
    ]


def _needs_each(survey: Survey, connection: int, tally: Tally) -> bool:
    """Tell whether a connection needs each of the logins that are steps of it."""
    steps = survey.case.steps
    own = [
        number
        for number, step in enumerate(steps)
        if step.kind is StepKind.LOGIN and step.connection == connection
    ]
    without = (Case((*steps[:number], *steps[number + 1 :])) for number in own)
    return len(own) > 1 and not any(tally.shows(case) for case in without)


def _counts_on(survey: Survey, connection: int) -> set[int]:
    return {frame.logins for frame in survey.frames if frame.connection == connection}


def credentials(survey: Survey, parts: list[Part]) -> bool:
    """Say as whom a client must log in where that is not just anybody; tell if it is."""
    anybody = True
    steps = survey.case.steps
    for number, step in enumerate(steps):
        if step.kind is not StepKind.LOGIN or step.data in ALL_USER_TOKENS:
            continue
        tally = survey.tally()
        other = replace(step, data=unused_user(survey.case))
        if tally.shows(Case((*steps[:number], other, *steps[number + 1 :]))):
            continue
        anybody = False
        if survey.exhausted:
            parts.append(tally.part("credentials", Place.SETTING))
        else:
            parts.append(tally.part(f"logged in as {quoted(step.data)}", Place.CONTEXT))
    return anybody


def _without_login(survey: Survey, connection: int, logged_in: bool) -> Case:
    """Return the case in which a connection is not logged in, or is, other than it was."""
    steps = survey.case.steps
    if logged_in:
        return Case(
            tuple(
                step
                for step in steps
                if step.kind is not StepKind.LOGIN or step.connection != connection
            )
        )
    at = next(
        number
        for number, step in enumerate(steps)
        if step.connection == connection and step.kind not in {StepKind.OPEN, *_NOBODYS}
    )
    return Case(
        (*steps[:at], Step(StepKind.LOGIN, connection, unused_user(survey.case)), *steps[at:])
    )


def order(survey: Survey, parts: list[Part]) -> bool:
    """Tell whether the frames must come in their order."""
    tally, frames = survey.tally(), survey.frames
    swaps = [{first: second, second: first} for first, second in pairwise(range(len(frames)))]
    if len(frames) > 2:
        swaps.append({number: len(frames) - 1 - number for number in range(len(frames))})
    for swap in swaps:
        instead = {at: frames[other].data for at, other in swap.items()}
        if any(frames[at].data != data for at, data in instead.items()):
            tally.shows(survey.with_each(instead))
    if not tally.trials:
        return True
    if survey.exhausted:
        parts.append(tally.part("order", Place.SETTING))
        return True
    free = tally.shown == tally.trials
    parts.append(tally.part("in any order" if free else "in this order", Place.CONTEXT))
    return not free


def connections(survey: Survey, parts: list[Part]) -> None:
    """Say that several connections are needed, with the trials of doing without each."""
    numbers = survey.case.connections()
    if len(numbers) < 2:
        return
    tally = survey.tally()
    for number in numbers:
        rest = (s for s in survey.case.steps if s.connection != number or s.kind in _NOBODYS)
        tally.shows(Case(tuple(rest)))
    one = tuple(replace(step, connection=numbers[0]) for step in survey.case.steps)
    tally.shows(Case(one))
    if survey.exhausted:
        parts.append(tally.part("connections", Place.SETTING))
    else:
        parts.append(tally.part(f"on {len(numbers)} connections", Place.CONTEXT))


def steps(survey: Survey, parts: list[Part]) -> tuple[StepKind, ...]:
    """Return the kinds of steps, beside logins and segments, without which it does not fail."""
    needs = []
    steps = survey.case.steps
    for kind, words in _STEP_WORDS.items():
        at = [number for number, step in enumerate(steps) if step.kind is kind]
        tally = survey.tally()
        free = [tally.shows(Case((*steps[:number], *steps[number + 1 :]))) for number in at]
        if at and not all(free):
            needs.append(kind)
            if survey.exhausted:
                parts.append(tally.part("other steps", Place.SETTING))
            else:
                parts.append(tally.part(words, Place.CONTEXT))
    return tuple(needs)
