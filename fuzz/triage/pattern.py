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

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from fuzz.case import Case, StepKind
from fuzz.errors import StoreError
from fuzz.generate.anatomy import anatomy_of
from fuzz.triage.pattern_fields import Aspect, Condition, Relation
from fuzz.triage.pattern_frames import Seen, frames_of, users_of

#: Steps of a case that a filter asks for where the pattern needs them; all others are so
#: common that they tell nothing.
_TELLING = frozenset({StepKind.RESET, StepKind.HALF_CLOSE, StepKind.PAUSE})


class Login(StrEnum):
    """When a frame fails, as to the login of its connection."""

    NEEDED = "after login"
    REFUSED = "before login only"
    FREE = "logged in or not"


class Place(StrEnum):
    """Where a part stands in the sentence."""

    FRAME = "frame"
    CONDITION = "condition"
    CONTEXT = "context"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the sentence: ``shown`` of ``trials`` variants that were tried for it showed.

    ``frame`` is the number of the frame that a FRAME or a CONDITION is about.
    """

    text: str
    trials: int
    shown: int
    place: Place = Place.NOTE
    frame: int = 0


@dataclass(frozen=True, slots=True)
class FrameRule:
    """A frame that a case must send, ``times`` times at the least.

    ``opcodes`` are those that fail, the one of the minimal case first, which names the fields
    in ``conditions``; ``unknown`` tells that opcodes which no client has fail too. Rules with
    the same ``connection`` are met on one connection, all others on different ones.
    """

    opcodes: tuple[int, ...]
    conditions: tuple[Condition, ...] = ()
    unknown: bool = False
    login: Login = Login.FREE
    connection: int = 0
    times: int = 1
    cut: bool = False
    websocket: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which cases fail. No ``frames`` means that no filter could be made of what was found.

    ``needs`` are steps that a case must have; ``complete`` is False when the trials ended
    with their budget: what was not tried is then stated as it is in the minimal case.
    """

    frames: tuple[FrameRule, ...]
    parts: tuple[Part, ...]
    ordered: bool = True
    needs: tuple[StepKind, ...] = ()
    complete: bool = True

    def sentence(self) -> str:
        """Return the pattern in one sentence without a full stop."""
        heads = []
        for subject in self._at(Place.FRAME):
            about = [p.text for p in self._at(Place.CONDITION) if p.frame == subject.frame]
            heads.append(subject.text + (f" whose {' and '.join(about)}" if about else ""))
        joint = ", then " if self.ordered else ", and "
        said = ", ".join([joint.join(heads), *(part.text for part in self._at(Place.CONTEXT))])
        notes = [part.text for part in self._at(Place.NOTE)]
        if not self.complete:
            notes.append("the budget ended before all was tried")
        return "; ".join([said, *notes])

    def to_json(self) -> dict[str, object]:
        """Return the pattern as JSON values; :meth:`from_json` reads them again."""
        return {
            "sentence": self.sentence(),
            "complete": self.complete,
            "ordered": self.ordered,
            "needs": [kind.name.lower() for kind in self.needs],
            "frames": [_plain(rule) for rule in self.frames],
            "parts": [_plain(part) for part in self.parts],
        }

    @classmethod
    def from_json(cls, document: object) -> Pattern:
        """Return the pattern in JSON values; raise :class:`StoreError` if there is none."""
        try:
            return _read(document)
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"holds a pattern that cannot be read: {error!r}") from None

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

    def matched(self, seen: Sequence[Seen], users: frozenset[bytes]) -> bool:
        """Tell whether the frames ``seen`` of a case with ``users`` hold those that fail."""
        fits = [
            [at for at, frame in enumerate(seen) if _fits(rule, frame, users)]
            for rule in self.frames
        ]
        return all(fits) and self._assigned(seen, fits, 0, -1, {})

    def _assigned(
        self,
        seen: Sequence[Seen],
        fits: Sequence[Sequence[int]],
        number: int,
        last: int,
        links: Mapping[int, int],
    ) -> bool:
        """Tell whether the rules from ``number`` on can be met behind the frame ``last``.

        ``links`` are the connections that rules have taken. On a given one, the earliest
        frames that fit are as good as any, so that only connections are tried in turn.
        """
        if number == len(self.frames):
            return True
        rule = self.frames[number]
        taken = links.get(rule.connection)
        places = [at for at in fits[number] if at > last or not self.ordered]
        here = dict.fromkeys(seen[at].connection for at in places)
        free = [link for link in here if link not in links.values()]
        for link in free if taken is None else [taken]:
            own = [at for at in places if seen[at].connection == link]
            if len(own) >= rule.times and self._assigned(
                seen, fits, number + 1, own[rule.times - 1], {**links, rule.connection: link}
            ):
                return True
        return False


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
        seen, users = frames_of(case), users_of(case)
        return next((n for n in left if self._patterns[n].matched(seen, users)), None)


