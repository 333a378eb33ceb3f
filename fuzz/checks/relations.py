"""The check of metamorphic relations: a server is held against itself, and no model is needed.

The cases are the shipped seeds and dialogues that are made up, as far as they are settled (see
:mod:`fuzz.generate.settled`); each is asked for each relation. A finding is saved with the
dialogue alone: whoever replays it derives the variants again, by the name of the relation.

Where no agent is in the node, a bystander's round trip is all that parts two segments, and what one
client causes for another may still be under way: what differs by that has a low rate, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from fuzz.case import Case, StepKind
from fuzz.checks.base import Check, Ground, Trial
from fuzz.finding import Cause
from fuzz.generate.dialogues import make_up
from fuzz.generate.dictionary import iris_dictionary
from fuzz.generate.draft import Draft
from fuzz.generate.relations import RELATIONS, Relation, experiment_of
from fuzz.generate.seeds import SEEDS
from fuzz.oracles.relation import RELATION

#: Bytes of a dialogue at most; none of the fields that are made up comes near it.
_MOST_BYTES = 65_536


def _run(ground: Ground) -> Iterator[Trial]:
    made = (("a dialogue", case) for case in _made_up(ground))
    for name, case in chain(SEEDS.items(), made):
        for relation in RELATIONS:
            if ground.deadline.expired():
                return
            if experiment_of(case, relation) is not None:
                yield from _asked(ground, f"{relation.name}: {name}", case, relation)


def _asked(ground: Ground, name: str, case: Case, relation: Relation) -> Iterator[Trial]:
    """Yield what ``relation`` says of ``case``.

    Where a play has shown another finding, the variant that does is asked for by itself: the
    dialogue alone would not show it again.
    """
    asked = ground.ask(name, case, Cause(RELATION, relation.name))
    made = experiment_of(case, relation)
    if made is None or all(found.cause.what == RELATION for found in asked.findings):
        yield asked
        return
    shown: set[str] = set()
    for played in (made.case, *(variant.case for variant in made.variants)):
        alone = ground.ask(name, played)
        shown |= {found.fingerprint for found in alone.findings}
        yield alone
    unseen = tuple(found for found in asked.findings if found.fingerprint not in shown)
    if unseen:
        yield Trial(name, case, unseen)


def _made_up(ground: Ground) -> Iterator[Case]:
    """Yield dialogues without end; whoever leaves does so in order."""
    words = iris_dictionary()
    while True:
        draft = Draft([], ground.random, lambda data, _most: data, words, _MOST_BYTES)
        make_up(draft)
        yield Case(
            tuple(
                replace(step, kind=StepKind.HALF_CLOSE) if step.kind is StepKind.RESET else step
                for step in draft.steps
            )
        )


RELATIONS_CHECK = Check(
    "relations", "what must make no difference: cuts, unknown users, strangers, a second play", _run
)
