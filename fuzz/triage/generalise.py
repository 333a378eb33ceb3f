"""Generalising: which of what the minimal case does is needed for it to fail?

Theory of operation. One thing is varied at a time and the judge is asked: another opcode, a
login more or less, a field that is longer, shorter, or says something else, the frames in
another order, cut elsewhere. What still fails is free; where numbers fail from one on, the
exact bound is found by bisection. The answers become a :class:`fuzz.triage.pattern.Pattern`.

A budget bounds it. What could not be tried is left as it is in the minimal case, so that a
pattern never says more than was seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise

from fuzz.case import ALL_USER_TOKENS, Case, Step, StepKind, Transport
from fuzz.clock import Clock, SystemClock
from fuzz.describe import quoted
from fuzz.triage.generalise_fields import conditions_of
from fuzz.triage.generalise_names import unused_user
from fuzz.triage.generalise_survey import Survey
from fuzz.triage.pattern import FrameRule, Login, Part, Pattern, Place
from fuzz.triage.reduce import Budget, Judge, Trials, units
from grammar import MALFORMED_FROM_CLIENT, RESERVED_OPCODE, ClientOpcode, ServerOpcode

#: Opcodes of neither side: what holds for both is taken to hold for all of them.
_UNKNOWN = (0x00, 0x7F)
_OPCODES = (*map(int, ClientOpcode), *sorted(MALFORMED_FROM_CLIENT), *_UNKNOWN)
_CLIENT_NAMES = {int(opcode): opcode.name for opcode in ClientOpcode}
_SERVER_NAMES = {int(opcode): opcode.name for opcode in ServerOpcode}
#: Opcodes that are named one by one in a sentence.
_NAMED = 4
#: Frames up to this many bytes are cut at each place, longer ones in the middle.
_BYTEWISE = 16

_STEP_WORDS = {
    StepKind.RESET: "with the connection cut",
    StepKind.HALF_CLOSE: "with a half-close",
    StepKind.PAUSE: "with a pause",
    StepKind.WAIT: "with the replies awaited",
}


def generalise(
    case: Case,
    judge: Judge,
    budget: Budget | None = None,
    clock: Clock | None = None,
    plays: int = 1,
) -> Pattern:
    """Return what of ``case``, which should be minimal, makes it fail.

    ``plays`` is how often each question is asked for a finding that shows in only some plays.
    """
    survey = Survey(case, Trials(judge, budget or Budget(), clock or SystemClock(), plays))
    if not survey.shows(case):
        nothing = Part("the case did not show its finding again", 1, 0, Place.FRAME)
        return Pattern((), (nothing,), complete=not survey.exhausted)
    parts: list[Part] = []
    rules = [_frame(survey, run, parts) for run in _runs(survey)]
    rules = _logins(survey, rules, parts)
    if not rules:
        logs_in = any(step.kind is StepKind.LOGIN for step in case.steps)
        words = "any client that logs in" if logs_in else "any client that connects"
        parts.insert(0, Part(words, 1, 1, Place.FRAME))
    _credentials(survey, parts)
    ordered = _order(survey, parts)
    _connections(survey, parts)
    rules = _cuts(survey, rules, parts)
    rules = _transports(survey, rules, parts)
    needs = _steps(survey, parts)
    sent = sum(len(frame.data) for frame in survey.frames)
    if sent:
        parts.append(Part(f"{sent} bytes are enough" if sent > 1 else "1 byte is enough", 1, 1))
    pattern = Pattern(tuple(rules), tuple(parts), ordered, needs, not survey.exhausted)
    # A case whose frames cannot be told apart for sure is no base for a filter.
    return pattern if pattern.matches(case) else replace(pattern, frames=())


def _runs(survey: Survey) -> list[list[int]]:
    """Return the numbers of the frames, those together that are the same on a connection."""

    def sort(number: int) -> tuple[int, bytes]:
        return survey.frames[number].connection, survey.frames[number].data

    return [list(run) for _, run in groupby(range(len(survey.frames)), sort)]


def _frame(survey: Survey, run: list[int], parts: list[Part]) -> FrameRule:
    """Return the rule of a frame that is sent once or more, and append what is said of it."""
    frame = survey.frames[run[0]]
    opcodes, unknown = _opcodes(survey, run, parts)
    return FrameRule(
        opcodes,
        tuple(conditions_of(survey, run, parts)),
        unknown=unknown,
        connection=frame.connection,
        times=len(run),
    )


def _opcodes(survey: Survey, run: list[int], parts: list[Part]) -> tuple[tuple[int, ...], bool]:
    """Return the opcodes with which the frame fails, and whether unknown ones do too."""
    frame, tally = survey.frames[run[0]], survey.tally()
    failing = [
        opcode
        for opcode in _OPCODES
        if opcode == frame.opcode
        or tally.shows(survey.with_frames(run, bytes([opcode]) + frame.data[1:]))
    ]
    failing.sort(key=lambda opcode: opcode != frame.opcode)
    if frame.opcode not in failing:
        failing.insert(0, frame.opcode)
    unknown = not survey.exhausted and set(_UNKNOWN) <= set(failing)
    words = _opcode_words(failing, unknown, len(failing) >= len(_OPCODES))
    parts.append(tally.part(_times(survey, run, words), Place.FRAME, run[0]))
    return tuple(failing), unknown


def _times(survey: Survey, run: list[int], words: str) -> str:
    """Return ``words`` with how many of the frame are needed."""
    if len(run) == 1:
        return f"any {words}"
    data = survey.frames[run[0]].data
    more = "" if not survey.shows(survey.with_each({run[0]: data * 2})) else " or more"
    return f"{len(run)}{more} of {words} in a row"


def _opcode_words(opcodes: list[int], unknown: bool, everything: bool) -> str:
    if everything:
        return "frame, whatever its opcode"
    foreign = set(opcodes) >= MALFORMED_FROM_CLIENT
    told = [*(_UNKNOWN if unknown else ()), *(MALFORMED_FROM_CLIENT if foreign else ())]
    names = [_opcode_word(opcode) for opcode in opcodes if opcode not in told]
    names += ["frame that only the server may send"] * foreign
    names += ["frame with an unknown opcode"] * unknown
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} other frames"]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _opcode_word(opcode: int) -> str:
    if opcode in _CLIENT_NAMES:
        return _CLIENT_NAMES[opcode]
    if opcode in _SERVER_NAMES:
        return f"{_SERVER_NAMES[opcode]} (the server's)"
    kind = "reserved" if opcode == RESERVED_OPCODE else "unknown"
    return f"frame with the opcode {opcode:02x} ({kind})"


def _logins(survey: Survey, rules: list[FrameRule], parts: list[Part]) -> list[FrameRule]:
    """Return ``rules`` with when each connection must be logged in, if at all."""
    found: dict[int, Login] = {}
    tally = survey.tally()
    for connection in dict.fromkeys(frame.connection for frame in survey.frames):
        frames = [frame for frame in survey.frames if frame.connection == connection]
        needed = frames[-1].user is not None
        free = tally.shows(_without_login(survey, connection, needed))
        kept = Login.NEEDED if needed else Login.REFUSED
        found[connection] = Login.FREE if free else kept
    if found and not survey.exhausted:
        kinds = list(dict.fromkeys(found.values()))
        words = kinds[0].value if len(kinds) == 1 else "each client logged in as in the case"
        parts.append(tally.part(words, Place.CONTEXT))
    # Of a connection that logs in between two of its frames, nothing is asked.
    states = {(frame.connection, frame.user is None) for frame in survey.frames}
    asked = {link for link in found if not {(link, True), (link, False)} <= states}
    return [
        replace(rule, login=found[rule.connection]) if rule.connection in asked else rule
        for rule in rules
    ]


def _credentials(survey: Survey, parts: list[Part]) -> None:
    """Say as whom a client must log in where that is not just anybody."""
    steps = survey.case.steps
    for number, step in enumerate(steps):
        if step.kind is not StepKind.LOGIN or step.data in ALL_USER_TOKENS:
            continue
        tally = survey.tally()
        anybody = replace(step, data=unused_user(survey.case))
        needed = not tally.shows(Case((*steps[:number], anybody, *steps[number + 1 :])))
        if needed and not survey.exhausted:
            parts.append(tally.part(f"logged in as {quoted(step.data)}", Place.CONTEXT))


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
        if step.connection == connection and step.kind is not StepKind.OPEN
    )
    return Case(
        (*steps[:at], Step(StepKind.LOGIN, connection, unused_user(survey.case)), *steps[at:])
    )


def _order(survey: Survey, parts: list[Part]) -> bool:
    """Tell whether the frames must come in their order."""
    tally = survey.tally()
    for first, second in pairwise(range(len(survey.frames))):
        one, two = survey.frames[first], survey.frames[second]
        if one.data != two.data:
            tally.shows(survey.with_each({first: two.data, second: one.data}))
    if tally.trials and not survey.exhausted:
        free = tally.shown == tally.trials
        parts.append(tally.part("in any order" if free else "in this order", Place.CONTEXT))
        return not free
    return True


def _connections(survey: Survey, parts: list[Part]) -> None:
    """Say that several connections are needed, with the trials of doing without each."""
    numbers = survey.case.connections()
    if len(numbers) < 2:
        return
    tally = survey.tally()
    for number in numbers:
        tally.shows(Case(tuple(s for s in survey.case.steps if s.connection != number)))
    one = tuple(replace(step, connection=numbers[0]) for step in survey.case.steps)
    tally.shows(Case(one))
    parts.append(tally.part(f"on {len(numbers)} connections", Place.CONTEXT))


def _cuts(survey: Survey, rules: list[FrameRule], parts: list[Part]) -> list[FrameRule]:
    """Return ``rules`` with the cuts that are needed, or say that TCP may cut as it likes."""
    cut = [frame for frame in survey.frames if frame.cut]
    tally = survey.tally()
    if cut:
        joined = tally.shows(Case(tuple(_whole(survey.case.steps))))
        if not joined:
            places = [sum(piece[2] for piece in frame.pieces[:1]) for frame in cut]
            said = " and ".join(f"after byte {place}" for place in places)
            parts.append(tally.part(f"cut {said} of the frame", Place.CONTEXT))
        connections = {frame.connection for frame in cut}
        opcodes = {frame.opcode for frame in cut}
        return [
            replace(rule, cut=not joined)
            if rule.connection in connections and rule.opcodes[0] in opcodes
            else rule
            for rule in rules
        ]
    if any(len(frame.data) > 1 for frame in survey.frames):
        free = tally.shows(Case(tuple(_bytewise(survey))))
        if not survey.exhausted:
            words = "however TCP cuts it" if free else "only in one piece"
            parts.append(tally.part(words))
    return rules


def _whole(steps: tuple[Step, ...]) -> list[Step]:
    """Return ``steps`` with the segments joined that follow one another on a connection."""
    joined: list[Step] = []
    for step in steps:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.kind is step.kind is StepKind.SEND
            and last.connection == step.connection
        ):
            joined[-1] = replace(last, data=last.data + step.data)
        else:
            joined.append(step)
    return joined


def _bytewise(survey: Survey) -> Iterator[Step]:
    """Yield the steps with each short segment cut into its bytes, each long one into two.

    A token is not cut: its halves would be a name that nobody has.
    """
    for step in survey.case.steps:
        pieces = units(step.data)
        if step.kind is not StepKind.SEND or len(pieces) < 2:
            yield step
            continue
        width = 1 if len(pieces) <= _BYTEWISE else (len(pieces) + 1) // 2
        for start in range(0, len(pieces), width):
            yield replace(step, data=b"".join(pieces[start : start + width]))


def _transports(survey: Survey, rules: list[FrameRule], parts: list[Part]) -> list[FrameRule]:
    """Return ``rules`` with what must come over WebSocket, or say that either does."""
    if not survey.frames:
        return rules
    steps, tally = survey.case.steps, survey.tally()
    opens = [step for step in steps if step.kind is StepKind.OPEN and step.value]
    if opens:
        tally.shows(Case(tuple(step for step in steps if step not in opens)))
        parts.append(tally.part("over WebSocket", Place.CONTEXT))
        upgraded = {step.connection for step in opens}
        return [replace(rule, websocket=rule.connection in upgraded) for rule in rules]
    upgrades = tuple(
        Step(StepKind.OPEN, connection, value=Transport.WEBSOCKET)
        for connection in survey.case.connections()
    )
    free = tally.shows(Case((*upgrades, *steps)))
    if not survey.exhausted:
        parts.append(tally.part("over TCP and WebSocket alike" if free else "over TCP only"))
    return rules


def _steps(survey: Survey, parts: list[Part]) -> tuple[StepKind, ...]:
    """Return the kinds of steps, beside logins and segments, without which it does not fail."""
    needs = []
    steps = survey.case.steps
    for kind, words in _STEP_WORDS.items():
        at = [number for number, step in enumerate(steps) if step.kind is kind]
        tally = survey.tally()
        free = [tally.shows(Case((*steps[:number], *steps[number + 1 :]))) for number in at]
        if at and not all(free):
            needs.append(kind)
            if not survey.exhausted:
                parts.append(tally.part(words, Place.CONTEXT))
    return tuple(needs)
