"""Rule 5: LOGIN succeeds with a good token and with no other. Every kind of token is shown.

Each token is shown in each way that a client has: as the first thing on a connection, over
WebSocket, and by a client that is logged in already, whose second LOGIN is a LOGIN like any
other. In a cluster it is shown to each edge, which may have a clock of its own. What is right is
for the law to say (:mod:`fuzz.oracles.laws.auth`): it reads the tokens themselves, and asks
nothing of those that a server may take or leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fuzz.case import MAX_PAUSE_MS, USER_TOKENS, Case, Step, StepKind, Transport, opening
from fuzz.checks.base import Check, Ground, Trial
from fuzz.recipes import RECIPES, Worth
from grammar import ClientOpcode

_A, _B = USER_TOKENS[:2]
_LOGIN = bytes([ClientOpcode.LOGIN])
#: A token that lives for three seconds (its kind is ``brief``) is long past by then, by any clock
#: that is off by five seconds at most.
_PAST_MS = 9_000


def _run(ground: Ground) -> Iterator[Trial]:
    edges = range(len(ground.rig.endpoint.edges()))
    for kind, recipe in RECIPES.items():
        shown = _login(_token(kind, _A))
        name = f"{recipe.worth.value} token {kind.decode()}"
        yield ground.ask(name, _case(edges, shown))
        websocket = _case(edges, shown, over=Transport.WEBSOCKET)
        yield ground.ask(f"{name} over WebSocket", websocket)
        if recipe.worth is not Worth.GOOD:
            yield ground.ask(f"{name} at a second LOGIN", _case(edges, _login(_A), shown))
    # A segment is played as it is: the name alone, where a LOGIN step would add a token.
    yield ground.ask("no token", _case(edges, Step(StepKind.SEND, data=_LOGIN + _A)))
    yield ground.ask("empty token", _case(edges, _login(_A + b":")))
    others = _login(_token(b"good", _B))
    yield ground.ask("good token of another user", _case(edges, others))
    switch = _case(edges, _login(_A), others)
    yield ground.ask("good token of another user at a second LOGIN", switch)
    brief = _case(edges, _login(_token(b"brief", _A))).steps
    again = (step for step in brief if step.kind is StepKind.LOGIN)
    yield ground.ask("token shown again when it has expired", Case((*brief, *_pauses(), *again)))


def _case(edges: range, *steps: Step, over: Transport = Transport.TCP) -> Case:
    """Return the case in which a client of each edge does ``steps``, one client after the other."""
    return Case(
        tuple(
            step
            for edge in edges
            for step in (*_arrival(edge, over), *(replace(step, connection=edge) for step in steps))
        )
    )


def _arrival(edge: int, over: Transport) -> tuple[Step, ...]:
    """Return the step that connects to an edge; what is opened by its use needs none."""
    return (opening(edge, over, edge),) if edge or over is not Transport.TCP else ()


def _login(text: bytes) -> Step:
    return Step(StepKind.LOGIN, data=text)


def _token(kind: bytes, owner: bytes) -> bytes:
    """Return the text of a LOGIN of the first user, with a token that is for ``owner``."""
    return _A + b":<jwt:%b:%b>" % (kind, owner)


def _pauses() -> list[Step]:
    whole, rest = divmod(_PAST_MS, MAX_PAUSE_MS)
    return [Step(StepKind.PAUSE, value=ms) for ms in (*[MAX_PAUSE_MS] * whole, rest) if ms]


TOKENS = Check("tokens", "each kind of token, good and forged", _run, auth=True)
