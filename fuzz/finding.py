"""A finding: what an oracle says that the target did wrong, and its frozen identity.

The kinds form a ladder, worst first. Process liveness alone sees only its first rung:
the node dies; the application stops while the node lives; a listener restarts, so that
clients who did nothing wrong are cut off; a process crashes; a process hangs; something
grows; a few bytes cost a lot. Below these stand the server that stays up and does the wrong
thing, and the one that says it in a wrong form. One defect can look worse by chance (a
listener that rebinds too early stops the whole application in some runs), so the fingerprint
names the *first cause* where one is known and not the effect, and the store keeps the worst
kind seen for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What went wrong, worst first; the order of declaration is the ladder."""

    NODE_DOWN = "node_down"
    APP_DOWN = "app_down"
    LISTENER_RESTART = "listener_restart"
    PROCESS_CRASH = "process_crash"
    HANG = "hang"
    LEAK = "leak"
    COST = "cost"
    SEMANTIC = "semantic"
    CONFORMANCE = "conformance"

    @property
    def rank(self) -> int:
        """Return the place on the ladder: 0 is the worst."""
        return list(Kind).index(self)

    @property
    def severity(self) -> Severity:
        """Return the label that people filter by."""
        return _SEVERITY[self]


class Severity(StrEnum):
    """How bad it is for the users of the server."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


_SEVERITY: Mapping[Kind, Severity] = {
    Kind.NODE_DOWN: Severity.CRITICAL,  # everybody is offline
    Kind.APP_DOWN: Severity.CRITICAL,  # everybody is offline, and no monitor sees it
    Kind.LISTENER_RESTART: Severity.HIGH,  # everybody is cut off once
    Kind.PROCESS_CRASH: Severity.MEDIUM,  # the sender alone
    Kind.HANG: Severity.MEDIUM,  # the sender, and what it holds
    Kind.LEAK: Severity.MEDIUM,  # everybody, in the end
    Kind.COST: Severity.MEDIUM,  # everybody, while a few bytes keep the node busy
    Kind.SEMANTIC: Severity.HIGH,  # a user is told, or not told, what is not so
    Kind.CONFORMANCE: Severity.MEDIUM,  # a client that goes by the protocol is lost
}


#: ``what`` of a cause that is the crash of a process, whatever effect that had on others.
CRASH = "crash"

#: ``what`` of a cause that no case shows: what somebody asserts of their metrics does not hold.
ASSERTION = "assertion"

#: ``what`` of a cause that only a crowd shows, and the key of the evidence that tells of the crowd.
STORM = "storm"

#: Frames that tell one defect from another: the function, and who called it. What lies further
#: out depends on how the bytes came, since a tail call leaves no frame.
_FRAMES = 2
#: What runs a process of OTP: its functions have other names from release to release.
_BEHAVIOURS = frozenset({"gen", "gen_event", "gen_server", "gen_statem", "proc_lib", "supervisor"})


@dataclass(frozen=True, slots=True)
class Cause:
    """What identifies a defect: nothing in it changes from run to run.

    ``origin`` is the registered name or the initial call of the process, ``frames`` are
    module:function/arity from the innermost out, ``reason`` is the shape of the term.
    """

    what: str
    reason: str = ""
    origin: str = ""
    frames: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Return 16 hex digits that are equal for equal causes."""
        own = [frame for frame in self.frames if frame.partition(":")[0] not in _BEHAVIOURS]
        parts = (self.what, self.reason, self.origin, *own[:_FRAMES])
        return hashlib.sha1(_identity(parts)).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Finding:
    """One judgement of one oracle. ``evidence`` is what the oracle saw, as JSON values."""

    kind: Kind
    title: str
    cause: Cause
    evidence: Mapping[str, object] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Return the identity of the defect: what is fixed, or known, as one thing."""
        return self.cause.fingerprint()

    @property
    def variant(self) -> str:
        """Return the identity of this way to show the defect: its rung, and the whole stack."""
        return hashlib.sha1(
            _identity((self.fingerprint, self.kind.value, *self.cause.frames))
        ).hexdigest()[:8]

    def shows_in(self, found: Iterable[Finding]) -> bool:
        """Tell whether the same defect is among ``found``, with an effect that is no less bad."""
        same = (one for one in found if one.fingerprint == self.fingerprint)
        return any(one.kind.rank <= self.kind.rank for one in same)


def _identity(parts: Iterable[str]) -> bytes:
    # What a node logs need not be Unicode: half a character is no reason to lose a finding.
    return "\0".join(map(stable, parts)).encode(errors="backslashreplace")


_VOLATILE = (
    # How long a list is, is data: a text that is empty is as good as one that is not.
    (re.compile(r"\[\]"), "<list>"),
    (re.compile(r"\|\.\.\.\]"), "]"),
    (re.compile(r"<\d+\.\d+\.\d+>"), "<pid>"),
    (re.compile(r"#(Ref|Port|Fun)<[^>]*>"), r"<\1>"),
    (re.compile(r"0x[0-9a-fA-F]+"), "<addr>"),
    # An arity is at most 255 and directly behind the slash of ``function/arity``.
    (re.compile(r"\b(?!(?<=[\w'?!@]/)\d{1,3}\b)\d+(\.\d+)*(e[+-]?\d+)?\b"), "<n>"),
)


def stable(text: str) -> str:
    """Return ``text`` without pids, references, ports, addresses and numbers.

    Up to three digits behind the slash of a name stay: they are the arity of a frame.
    """
    for pattern, name in _VOLATILE:
        text = pattern.sub(name, text)
    return text
