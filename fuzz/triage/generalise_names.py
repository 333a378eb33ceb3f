"""Whose name a field must be: one that the server knows, one that it does not, or any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fuzz.case import ALL_USER_TOKENS, GROUP_TOKEN, MSGID_TOKEN, Case, Step, StepKind
from fuzz.triage.generalise_survey import Look, Tally
from fuzz.triage.pattern_fields import Aspect, Condition, Relation, template_of
from fuzz.triage.pattern_frames import people_of
from grammar import ClientOpcode, GroupCreate, Role, encode

#: Frames that make the server deliver a message, whose id is a token's from then on.
_DELIVERING = frozenset(
    {
        ClientOpcode.SEND_MESSAGE,
        ClientOpcode.BATCH_SEND,
        ClientOpcode.SEND_SEQ,
        ClientOpcode.CBOR_MSG,
        ClientOpcode.E2EE_MSG,
        ClientOpcode.GROUP_MSG,
        ClientOpcode.SENDER_KEY_DIST,
    }
)
#: Ids that are bound while playing.
_IDS = (GROUP_TOKEN, MSGID_TOKEN)


def is_name(look: Look) -> bool:
    """Tell whether the field may be a name that the server knows, so far as its size goes."""
    content = look.content
    fits = len(content) <= len(unused_user(look.survey.case)) or content in _IDS
    return look.field.role is Role.NAME and fits


def identity_of(look: Look) -> list[Condition]:
    """Return whose name a field must be, or must not be; nothing where it is free."""
    tally = look.survey.tally()

    def told(aspect: Aspect, relation: Relation) -> Condition:
        return look.told(Condition(look.name, aspect, content=relation.value), tally)

    if not tally.shows(look.filled(unused_user(look.survey.case))):
        if same := _same(look, tally):
            return same
        relation = _relation(look)
        return [] if relation is None else [told(Aspect.RELATION, relation)]
    others = [relation for relation, known in _known(look) if not tally.shows(known)]
    # A name that is not bound is the same in each play: what leaks with new ones does not. It is
    # as long as those that are bound, so that its size tells nothing.
    new = not tally.shows(look.filled(b"z" * len(ALL_USER_TOKENS[0])))
    found = [told(Aspect.OTHER, relation) for relation in others]
    return [*found, told(Aspect.RELATION, Relation.NEW)] if new else found


def is_given(conditions: Sequence[Condition]) -> bool:
    """Tell whether a field must be one name, so that its size is no matter of its own."""
    return any(
        condition.aspect is Aspect.CONTENT
        or (condition.aspect is Aspect.RELATION and condition.content != Relation.NEW.value)
        for condition in conditions
    )


def _same(look: Look, tally: Tally) -> list[Condition]:
    """Return that a field must be the same as one of another frame, whatever that is.

    A filter looks at one frame at a time, so it asks for what the minimal case has.
    """
    twins = look.twins()
    if not twins or not tally.shows(look.together(unused_user(look.survey.case))):
        return []
    condition = Condition(look.name, Aspect.CONTENT, content=template_of(look.content))
    before = [twin for twin in twins if twin.number < look.run[0]]
    # The first of them is told by the others.
    return (
        [look.told(condition, tally, f"{look.name} is {before[-1].words()}")]
        if before
        else [condition]
    )


def _relation(look: Look) -> Relation | None:
    """Return whose name or id the field is, for those that differ from play to play."""
    if look.content == look.frame.user:
        return Relation.OWN
    people = people_of(look.survey.case)
    if look.content in people.users:
        return Relation.FORMER if look.content in people.former else Relation.PEER
    # What nothing in the case gives a value to stays as it is written.
    sent = {frame.opcode for frame in look.survey.frames}
    if look.content == GROUP_TOKEN and ClientOpcode.GROUP_CREATE in sent:
        return Relation.GROUP
    if look.content == MSGID_TOKEN and sent & _DELIVERING:
        return Relation.MESSAGE
    return None


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
