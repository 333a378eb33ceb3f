"""The plainest way to show a defect: what is asked, in which order, and what is remembered."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fuzz.case import USER_TOKENS, Case, Step, StepKind
from fuzz.errors import TargetError
from fuzz.finding import Cause, Finding, Kind
from fuzz.watchdog.attributed import Attributed
from fuzz.watchdog.plainer import Ways
from grammar import BatchSend, CborMsg, GetStatus, GroupCreate, SendMessage, encode

A, B, C = USER_TOKENS[:3]
ONLINE, OFFLINE, CUT = "to a user who is online", "to a user who is offline", "cut by TCP"


def login(user: bytes, connection: int = 0) -> Step:
    return Step(StepKind.LOGIN, connection, user)


def send(data: bytes, connection: int = 0) -> Step:
    return Step(StepKind.SEND, connection, data)


def end(connection: int) -> Step:
    return Step(StepKind.HALF_CLOSE, connection)


def lost(why: str, title: str = "lost (BATCH_SEND)") -> Finding:
    return Finding(Kind.SEMANTIC, title, Cause("lost", why))


BATCH = encode(BatchSend(B, (b"1", b"2")))
FIRST, SECOND = send(BATCH[:5]), send(BATCH[5:])
#: A batch that is cut, to a user who comes when its sender has gone.
CASE = Case((login(A), FIRST, SECOND, end(0), login(B, 1)))
THERE = (login(A), login(B, 1), FIRST, SECOND)
SINGLES = send(encode(SendMessage(B, b"1")) + encode(SendMessage(B, b"2")))
SINGLES_THERE = (login(A), login(B, 1), SINGLES)
WHOLE_THERE = (login(A), login(B, 1), send(BATCH))
WHOLE = (login(A), send(BATCH), end(0), login(B, 1))


class Server:
    """Says of each case what it shows, nothing by default, and keeps what was asked."""

    def __init__(self, shows: dict[tuple[Step, ...], Finding]) -> None:
        self.asked: list[tuple[Step, ...]] = []
        self._shows = shows

    def __call__(self, case: Case) -> Sequence[Finding]:
        self.asked.append(case.steps)
        found = self._shows.get(case.steps)
        return () if found is None else (found,)


def test_it_is_asked_as_plainly_as_can_be_then_with_one_thing_after_the_other() -> None:
    server = Server({})
    assert Ways(server).plainest(CASE, lost(OFFLINE)) == (CASE, lost(OFFLINE))
    assert server.asked == [SINGLES_THERE, WHOLE_THERE, WHOLE, THERE]


@pytest.mark.parametrize(
    ("steps", "why"),
    [(SINGLES_THERE, ONLINE), (WHOLE_THERE, ONLINE), (WHOLE, OFFLINE), (THERE, CUT)],
)
def test_the_first_that_shows_one_is_the_case_and_its_finding_the_finding(
    steps: tuple[Step, ...], why: str
) -> None:
    ways = Ways(Server({steps: lost(why)}))
    assert ways.plainest(CASE, lost(OFFLINE)) == (Case(steps), lost(why))


def test_a_plainer_case_that_shows_something_else_is_not_one() -> None:
    other = Finding(Kind.SEMANTIC, "another", Cause("reordered"))
    ways = Ways(Server({WHOLE_THERE: other}))
    assert ways.plainest(CASE, lost(OFFLINE)) == (CASE, lost(OFFLINE))


def test_a_case_that_is_as_plain_as_can_be_is_not_played_again() -> None:
    server = Server({})
    Ways(server).plainest(Case(SINGLES_THERE), lost(ONLINE))
    assert server.asked == []


def test_what_a_single_message_cannot_say_stays_in_its_frame() -> None:
    server = Server({})
    cbor, other = encode(CborMsg(B, b"\xa0")), encode(GetStatus(B))
    Ways(server).plainest(Case((login(B, 1), login(A), send(other + cbor))), lost(ONLINE))
    single = send(other + encode(SendMessage(B, b"\xa0")))
    assert server.asked == [(login(B, 1), login(A), single)]


def test_of_one_who_only_listens_and_comes_again_the_last_visit_is_enough() -> None:
    server = Server({})
    reset = Step(StepKind.RESET, 1)
    Ways(server).plainest(
        Case((login(A), login(B, 1), send(BATCH), reset, login(B, 2))), lost("again")
    )
    assert server.asked[1] == (login(A), login(B, 2), send(BATCH))


def test_of_one_who_writes_and_comes_again_to_listen_the_first_visit_is_enough() -> None:
    server = Server({})
    reset = Step(StepKind.RESET, 0)
    itself = send(encode(BatchSend(A, (b"1",))))
    Ways(server).plainest(Case((login(A), itself, reset, login(A, 1))), lost("again"))
    assert server.asked[1] == (login(A), itself)


def test_nobody_is_brought_over_a_restart() -> None:
    server = Server({})
    case = Case((login(A), send(BATCH), Step(StepKind.RESTART), login(B, 1)))
    Ways(server).plainest(case, lost(OFFLINE))
    assert server.asked == [(login(A), SINGLES, *case.steps[2:])]


def test_a_segment_that_ends_with_a_frame_stays_for_its_end_may_be_that_of_a_login() -> None:
    server = Server({})
    name = send(b"\x01" + A)
    Ways(server).plainest(Case((name, FIRST, SECOND, login(B, 1), SECOND)), lost(OFFLINE))
    assert server.asked[1] == (name, login(B, 1), send(BATCH), SECOND)


def test_a_frame_whose_end_never_comes_is_sent_at_the_end() -> None:
    server = Server({})
    Ways(server).plainest(Case((login(A), FIRST, login(B, 1), send(b"x", 1))), lost(OFFLINE))
    assert server.asked[0] == (login(A), login(B, 1), send(b"x", 1), FIRST)


def test_a_message_to_who_has_left_is_asked_for_without_the_stay() -> None:
    relogin = Case((login(C), login(B), login(A, 1), send(encode(SendMessage(C, b"1")), 1)))
    without = (login(B), *relogin.steps[2:])
    misrouted = Finding(Kind.SEMANTIC, "to who has left", Cause("misrouted"))
    invented = Finding(Kind.SEMANTIC, "for another user", Cause("invented", "another user"))
    ways = Ways(Server({without: invented}))
    assert ways.plainest(relogin, misrouted) == (Case(without), invented)
    assert ways.told_as(misrouted) == misrouted  # the next may be of another defect


def test_a_reply_that_is_no_frame_is_asked_for_frame_by_frame() -> None:
    group, status = encode(GroupCreate(b"g")), encode(GetStatus(B))
    case = Case((login(B, 1), login(A), send(status + group), send(BATCH[:5]), send(status, 1)))

    def strange(behind: str) -> Finding:
        return Finding(Kind.CONFORMANCE, f"behind {behind}", Cause("conformance", behind))

    alone = (login(A), send(group))
    server = Server({alone: strange("LoginOk")})
    ways = Ways(server)
    first = strange("StatusResponse")
    assert ways.plainest(case, first) == (Case(alone), strange("LoginOk"))
    asked = [(login(B, 1), send(status, 1)), (login(A), send(BATCH[:5])), alone]
    assert server.asked == asked
    assert ways.told_as(first) == first  # behind a status there may be another defect
    other = Server({})
    assert Ways(other).plainest(case, first) == (case, first)
    assert other.asked == [*asked, (login(A), send(status))]


def test_other_findings_are_left_as_they_are() -> None:
    server = Server({})
    finding = Finding(Kind.SEMANTIC, "another", Cause("reordered"))
    assert Ways(server).plainest(CASE, finding) == (CASE, finding)
    assert server.asked == []


def told(ways: Ways, case: Case, finding: Finding) -> list[Attributed]:
    return list(ways.settled(case, finding))


def test_what_came_down_to_another_is_told_as_that_from_then_on_in_the_same_frame() -> None:
    ways = Ways(Server({WHOLE: lost(ONLINE)}))
    assert told(ways, CASE, lost(OFFLINE)) == [Attributed(lost(ONLINE), Case(WHOLE), 1, 1)]
    assert ways.told_as(lost(OFFLINE)) == lost(ONLINE)
    elsewhere = lost(OFFLINE, "lost (SEND_MESSAGE)")
    assert ways.told_as(elsewhere) == elsewhere


def test_one_that_shows_nothing_plainer_is_made_small_and_asked_again() -> None:
    large = Case((*CASE.steps, send(b"\xff\xff", 2)))
    ways = Ways(Server({WHOLE: lost(ONLINE)}), smaller=lambda case, _: CASE)
    assert told(ways, large, lost(OFFLINE)) == [Attributed(lost(ONLINE), Case(WHOLE), 1, 1)]
    nothing = Ways(Server({}), smaller=lambda case, _: CASE)
    assert told(nothing, large, lost(OFFLINE)) == [Attributed(lost(OFFLINE), CASE, 1, 1)]


def test_what_is_known_in_its_plainest_way_is_only_counted() -> None:
    ways = Ways(Server({WHOLE: lost(ONLINE)}), known=lambda one: one == lost(ONLINE))
    assert told(ways, CASE, lost(OFFLINE)) == [Attributed(lost(ONLINE), None)]


def test_a_finding_is_told_as_it_is_where_the_target_is_lost_meanwhile() -> None:
    def gone(_: Case) -> Sequence[Finding]:
        raise TargetError("the node is gone")

    settling = Ways(gone).settled(CASE, lost(OFFLINE))
    assert next(settling) == Attributed(lost(OFFLINE), CASE, 1, 1)
    with pytest.raises(TargetError):
        next(settling)
