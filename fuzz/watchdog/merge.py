"""Several cases as one, for what they did only together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fuzz.case import (
    ALL_USER_TOKENS,
    MAX_CONNECTIONS,
    MAX_FILE_BYTES,
    MAX_PAUSE_MS,
    MAX_PAUSES_MS,
    MAX_RESTARTS,
    MAX_STEPS,
    Case,
    Step,
    StepKind,
    bind,
    encode_case,
)


def merge(batch: Sequence[Case]) -> Case:
    """Return the cases of ``batch`` one after the other, on connections and as users of their own.

    Cut to the limits of a case: what does not fit is left out, the latest first, and the first
    never.
    """
    steps: list[Step] = []
    base = size = restarts = 0
    strangers = list(ALL_USER_TOKENS)
    for case in batch:
        named = sorted(case.users(), key=ALL_USER_TOKENS.index)
        width = max(step.connection for step in case.steps) + 1
        size += len(encode_case(case))
        restarts += case.restarts()
        if steps and (
            base + width > MAX_CONNECTIONS
            or len(steps) + len(case.steps) > MAX_STEPS
            or len(named) > len(strangers)
            or size > MAX_FILE_BYTES
            or restarts > MAX_RESTARTS
        ):
            break
        users = dict(zip(named, strangers, strict=False))
        del strangers[: len(named)]
        steps += [
            replace(s, connection=base + s.connection, data=bind(s.data, users)) for s in case.steps
        ]
        base += width
    return Case(tuple(steps))


def with_pause(case: Case, seconds: float) -> Case:
    """Return ``case`` with a pause behind it, so that a late effect falls into its own play.

    It is as long as asked for, or as long as the limits of a case allow.
    """
    spent = sum(step.value for step in case.steps if step.kind is StepKind.PAUSE)
    left = min(int(seconds * 1000), MAX_PAUSES_MS - spent)
    steps = list(case.steps)
    while left > 0 and len(steps) < MAX_STEPS:
        part = min(left, MAX_PAUSE_MS)
        steps.append(Step(StepKind.PAUSE, steps[-1].connection, value=part))
        left -= part
    return Case(tuple(steps))
