"""Many cases in flight at once.

The node and the harness take turns on a loopback connection: whoever plays one case at a
time spends most of it waiting. Here up to a batch of players run side by side in one
thread; a round resumes every player that can go on, then waits once for all sockets, and
a barrier is served when nobody can go on without it. A case that has the server restarted is
played alone, since that ends what all others do.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fuzz.case import Case
from fuzz.clock import Clock
from fuzz.errors import HarnessFault
from fuzz.executor.endpoint import Endpoint, Patience
from fuzz.executor.names import Names
from fuzz.executor.player import Pause, Play, Player, Wait
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.observation import Observation

#: Players at a barrier give the others this long to join them, so that one round trip
#: serves all; most replies on loopback take a tenth of it.
_GRACE_SECONDS = 0.001

#: Is told what was seen of a case as soon as its play is over; others may still play.
Finished = Callable[[Observation], None]


def unheard(_seen: Observation) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class _Seat:
    """A player at the table: its generator and what it waits for."""

    number: int
    player: Player
    play: Play
    over: Callable[[], None]
    wait: Wait | Pause | None = None
    until: float = 0.0


class Executor:
    """Plays cases against one endpoint.

    ``barrier`` returns when the node has read and handled all that was sent to it, and
    tells whether it did so in time; False gives up the plays that need it, and None lets them go on
    though it may not have. With ``exact`` false
    it tells only that all was read: then nobody knows by when a segment was handled, and plays
    make up for that with patience. ``restart`` restarts the server and tells whether it serves
    again; False gives up the play. It is None where nobody asks for it.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        barrier: Callable[[Meanwhile], bool | None],
        names: Names,
        clock: Clock,
        exact: bool = True,
        restart: Callable[[], bool] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._exact = exact
        self._barrier = barrier
        self._restart = restart
        self._names = names
        self._clock = clock

    def play(
        self,
        cases: Sequence[Case],
        patience: Patience,
        meanwhile: Meanwhile = nothing,
        finished: Finished = unheard,
    ) -> list[Observation]:
        """Play ``cases`` side by side; return one observation each, in their order.

        ``meanwhile`` is called where all wait for the node. ``finished`` is told of each case that
        was played to its end.
        """
        if len(cases) > 1 and any(case.restarts() for case in cases):
            alone = [self._side_by_side([case], patience, meanwhile, finished) for case in cases]
            return [seen for (seen,) in alone]
        return self._side_by_side(cases, patience, meanwhile, finished)

    def _side_by_side(
        self, cases: Sequence[Case], patience: Patience, meanwhile: Meanwhile, finished: Finished
    ) -> list[Observation]:
        start, guard = self._clock.now(), self._names.tokens.guard()
        seats: list[_Seat] = []
        observed: dict[int, Observation] = {}

        def observation(number: int, cut_short: bool = True) -> Observation:
            player, seconds = seats[number].player, self._clock.now() - start
            restarts = tuple(player.restarts)
            return Observation(
                player.traces(), seconds, cut_short, guard, player.users(),
                cases[number].expects, restarts, self._exact,
            )  # fmt: skip

        def over(number: int) -> None:
            observed[number] = observation(number, cut_short=False)
            finished(observed[number])

        for number, case in enumerate(cases):
            names, tokens = self._names.fresh(case.users()), self._names.tokens
            player = Player(case, self.endpoint, patience, names, self._clock, tokens, self._exact)
            seats.append(_Seat(number, player, player.run(), partial(over, number)))
        try:
            self._run(seats, meanwhile)
        finally:
            for seat in seats:
                seat.play.close()
                seat.player.close()
        return [observed.get(number) or observation(number) for number in range(len(cases))]

    def _run(self, seats: list[_Seat], meanwhile: Meanwhile) -> None:
        """Run all players to their end, or give up those that have not come to it."""
        active = [seat for seat in seats if self._resume(seat, None)]
        while active:
            held = [seat for seat in active if seat.wait is Pause.BARRIER]
            answers = self._poll(active, not held, meanwhile)
            if answers:
                active = [s for s in active if self._answered(s, answers)]
            elif active and active[0].wait is Pause.RESTART:
                if self._restart is None:
                    raise HarnessFault("a case restarts the server where that cannot be done")
                if not self._restart():
                    return
                active = [seat for seat in active if self._resume(seat, True)]
            elif held:
                start = self._clock.now()
                rests = self._barrier(meanwhile)
                if rests is False:
                    return
                for seat in active:  # nobody was listening to them
                    seat.until += self._clock.now() - start
                active = [
                    s for s in active if s.wait is not Pause.BARRIER or self._resume(s, bool(rests))
                ]

    def _answered(self, seat: _Seat, answers: dict[int, bool]) -> bool:
        """Resume ``seat`` if its wait has an answer; tell whether it still plays."""
        answer = answers.get(seat.number)
        return answer is None or self._resume(seat, answer)

    def _resume(self, seat: _Seat, answer: bool | None) -> bool:
        """Let a player go on to its next wait; False when it has played all."""
        try:
            seat.wait = next(seat.play) if answer is None else seat.play.send(answer)
        except StopIteration:
            seat.over()
            return False
        if isinstance(seat.wait, Wait):
            seat.until = self._clock.now() + seat.wait.seconds
        return True

    def _poll(self, active: list[_Seat], patient: bool, meanwhile: Meanwhile) -> dict[int, bool]:
        """Wait for sockets; return by seat whether its wait was answered or ran out.

        With nobody at a barrier it waits for the first answer or the first deadline; else
        only :data:`_GRACE_SECONDS`, so that one silent case does not hold up the batch.
        """
        poll = select.poll()
        by_descriptor: dict[int, int] = {}
        first = float("inf")
        for seat in active:
            if not isinstance(seat.wait, Wait):
                continue
            first = min(first, seat.until)
            if seat.wait.connection is not None:
                descriptor = seat.wait.connection.fileno()
                by_descriptor[descriptor] = seat.number
                poll.register(descriptor, select.POLLOUT if seat.wait.write else select.POLLIN)
        if first == float("inf"):
            return {}
        now = self._clock.now()
        until = first if patient else min(first, now + _GRACE_SECONDS)
        ready = poll.poll(0)
        while not ready and now < until and meanwhile():
            ready, now = poll.poll(0), self._clock.now()
        if not ready:
            ready = poll.poll(max(0.0, until - now) * 1000)
        answers = {by_descriptor[descriptor]: True for descriptor, _ in ready}
        if not answers:
            now = self._clock.now()
            for seat in active:
                if isinstance(seat.wait, Wait) and seat.until <= now:
                    # A pause that is over was not a wait in vain.
                    answers[seat.number] = seat.wait.connection is None
        return answers
