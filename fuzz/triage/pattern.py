"""A pattern: which frames fail, in the grammar's words, and the same as a filter for cases.

A pattern is a row of :class:`FrameRule`, each with conditions on fields, and the
:class:`Part` sentences that tell it to a person, each with the trials behind it. The filter
is what keeps a campaign from finding one bug over and over, so it is asked of each case:
a case without the bytes of the opcodes is turned away by a look, and only frames with the
right opcode are taken apart.

A filter that goes too far hides other bugs. So what was not tried is part of the pattern as
it is in the minimal case, and a pattern that ordinary seeds match is not fit for a filter
(:meth:`Pattern.usable`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import permutations

from fuzz.case import Case, StepKind
from fuzz.generate.anatomy import anatomy_of
from fuzz.triage.pattern_fields import Condition, field_name, plain_name
from fuzz.triage.pattern_frames import People, Seen, edges_of, frames_of, people_of

#: Steps of a case that a filter asks for where the pattern needs them; all others are so
#: common that they tell nothing.
_TELLING = frozenset({StepKind.RESET, StepKind.HALF_CLOSE, StepKind.PAUSE, StepKind.RESTART})
#: A sentence longer than this is read by nobody: what is too much is counted, and is told by
#: the parts one by one.
_LONGEST = 400
#: Conditions of a frame, and frames, that a sentence tells: as many as fit.
_TOLD = (8, 4, 2, 1)


class Login(StrEnum):
    """When a frame fails, as to the login of its connection."""

    NEEDED = "after login"
    REFUSED = "before login only"
    FREE = "logged in or not"


class Place(StrEnum):
    """Where a part stands in the sentence.

    KEPT and SETTING were not tried to the end: a field, and what is about the case as a whole,
    that are as in the minimal case.
    """

    FRAME = "frame"
    CONDITION = "condition"
    KEPT = "kept"
    CONTEXT = "context"
    SETTING = "setting"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the sentence: ``shown`` of ``trials`` variants that were tried for it showed.

    ``frame`` is the number of the frame that a FRAME, a CONDITION or a KEPT field is about.
    """

    text: str
    trials: int
    shown: int
    place: Place = Place.NOTE
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Cut:
    """Where TCP cuts a frame in two: behind ``least`` to ``most`` (None: any) bytes.

    They are counted from the start of the field or the length at ``span``, which is empty for
    the frame itself.
    """

    span: str = ""
    least: int = 1
    most: int | None = None

    def made(self, frame: Seen, main: int) -> bool:
        """Tell whether ``frame`` is cut so; ``main`` is the opcode whose layout names fields."""
        if len(frame.pieces) != 2:
            return False
        place = frame.pieces[0][2]
        starts = [
            span.offset
            for span in (anatomy_of(frame.data).spans if self.span else ())
            if field_name(span.path, main) == self.span
        ]
        return any(
            self.least <= place - start and (self.most is None or place - start <= self.most)
            for start in (starts if self.span else (0,))
        )


