"""The law on golden cases: it speaks of them alone, and only where no other law does."""

from __future__ import annotations

from fuzz.finding import Kind
from fuzz.observation import ConnectionTrace, Ending, Observation, Sent
from fuzz.oracles.laws import judge_laws
from fuzz.replies import Expectation, Heard, Reply
from grammar import Error, GetStatus, Login, LoginOk, ServerFrame, StatusResponse, encode

USER = b"a000001"
OK = Reply("LOGIN_OK")
ONLINE = Reply("STATUS_RESPONSE", (("user", "<user:A>"), ("state", "1")))
EXPECTED = Expectation("status", (Heard(0, (OK, ONLINE)),))


def _observed(
    *replies: ServerFrame, expects: Expectation | None = EXPECTED, ending: Ending = Ending.CLOSED
) -> Observation:
    name = b"a" + USER
    sent = (Sent(1, encode(Login(name)), True), Sent(2, encode(GetStatus(name)), False))
    received = tuple(map(encode, replies))
    trace = ConnectionTrace(0, ending, received, sent=sent, left=3)
    return Observation((trace,), 0.01, users=frozenset({name}), expects=expects)


STATUS = StatusResponse(b"a" + USER, 1, 1_700_000_000)


def test_what_is_expected_is_no_finding() -> None:
    assert judge_laws(_observed(LoginOk(), STATUS)) == ()


def test_what_is_not_expected_is_one_that_names_the_dialogue() -> None:
    (finding,) = judge_laws(_observed(LoginOk(), Error(b"old"), STATUS))

    assert finding.kind is Kind.CONFORMANCE
    assert (finding.cause.what, finding.cause.reason) == ("golden", "ERROR is added")
    assert "status, is not answered as it was: ERROR is added" in finding.title
    assert finding.evidence["connection"] == 0
    assert finding.evidence["expected"] == "STATUS_RESPONSE user=<user:A> state=1"
    assert finding.evidence["came"] == "ERROR reason=old"
    assert finding.evidence["golden"] == EXPECTED.told()


def test_a_case_that_expects_nothing_is_not_its_business() -> None:
    assert judge_laws(_observed(LoginOk(), Error(b"old"), STATUS, expects=None)) == ()


def test_another_law_goes_first() -> None:
    offline = StatusResponse(STATUS.user, 0, 0)
    (finding,) = judge_laws(_observed(LoginOk(), offline))

    assert finding.cause.what == "status"


def test_a_target_without_the_port_owes_nothing() -> None:
    assert judge_laws(_observed(ending=Ending.UNUSED)) == ()
