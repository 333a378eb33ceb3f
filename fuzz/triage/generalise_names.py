"""Whose name a field must be: one that the server knows, one that it does not, or any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fuzz.case import ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN, Case, Step, StepKind
from fuzz.triage.generalise_survey import Look, Tally
from fuzz.triage.pattern_fields import Aspect, Condition, Relation
from fuzz.triage.pattern_frames import users_of
from grammar import GroupCreate, Role, encode


def is_name(look: Look) -> bool:
    """Tell whether the field may be a name that the server knows, so far as its size goes."""
    return look.field.role is Role.NAME and len(look.content) <= len(unused_user(look.survey.case))


def identity_of(look: Look, tally: Tally) -> list[Condition]:
    """Return whose name a field must be, or must not be; nothing where it is free."""

    def condition(aspect: Aspect, relation: Relation) -> Condition:
        return Condition(look.name, aspect, content=relation.value)

    if not tally.shows(look.filled(unused_user(look.survey.case))):
        relation = _relation(look)
        return [] if relation is None else [condition(Aspect.RELATION, relation)]
    found = [
        condition(Aspect.OTHER, relation)
        for relation, known in _known(look)
        if not tally.shows(known)
    ]
    # A name that is not bound is the same in each play: what leaks with new ones does not.
    if not tally.shows(look.filled(b"zz")):
        found.append(condition(Aspect.RELATION, Relation.NEW))
    return found


def is_given(conditions: Sequence[Condition]) -> bool:
    """Tell whether a field must be one name, so that its size is no matter of its own."""
    return any(
        condition.aspect is Aspect.RELATION and condition.content != Relation.NEW.value
        for condition in conditions
    )


def _relation(look: Look) -> Relation | None:
    if look.content == look.frame.user:
        return Relation.OWN
    if look.content in users_of(look.survey.case):
        return Relation.PEER
    return {GROUP_TOKEN: Relation.GROUP, MSGID_TOKEN: Relation.MESSAGE}.get(look.content)


def _known(look: Look) -> Iterator[tuple[Relation, Case]]:
    """Yield the case with names in the field that the server knows."""
    frame = look.frame
    if frame.user is not None:
        yield Relation.OWN, look.filled(frame.user)
    other = unused_user(look.survey.case)
    connection = max(step.connection for step in look.survey.case.steps) + 1
    login = Step(StepKind.LOGIN, connection, other)
    yield Relation.PEER, Case((login, *look.filled(other).steps))
    if look.name == "group_id" and frame.user is not None:
        at = frame.pieces[0][0]
        made = Step(StepKind.SEND, frame.connection, encode(GroupCreate(b"g")))
        steps = look.filled(GROUP_TOKEN).steps
        wait = Step(StepKind.WAIT, frame.connection)
        yield Relation.GROUP, Case((*steps[:at], made, wait, *steps[at:]))


def unused_user(case: Case) -> bytes:
    """Return a user that nobody in ``case`` is or names."""
    data = b"".join(step.data for step in case.steps)
    return next(token for token in ALL_USER_TOKENS if token not in data)
