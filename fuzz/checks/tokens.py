"""Rule 5: LOGIN succeeds with a good token and with no other. Every kind of token is shown.

Each token is shown in each way that a client has: as the first thing on a connection, over
WebSocket, and by a client that is logged in already, whose second LOGIN is a LOGIN like any
other. What is right is for the law to say (:mod:`fuzz.oracles.laws.auth`): it reads the tokens
themselves, and asks nothing of those that a server may take or leave.
"""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.case import MAX_PAUSE_MS, USER_TOKENS, Case, Step, StepKind, Transport
from fuzz.checks.base import Check, Ground, Trial
from fuzz.recipes import RECIPES, Worth
from grammar import ClientOpcode

_A, _B = USER_TOKENS[:2]
_LOGIN = bytes([ClientOpcode.LOGIN])
#: A token that lives for three seconds (its kind is ``brief``) is long past by then, by any clock
#: that is off by five seconds at most.
_PAST_MS = 9_000


def _run(ground: Ground) -> Iterator[Trial]:
    for kind, recipe in RECIPES.items():
        shown = _token(kind, _A)
        name = f"{recipe.worth.value} token {kind.decode()}"
        yield ground.ask(name, Case((_login(shown),)))
        websocket = Step(StepKind.OPEN, value=int(Transport.WEBSOCKET))
        yield ground.ask(f"{name} over WebSocket", Case((websocket, _login(shown))))
        if recipe.worth is not Worth.GOOD:
            yield ground.ask(f"{name} at a second LOGIN", Case((_login(_A), _login(shown))))
    # A segment is played as it is: the name alone, where a LOGIN step would add a token.
    yield ground.ask("no token", Case((Step(StepKind.SEND, data=_LOGIN + _A),)))
    yield ground.ask("empty token", Case((_login(_A + b":"),)))
    yield ground.ask("good token of another user", Case((_login(_token(b"good", _B)),)))
    switch = (_login(_A), _login(_token(b"good", _B)))
    yield ground.ask("good token of another user at a second LOGIN", Case(switch))
    brief = _login(_token(b"brief", _A))
    yield ground.ask("token shown again when it has expired", Case((brief, *_pauses(), brief)))


def _login(text: bytes) -> Step:
    return Step(StepKind.LOGIN, data=text)


def _token(kind: bytes, owner: bytes) -> bytes:
    """Return the text of a LOGIN of the first user, with a token that is for ``owner``."""
    return _A + b":<jwt:%b:%b>" % (kind, owner)


def _pauses() -> list[Step]:
    whole, rest = divmod(_PAST_MS, MAX_PAUSE_MS)
    return [Step(StepKind.PAUSE, value=ms) for ms in (*[MAX_PAUSE_MS] * whole, rest) if ms]


TOKENS = Check("tokens", "each kind of token, good and forged", _run, auth=True)
