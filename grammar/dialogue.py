"""Who may say what, when, and what comes back: the protocol's states as one table.

The generator reads it to build dialogues that mean something, the oracles to know what a
correct server answers. It says what the published protocol says and no more. Where that is
silent (a second LOGIN, how a refusal before LOGIN is worded) the table allows and does not
demand: a server that closes the connection in place of a refusal is right everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from grammar import frames as f
from grammar.opcodes import ClientOpcode


class State(Enum):
    """What a connection is, as seen from the client."""

    CONNECTED = "connected"
    LOGGED_IN = "logged in"
    CLOSED = "closed"


class Audience(Enum):
    """Who receives what a frame causes."""

    #: The user that the frame names: target, recipient, or the sender of a read message.
    NAMED_USER = "named user"
    #: The other members of the group that the frame names.
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Relay:
    """A frame that others receive; ``inner`` is what travels inside a RELIABLE_MSG."""

    frame: type[f.ServerFrame]
    audience: Audience
    inner: type[f.ServerFrame] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One client opcode.

    ``states`` in which it has an effect; ``replies`` to the sender when it is accepted and
    ``refusals`` when not; ``follows`` is what may come after the reply unasked. ``answered``
    are the states in which one of replies and refusals (or the close of the connection)
    must come; elsewhere silence is right. ``metered`` frames spend the rate limit.
    """

    states: frozenset[State]
    replies: tuple[type[f.ServerFrame], ...] = ()
    refusals: tuple[type[f.ServerFrame], ...] = (f.Error, f.RateLimited)
    follows: tuple[type[f.ServerFrame], ...] = ()
    relays: tuple[Relay, ...] = ()
    answered: frozenset[State] = frozenset()
    metered: bool = False


_OPEN = frozenset({State.CONNECTED, State.LOGGED_IN})
_LOGGED_IN = frozenset({State.LOGGED_IN})
_MESSAGE = Relay(f.ReliableMsg, Audience.NAMED_USER)


def _sends(*relays: Relay) -> Rule:
    """Return the rule of a message: no word to the sender unless it is refused."""
    return Rule(_LOGGED_IN, relays=relays, metered=True)


def _tells(*relays: Relay) -> Rule:
    """Return the rule of a frame that informs others or nobody."""
    return Rule(_LOGGED_IN, relays=relays)


def _asks(reply: type[f.ServerFrame]) -> Rule:
    """Return the rule of a request that is always answered."""
    return Rule(_LOGGED_IN, replies=(reply,), answered=_LOGGED_IN)


#: Every client opcode. The exchange of LOGIN is the only one that moves the state.
RULES: Mapping[ClientOpcode, Rule] = MappingProxyType(
    {
        ClientOpcode.LOGIN: Rule(
            _OPEN,
            replies=(f.LoginOk,),
            refusals=(f.AuthFailed, f.LoginRateLimited, f.Error, f.RateLimited),
            follows=(f.ReliableMsg,),
            answered=frozenset({State.CONNECTED}),
        ),
        ClientOpcode.SEND_MESSAGE: _sends(_MESSAGE),
        ClientOpcode.ACK: _tells(),
        ClientOpcode.BATCH_SEND: _sends(_MESSAGE),
        ClientOpcode.GET_STATUS: Rule(_OPEN, replies=(f.StatusResponse,), answered=_OPEN),
        ClientOpcode.SEND_SEQ: _sends(_MESSAGE),
        ClientOpcode.CBOR_MSG: _sends(_MESSAGE),
        ClientOpcode.UPLOAD_PREKEYS: _asks(f.PrekeyResponse),
        ClientOpcode.FETCH_PREKEYS: _asks(f.PrekeyResponse),
        ClientOpcode.E2EE_MSG: _sends(Relay(f.ReliableMsg, Audience.NAMED_USER, f.E2eeDelivery)),
        ClientOpcode.GROUP_CREATE: _asks(f.GroupJoin),
        ClientOpcode.GROUP_LEAVE: _asks(f.GroupLeft),
        ClientOpcode.GROUP_MSG: _sends(Relay(f.ReliableMsg, Audience.GROUP, f.GroupDelivery)),
        ClientOpcode.GROUP_ROSTER: _asks(f.GroupRosterReply),
        ClientOpcode.SENDER_KEY_DIST: _tells(
            Relay(f.ReliableMsg, Audience.GROUP, f.SenderKeyDelivery)
        ),
        ClientOpcode.TYPING_START: _tells(Relay(f.TypingRelay, Audience.NAMED_USER)),
        ClientOpcode.TYPING_STOP: _tells(Relay(f.TypingRelay, Audience.NAMED_USER)),
        ClientOpcode.READ_RECEIPT: _tells(Relay(f.ReadReceiptRelay, Audience.NAMED_USER)),
    }
)

#: How a frame from the server moves the state; all others leave it.
TRANSITIONS: Mapping[tuple[State, type[f.ServerFrame]], State] = MappingProxyType(
    {
        (State.CONNECTED, f.LoginOk): State.LOGGED_IN,
        (State.CONNECTED, f.AuthFailed): State.CLOSED,
        (State.CONNECTED, f.LoginRateLimited): State.CLOSED,
        (State.LOGGED_IN, f.AuthFailed): State.CLOSED,
        (State.LOGGED_IN, f.LoginRateLimited): State.CLOSED,
    }
)


def allowed(opcode: ClientOpcode, state: State) -> bool:
    """Tell whether a frame has an effect in ``state``."""
    return state in RULES[opcode].states


def expected_replies(opcode: ClientOpcode, state: State) -> tuple[type[f.ServerFrame], ...]:
    """Return the frames that the sender may get in answer, those of success first.

    Where the frame has no effect that is at most an ERROR, and nothing on a closed
    connection. Deliveries that others cause at the same time are not answers.
    """
    rule = RULES[opcode]
    if state is State.CLOSED:
        return ()
    return rule.replies + rule.refusals if state in rule.states else (f.Error,)


def always_answered(opcode: ClientOpcode, state: State) -> bool:
    """Tell whether one of :func:`expected_replies`, or the close of the connection, must come."""
    return state in RULES[opcode].answered


def next_state(state: State, reply: type[f.ServerFrame]) -> State:
    """Return the state after the server has said ``reply``."""
    return TRANSITIONS.get((state, reply), state)