@dataclass(frozen=True, slots=True)
class FrameRule:
    """A frame that a case must send, ``times`` times at the least.

    ``opcodes`` are those that fail, the one of the minimal case first, which names the fields
    in ``conditions``; ``unknown`` tells that opcodes which no client has fail too. Rules with
    the same ``connection`` are met on one connection, all others on different ones.

    ``logins`` are those of its connection before it, where their number matters (0: it does
    not). ``cut`` is where it must be cut, and ``whole`` that it must not be; ``websocket`` is
    None where the transport does not matter.
    """

    opcodes: tuple[int, ...]
    conditions: tuple[Condition, ...] = ()
    unknown: bool = False
    login: Login = Login.FREE
    connection: int = 0
    times: int = 1
    logins: int = 0
    cut: Cut | None = None
    whole: bool = False
    websocket: bool | None = None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which cases fail. No ``frames`` means that no filter could be made of what was found.

    ``needs`` are steps that a case must have; ``complete`` is False when the trials ended
    with their budget: what was not tried is then stated as it is in the minimal case. ``edges``
    of a cluster must be connected to: one and no other, or so many at the least; None where that
    does not matter.
    """

    frames: tuple[FrameRule, ...]
    parts: tuple[Part, ...]
    ordered: bool = True
    needs: tuple[StepKind, ...] = ()
    complete: bool = True
    edges: int | None = None

    def sentence(self) -> str:
        """Return the pattern in one sentence without a full stop."""
        said = self._said(len(self.parts))
        for most in _TOLD:
            if len(said) <= _LONGEST:
                break
            said = self._said(most)
        return said

    def _said(self, most: int) -> str:
        """Return the sentence with so many frames, and conditions of each, at the most."""
        subjects = self._at(Place.FRAME)
        heads = [self._head(subject, most) for subject in subjects[:most]]
        if len(subjects) > most:
            heads.append(f"{len(subjects) - most} more frames")
        joint = ", then " if self.ordered else ", and "
        said = ", ".join([joint.join(heads), *(part.text for part in self._at(Place.CONTEXT))])
        if settings := [part.text for part in self._at(Place.SETTING)]:
            said += f", {_listed(settings)} as in this case"
        notes = [part.text for part in self._at(Place.NOTE)]
        if len(notes) > 2 * most:
            notes = [*notes[: 2 * most], f"{len(notes) - 2 * most} more parts"]
        if not self.complete:
            notes.append("the budget ended before all was tried")
        return "; ".join([said, *notes])

    def _head(self, subject: Part, most: int) -> str:
        """Return what is said of one frame."""
        words = subject.text
        kept = [part.text for part in self._at(Place.KEPT) if part.frame == subject.frame]
        if kept:
            words += f" with its {_listed(kept[:most])} as in this case"
        about = [p.text for p in self._at(Place.CONDITION) if p.frame == subject.frame]
        if len(about) > most:
            about = [*about[:most], f"{len(about) - most} more conditions hold"]
        if about:
            words += f"{' and' if kept else ''} whose {' and '.join(about)}"
        return words

    def to_json(self) -> dict[str, object]:
        """Return the pattern as JSON values."""
        return {
            "sentence": self.sentence(),
            "complete": self.complete,
            "ordered": self.ordered,
            "needs": [kind.name.lower() for kind in self.needs],
            "edges": self.edges,
            "frames": [_plain(rule) for rule in self.frames],
            "parts": [_plain(part) for part in self.parts],
        }

    def _at(self, place: Place) -> list[Part]:
        return [part for part in self.parts if part.place is place]

    def matches(self, case: Case) -> bool:
        """Tell whether ``case`` holds frames that fail."""
        return Sieve((self,)).catch(case) is not None

    def usable(self, seeds: Iterable[Case]) -> bool:
        """Tell whether the pattern may be a filter: it matches none of ``seeds``."""
        return bool(self.frames) and not any(map(self.matches, seeds))

    def may_match(self, sent: bytes, kinds: Set[StepKind]) -> bool:
        """Turn away, by a look at the bytes and the steps of a case, one that cannot match."""
        if not self.frames or any(kind not in kinds for kind in self.needs if kind in _TELLING):
            return False
        return all(
            rule.unknown or any(opcode in sent for opcode in rule.opcodes) for rule in self.frames
        )

    def matched(self, seen: Sequence[Seen], people: People, edges: int = 1) -> bool:
        """Tell whether the frames ``seen`` of a case with ``people`` hold those that fail.

        ``edges`` is how many its clients connect to.
        """
        if self.edges is not None and (edges < self.edges or (self.edges == 1 != edges)):
            return False
        fits = [
            [at for at, frame in enumerate(seen) if _fits(rule, frame, people)]
            for rule in self.frames
        ]
        if not all(fits):
            return False
        wanted = list(dict.fromkeys(rule.connection for rule in self.frames))
        links = dict.fromkeys(seen[at].connection for places in fits for at in places)
        for taken in permutations(links, len(wanted)):
            link_of = dict(zip(wanted, taken, strict=True))
            own = [
                [at for at in places if seen[at].connection == link_of[rule.connection]]
                for rule, places in zip(self.frames, fits, strict=True)
            ]
            if self._met(own):
                return True
        return False

    def _met(self, own: Sequence[Sequence[int]]) -> bool:
        """Tell whether each rule has frames of its own among the places ``own`` that fit it.

        Where the order is free, who has the fewest places chooses first, and the earliest. That
        may miss a way, so that a case is played that need not be; none is held back wrongly.
        """
        order = list(range(len(own)))
        if not self.ordered:
            order.sort(key=lambda number: len(own[number]))
        last, used = -1, set[int]()
        for number in order:
            places = [at for at in own[number] if at > last and at not in used]
            chosen = places[: self.frames[number].times]
            if len(chosen) < self.frames[number].times:
                return False
            if self.ordered:
                last = chosen[-1]
            used.update(chosen)
        return True


class Sieve:
    """Several patterns as one filter: what they share is found once for each case."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)

    def catch(self, case: Case) -> int | None:
        """Return the number of the first pattern that ``case`` matches, None if none does."""
        sent = b"".join(step.data for step in case.steps if step.kind is StepKind.SEND)
        kinds = {step.kind for step in case.steps}
        left = [n for n, pattern in enumerate(self._patterns) if pattern.may_match(sent, kinds)]
        if not left:
            return None
        seen, people, edges = frames_of(case), people_of(case), len(edges_of(case))
        return next((n for n in left if self._patterns[n].matched(seen, people, edges)), None)


def _fits(rule: FrameRule, frame: Seen, people: People) -> bool:
    """Tell whether ``frame`` is one that ``rule`` speaks of."""
    if frame.opcode not in rule.opcodes and not (rule.unknown and frame.unknown):
        return False
    if rule.login is not Login.FREE and (rule.login is Login.NEEDED) != (frame.user is not None):
        return False
    if rule.logins not in (0, frame.logins) or rule.websocket not in (None, frame.websocket):
        return False
    if (rule.whole and frame.cut) or (
        rule.cut is not None and not rule.cut.made(frame, rule.opcodes[0])
    ):
        return False
    if not rule.conditions:
        return True
    anatomy, main = anatomy_of(frame.data), rule.opcodes[0]
    return all(condition.holds(anatomy, main, frame.user, people) for condition in rule.conditions)


def _listed(names: Sequence[str]) -> str:
    """Return ``names`` as a person lists them, each once."""
    once = list(dict.fromkeys(map(plain_name, names)))
    return " and ".join([", ".join(once[:-1]), once[-1]] if len(once) > 1 else once)


def _plain(noun: FrameRule | Part | Condition | Cut) -> dict[str, object]:
    """Return the fields of ``noun``, and of the conditions in it, as JSON has them."""
    values = {field.name: getattr(noun, field.name) for field in fields(noun)}
    if isinstance(noun, FrameRule):
        values["opcodes"] = list(noun.opcodes)
        values["conditions"] = [_plain(condition) for condition in noun.conditions]
        values["cut"] = None if noun.cut is None else _plain(noun.cut)
    return {name: v.value if isinstance(v, StrEnum) else v for name, v in values.items()}