def _fits(rule: FrameRule, frame: Seen, users: frozenset[bytes]) -> bool:
    """Tell whether ``frame`` is one that ``rule`` speaks of."""
    if frame.opcode not in rule.opcodes and not (rule.unknown and frame.unknown):
        return False
    if rule.login is not Login.FREE and (rule.login is Login.NEEDED) != (frame.user is not None):
        return False
    if (rule.cut and not frame.cut) or (rule.websocket and not frame.websocket):
        return False
    if not rule.conditions:
        return True
    anatomy, main = anatomy_of(frame.data), rule.opcodes[0]
    return all(condition.holds(anatomy, main, frame.user, users) for condition in rule.conditions)


def _plain(noun: FrameRule | Part | Condition) -> dict[str, object]:
    """Return the fields of ``noun``, and of the conditions in it, as JSON has them."""
    values = {field.name: getattr(noun, field.name) for field in fields(noun)}
    if isinstance(noun, FrameRule):
        values["opcodes"] = list(noun.opcodes)
        values["conditions"] = [_plain(condition) for condition in noun.conditions]
    return {name: v.value if isinstance(v, StrEnum) else v for name, v in values.items()}


def _read(document: object) -> Pattern:
    if not isinstance(document, dict):
        raise TypeError("it is no object")
    return Pattern(
        frames=tuple(map(_read_rule, document["frames"])),
        parts=tuple(_read_part(part) for part in document["parts"]),
        ordered=bool(document["ordered"]),
        needs=tuple(StepKind[name.upper()] for name in document["needs"]),
        complete=bool(document["complete"]),
    )


def _read_part(part: Mapping[str, Any]) -> Part:
    return Part(
        str(part["text"]),
        int(part["trials"]),
        int(part["shown"]),
        Place(part["place"]),
        int(part["frame"]),
    )


def _read_rule(rule: Mapping[str, Any]) -> FrameRule:
    opcodes = tuple(map(int, rule["opcodes"]))
    if not all(0 <= opcode < 256 for opcode in opcodes) or int(rule["times"]) < 1:
        raise ValueError("a frame of it cannot be")
    return FrameRule(
        opcodes=opcodes,
        conditions=tuple(map(_read_condition, rule["conditions"])),
        unknown=bool(rule["unknown"]),
        login=Login(rule["login"]),
        connection=int(rule["connection"]),
        times=int(rule["times"]),
        cut=bool(rule["cut"]),
        websocket=bool(rule["websocket"]),
    )


def _read_condition(condition: Mapping[str, Any]) -> Condition:
    aspect, content = Aspect(condition["aspect"]), str(condition["content"])
    if aspect in (Aspect.RELATION, Aspect.OTHER):
        Relation(content)
    elif re.fullmatch(r"(?:[0-9a-f]{2}|\.\.)*", content) is None:
        raise ValueError(f"{content!r} is no template")
    most = condition["most"]
    return Condition(
        str(condition["field"]),
        aspect,
        int(condition["least"]),
        None if most is None else int(most),
        content,
    )
