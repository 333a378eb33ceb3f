"""Generalising: which of what the minimal case does is needed for it to fail?

Theory of operation. One thing is varied at a time and the judge is asked: another opcode, a
login more or less, a field that is longer, shorter, or says something else, the frames in
another order, cut elsewhere. What still fails is free; where numbers fail from one on, the
exact bound is found by bisection. The answers become a :class:`fuzz.triage.pattern.Pattern`.

A budget bounds it. What could not be tried is left as it is in the minimal case, and told so,
so that a pattern, and its sentence, never say more than was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from types import MappingProxyType

from fuzz.case import Case, StepKind
from fuzz.clock import Clock, SystemClock
from fuzz.describe import own_framing
from fuzz.triage.generalise_context import connections, credentials, logins, order, steps
from fuzz.triage.generalise_edges import edges
from fuzz.triage.generalise_fields import conditions_of
from fuzz.triage.generalise_survey import Survey
from fuzz.triage.generalise_transport import cuts, transports
from fuzz.triage.pattern import FrameRule, Part, Pattern, Place
from fuzz.triage.reduce import Budget, Judge, Trials
from grammar import MALFORMED_FROM_CLIENT, RESERVED_OPCODE, ClientOpcode, ServerOpcode

#: Opcodes of neither side: what holds for both is taken to hold for all of them.
_UNKNOWN = (0x00, 0x7F)
_OPCODES = (*map(int, ClientOpcode), *sorted(MALFORMED_FROM_CLIENT), *_UNKNOWN)
_CLIENT_NAMES = {int(opcode): opcode.name for opcode in ClientOpcode}
_SERVER_NAMES = {int(opcode): opcode.name for opcode in ServerOpcode}
#: Opcodes that are named one by one in a sentence.
_NAMED = 4


#: Transports that WebSocket can be held against, as they are called. Where all clients come over
#: WebSocket there is nothing to compare.
_STREAMS: Mapping[str, str] = MappingProxyType({"tcp": "TCP", "tls": "TLS"})

#: In a session that the case frames itself, no frame of the protocol can be varied by itself: all
#: the lengths around it, and the mask, would have to follow.
_FRAMED = Part(
    "a WebSocket session that is framed in the case's own bytes, none of which was varied",
    1,
    1,
    Place.FRAME,
)


def generalise(
    case: Case,
    judge: Judge,
    budget: Budget | None = None,
    clock: Clock | None = None,
    plays: int = 1,
    usual: str = "tcp",
    known_edges: int = 1,
) -> Pattern:
    """Return what of ``case``, which should be minimal, makes it fail.

    ``plays`` is how often each question is asked for a finding that shows in only some plays;
    ``usual`` is the transport of connections of which the case says nothing else, ``known_edges``
    how many the target has.
    """
    if own_framing(case):
        return Pattern((), (_FRAMED,))
    survey = Survey(case, Trials(judge, budget or Budget(), clock or SystemClock(), plays))
    if not survey.shows(case):
        nothing = Part("the case did not show its finding again", 1, 0, Place.FRAME)
        return Pattern((), (nothing,), complete=not survey.exhausted)
    parts: list[Part] = []
    runs = _runs(survey)
    rules = [_frame(survey, run, parts) for run in runs]
    rules = logins(survey, rules, parts)
    if not rules:
        logs_in = any(step.kind is StepKind.LOGIN for step in case.steps)
        words = "any client that logs in" if logs_in else "any client that connects"
        parts.insert(0, Part(words, 1, 1, Place.FRAME))
    # Who logs in is nothing that a filter can ask for.
    anybody = credentials(survey, parts)
    ordered = order(survey, parts)
    connections(survey, parts)
    on_edges = edges(survey, parts, known_edges)
    rules = cuts(survey, rules, parts)
    if usual in _STREAMS:
        rules = transports(survey, rules, parts, _STREAMS[usual])
    needs = steps(survey, parts)
    # Last: there are many, and where a play is dear all else tells more.
    subjects: list[Part] = []
    rules = [_opcodes(survey, runs[number], rule, subjects) for number, rule in enumerate(rules)]
    sent = sum(len(frame.data) for frame in survey.frames)
    if sent:
        parts.append(Part(f"{sent} bytes are enough" if sent > 1 else "1 byte is enough", 1, 1))
    told = tuple(_once([*subjects, *parts]))
    pattern = Pattern(tuple(rules), told, ordered, needs, not survey.exhausted, on_edges)
    # A case whose frames cannot be told apart for sure is no base for a filter.
    return pattern if anybody and pattern.matches(case) else replace(pattern, frames=())


def _once(parts: list[Part]) -> list[Part]:
    """Return ``parts`` without those that say the same again; their trials are added up."""
    found: dict[tuple[str, Place, int], Part] = {}
    for part in parts:
        key = (part.text, part.place, part.frame)
        before = found.get(key, replace(part, trials=0, shown=0))
        found[key] = replace(
            part, trials=before.trials + part.trials, shown=before.shown + part.shown
        )
    return list(found.values())


def _runs(survey: Survey) -> list[list[int]]:
    """Return the numbers of the frames, those together that are the same on a connection."""

    def sort(number: int) -> tuple[int, bytes]:
        return survey.frames[number].connection, survey.frames[number].data

    return [list(run) for _, run in groupby(range(len(survey.frames)), sort)]


def _frame(survey: Survey, run: list[int], parts: list[Part]) -> FrameRule:
    """Return the rule of a frame that is sent once or more, and append what is said of it."""
    frame = survey.frames[run[0]]
    return FrameRule(
        (frame.opcode,),
        tuple(conditions_of(survey, run, parts)),
        connection=frame.connection,
        times=len(run),
    )


def _opcodes(survey: Survey, run: list[int], rule: FrameRule, parts: list[Part]) -> FrameRule:
    """Return ``rule`` with all opcodes with which its frame fails."""
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
    return replace(rule, opcodes=tuple(failing), unknown=unknown)


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
