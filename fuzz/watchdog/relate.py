"""Playing a case and its variants, to hold a server against itself.

Each is played by itself, one after the other: side by side they would be strangers to one
another, which is a relation of its own. What is not heard alike is played some times more, in
pairs, so that its rate is known; and if the case itself is not heard alike each time, then that
is what is told, for no variant can be to blame for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from fuzz.case import Case
from fuzz.evidence import Contrast
from fuzz.executor.endpoint import CONFIRMING
from fuzz.generate.relations import AGAIN, Experiment, Relation, Variant, experiment_of
from fuzz.observation import Observation
from fuzz.oracles.relation import difference
from fuzz.rig import Rig

#: Pairs of plays behind the first that differed: with it, the four that tell half from all.
_REPEATS = 3


@dataclass(slots=True)
class Relater:
    """Asks for relations on one rig; ``plays`` are all that were made."""

    rig: Rig
    plays: list[Observation] = field(default_factory=list)

    def contrasts(self, case: Case, relation: Relation) -> Iterator[Contrast]:
        """Yield the variants of ``case`` by ``relation`` that are not heard like it.

        None where the relation is silent about the case.
        """
        made = experiment_of(case, relation)
        if made is None:
            return
        heard = self._play(made.case)
        for variant in made.variants:
            contrast = self._contrast(made, relation, variant, heard)
            found = difference(contrast)
            if found is not None:
                broken = self._repeated(made, relation, variant, contrast, found.what)
                yield broken
                if broken.relation != relation.name:
                    return

    def _contrast(
        self, made: Experiment, relation: Relation, variant: Variant, heard: Observation
    ) -> Contrast:
        """Play ``variant``, and hold it against what was ``heard``."""
        return Contrast(
            relation.name, relation.claim, variant.how, made.case, variant.case, heard,
            self._play(variant.case), made.compared, variant.apart,
        )  # fmt: skip

    def _repeated(
        self, made: Experiment, relation: Relation, variant: Variant, contrast: Contrast, what: str
    ) -> Contrast:
        """Return how often ``contrast`` shows; or that the case differs from itself."""
        shown = 1
        for _ in range(_REPEATS):
            heard = self._play(made.case)
            if relation is not AGAIN:
                # Twice in a row: what goes in turns would meet the variant in the same one always.
                for once_more in (heard, self._play(made.case)):
                    itself = self._itself(made, contrast, once_more)
                    if itself is not None:
                        return itself
            found = difference(self._contrast(made, relation, variant, heard))
            shown += found is not None and found.what == what
        return replace(contrast, shown=shown, plays=1 + _REPEATS)

    def _itself(
        self, made: Experiment, contrast: Contrast, once_more: Observation
    ) -> Contrast | None:
        """Return how often the case differs from itself; None if ``once_more`` it does not."""
        again = Variant("played again", made.case)
        itself = replace(
            contrast, relation=AGAIN.name, claim=AGAIN.claim, how=again.how, other=again.case,
            heard_other=once_more, apart=again.apart,
        )  # fmt: skip
        found = difference(itself)
        return None if found is None else self._repeated(made, AGAIN, again, itself, found.what)

    def _play(self, case: Case) -> Observation:
        (observation,) = self.rig.play([case], CONFIRMING)
        self.plays.append(observation)
        return observation
