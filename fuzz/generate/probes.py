"""What is asked at the end of a dialogue, to see the state that it has left.

"The same state" is what can be asked for: who is there, which keys are handed out, what is
stored for whom, who is in the group. The questions are steps like any others, the same behind
each variant of a dialogue, and their answers are compared as all else is.
"""

from __future__ import annotations

from fuzz.case import GROUP_TOKEN, Step, StepKind
from fuzz.generate.settled import Settled
from grammar import FetchPrekeys, GetStatus, GroupRoster, encode

#: Who asks; no case of ours has this user (see :data:`fuzz.case.USER_TOKENS`).
PROBER = b"<user:p>"

_WAIT = Step(StepKind.WAIT)


def probes(dialogue: Settled) -> tuple[Step, ...]:
    """Return the steps that ask for the state behind ``dialogue``, on connections of their own.

    A user who is still there leaves first, so that nobody is logged in twice, and each user of
    the dialogue comes once more, to collect what is stored.
    """
    asker = dialogue.spare
    statuses = b"".join(encode(GetStatus(user)) for user in dialogue.users)
    keys = b"".join(encode(FetchPrekeys(user)) for user in dialogue.users)
    steps = [
        _WAIT,
        Step(StepKind.LOGIN, asker, PROBER),
        Step(StepKind.SEND, asker, statuses + keys),
    ]
    steps += [
        Step(StepKind.HALF_CLOSE, number)
        for number in dialogue.case.connections()
        if number not in dialogue.left
    ]
    steps.append(Step(StepKind.SEND, asker, statuses))
    for number, user in enumerate(dialogue.users, asker + 1):
        steps += [Step(StepKind.LOGIN, number, user), _WAIT]
        if dialogue.grouped:
            steps.append(Step(StepKind.SEND, number, encode(GroupRoster(GROUP_TOKEN))))
        steps.append(Step(StepKind.HALF_CLOSE, number))
    return (*steps, Step(StepKind.HALF_CLOSE, asker))


def reserved(dialogue: Settled) -> int:
    """Return the first connection number that neither ``dialogue`` nor its probes use."""
    return dialogue.spare + 1 + len(dialogue.users)
