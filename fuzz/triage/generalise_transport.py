"""How the frames must travel: where TCP cuts them, and over what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fuzz.case import Case, Step, StepKind, Transport, opening
from fuzz.generate.anatomy import anatomy_of, bounds_of
from fuzz.triage.generalise_survey import Survey, Tally
from fuzz.triage.pattern import Cut, FrameRule, Part, Place
from fuzz.triage.pattern_fields import field_name, plain_name
from fuzz.triage.pattern_frames import Seen
from fuzz.triage.reduce import units

#: So many bytes at the start of a segment are sent one by one, the rest of it at once; and so
#: many places on each side of a cut that is needed are tried.
_BYTEWISE = 16


def cuts(survey: Survey, rules: list[FrameRule], parts: list[Part]) -> list[FrameRule]:
    """Return ``rules`` with the cuts that are needed, or say that TCP may cut as it likes.

    No rules are returned where the cuts are more than a rule can ask for.
    """
    cut = [frame for frame in survey.frames if frame.cut]
    tally = survey.tally()
    if cut:
        if tally.shows(Case(tuple(_whole(survey.case.steps)))):
            parts.append(tally.part("cut or in one piece"))
            return rules
        return _needed(survey, rules, parts, cut, tally)
    if not any(len(frame.data) > 1 for frame in survey.frames):
        return rules
    free = tally.shows(Case(tuple(_bytewise(survey))))
    if survey.exhausted:
        parts.append(tally.part("cuts", Place.SETTING))
    elif not free:
        parts.append(tally.part("seen in one piece only"))
    else:
        long = any(len(units(step.data)) > _BYTEWISE for step in survey.case.steps)
        parts.append(tally.part("cut by TCP as well" if long else "however TCP cuts it"))
    return rules if free else [replace(rule, whole=True) for rule in rules]


def _needed(
    survey: Survey, rules: list[FrameRule], parts: list[Part], cut: list[Seen], tally: Tally
) -> list[FrameRule]:
    """Return ``rules`` with where the frames ``cut`` must be cut."""
    told: dict[tuple[int, int], Cut] = {}
    for frame in cut:
        if len(frame.pieces) != 2:
            continue
        least, most = _places(survey, frame, tally)
        found, words = _cut(frame, least, most)
        told[frame.connection, frame.opcode] = found
        if not survey.exhausted:
            parts.append(tally.part(words, Place.CONTEXT))
    if survey.exhausted or len(told) < len(cut):
        parts.append(tally.part("cuts", Place.SETTING))
    if len(told) < len(cut):
        return []
    return [replace(rule, cut=told.get((rule.connection, rule.opcodes[0]))) for rule in rules]


def _places(survey: Survey, frame: Seen, tally: Tally) -> tuple[int, int]:
    """Return the first and the last of the places around its cut where a frame may be cut."""
    (first, offset, _), (second, _, rest) = frame.pieces
    steps = list(survey.case.steps)
    place = frame.pieces[0][2]

    def holds(place: int) -> bool:
        one = replace(steps[first], data=steps[first].data[:offset] + frame.data[:place])
        two = replace(steps[second], data=frame.data[place:] + steps[second].data[rest:])
        moved = [one if n == first else two if n == second else s for n, s in enumerate(steps)]
        return tally.shows(Case(tuple(moved)))

    lowest = max(1, place - _BYTEWISE)
    highest = min(len(frame.data) - 1, place + _BYTEWISE)
    least, most = _walk(place, lowest, -1, holds), _walk(place, highest, 1, holds)
    # A place that was not reached tells nothing.
    return (place, place) if survey.exhausted else (least, most)


def _walk(place: int, end: int, step: int, holds: Callable[[int], bool]) -> int:
    while place != end and holds(place + step):
        place += step
    return place


def _cut(frame: Seen, least: int, most: int) -> tuple[Cut, str]:
    """Return a cut behind ``least`` to ``most`` bytes of a frame, as of the field it is in."""
    if (least, most) == (1, len(frame.data) - 1):
        return Cut(), "cut anywhere"
    for span in anatomy_of(frame.data).spans:
        end = span.offset + span.length
        if span.offset < least and most < end:
            name = field_name(span.path, frame.opcode)
            words = plain_name(name).replace(".", " ")
            cut = Cut(name, least - span.offset, most - span.offset)
            if (least, most) == (span.offset + 1, end - 1):
                return cut, f"cut within the {words}"
            return cut, f"cut after {_bytes(cut.least, most - span.offset)} of the {words}"
    return Cut("", least, most), f"cut after {_bytes(least, most)} of the frame"


def _bytes(least: int, most: int) -> str:
    return f"byte {least}" if least == most else f"bytes {least} to {most}"


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
    """Yield the steps with each segment cut into its bytes, so far as they are few.

    A token is not cut: its halves would be a name that nobody has.
    """
    for step in survey.case.steps:
        pieces = units(step.data)
        if step.kind is not StepKind.SEND or len(pieces) < 2:
            yield step
            continue
        rest = b"".join(pieces[_BYTEWISE:])
        for data in (*pieces[:_BYTEWISE], *([rest] if rest else ())):
            yield replace(step, data=data)


def transports(
    survey: Survey, rules: list[FrameRule], parts: list[Part], stream: str = "TCP"
) -> list[FrameRule]:
    """Return ``rules`` with what it must come over, or say that TCP and WebSocket are alike.

    ``stream`` is what carries a connection that is no WebSocket.
    """
    if not survey.frames:
        return rules
    steps, tally = survey.case.steps, survey.tally()
    opens = [step for step in steps if step.kind is StepKind.OPEN and step.transport]
    if opens:
        free = tally.shows(Case(tuple(_over_tcp(steps))))
    else:
        free = tally.shows(_framed(survey)) or tally.shows(_upgraded(survey, steps))
    if free:
        parts.append(tally.part(f"over {stream} and WebSocket alike"))
        return rules
    if survey.exhausted:
        parts.append(tally.part("transport", Place.SETTING))
    elif opens:
        parts.append(tally.part("over WebSocket", Place.CONTEXT))
    else:
        parts.append(tally.part(f"seen over {stream} only"))
    upgraded = {step.connection for step in opens}
    return [replace(rule, websocket=rule.connection in upgraded) for rule in rules]


def _over_tcp(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        if step.kind is not StepKind.OPEN or not step.transport:
            yield step
        elif step.edge:
            yield opening(step.connection, edge=step.edge)


def _upgraded(survey: Survey, steps: tuple[Step, ...]) -> Case:
    """Return a case of ``steps`` over WebSocket."""
    edges = {step.connection: step.edge for step in steps if step.kind is StepKind.OPEN}
    upgrades = (
        opening(connection, Transport.WEBSOCKET, edges.get(connection, 0))
        for connection in survey.case.connections()
    )
    return Case((*upgrades, *steps))


def _framed(survey: Survey) -> Case:
    """Return the case over WebSocket, where each frame is a message of its own."""
    steps: list[Step] = []
    for step in survey.case.steps:
        if step.kind is not StepKind.SEND or any(frame.cut for frame in survey.frames):
            steps.append(step)
            continue
        steps += (
            replace(step, data=step.data[offset : offset + length])
            for offset, length, _ in bounds_of(step.data)
        )
    return _upgraded(survey, tuple(steps))
