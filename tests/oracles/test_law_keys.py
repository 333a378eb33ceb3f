"""Key bundles: the last upload counts, and it is its user's; and in doubt silence."""

from __future__ import annotations

import pytest

from grammar import Error, FetchPrekeys, Login, PrekeyResponse, ServerFrame, UploadPrekeys, cbor
from tests.oracles.law_support import OK, A, B, C, link, reasons, sender

STATUS_OK, NOT_FOUND = ({"status": word} for word in ("ok", "not_found"))


def keys(letter: bytes, **more: object) -> dict[str, object]:
    """Return a bundle; its keys are made of ``letter``."""
    return {
        "identity_key": letter * 32,
        "signed_prekey": letter * 32,
        "signed_prekey_signature": letter * 64,
        **more,
    }


def upload(bundle: dict[str, object]) -> UploadPrekeys:
    return UploadPrekeys(cbor.dumps(bundle))


def reply(bundle: object) -> PrekeyResponse:
    return PrekeyResponse(cbor.dumps(bundle))


FIRST, SECOND = keys(b"1"), keys(b"2")
OKAY = reply(STATUS_OK)


@pytest.mark.parametrize(
    ("brought", "wrong"),
    [
        (SECOND, ""),
        ({**SECOND, "one_time_prekeys": []}, ""),
        (FIRST, "not the last"),
        ({**SECOND, "signed_prekey": b"1" * 32}, "not the last"),
        (NOT_FOUND, "nothing"),
        ({"status": "error"}, ""),
    ],
)
def test_a_fetch_brings_what_was_uploaded_last(brought: object, wrong: str) -> None:
    asked = sender(
        upload(FIRST), upload(SECOND), FetchPrekeys(A), heard=[OKAY, OKAY, reply(brought)]
    )
    assert reasons(asked) == ([("bundle", wrong)] if wrong else [])


def test_an_upload_of_another_connection_counts_from_its_time_on() -> None:
    one = sender(upload(FIRST), heard=[OKAY])
    late = link(1, {2: [Login(B)], 5: [FetchPrekeys(A)]}, [OK, reply(SECOND)])
    assert reasons(one, late) == [("bundle", "not the last")]
    early = link(1, {2: [Login(B), FetchPrekeys(A)]}, [OK, reply(NOT_FOUND)])
    assert reasons(one, early) == []


def test_who_has_uploaded_nothing_has_no_bundle() -> None:
    assert reasons(sender(FetchPrekeys(B), heard=[reply(FIRST)])) == [("bundle", "nobody's")]
    assert reasons(sender(FetchPrekeys(B), heard=[reply(NOT_FOUND)])) == []
    # Of users that are not of this play, nobody here knows.
    assert reasons(sender(FetchPrekeys(b"bob"), heard=[reply(FIRST)])) == []


@pytest.mark.parametrize(
    "bundle", [{"identity_key": b"1"}, keys(b"1", signed_prekey="text"), {"one_time_prekeys": 1}]
)
def test_what_is_no_bundle_is_the_affair_of_the_server(bundle: dict[str, object]) -> None:
    asked = sender(upload(bundle), FetchPrekeys(A), heard=[OKAY, reply(FIRST)])
    assert reasons(asked) == []


@pytest.mark.parametrize(
    "heard", [[reply({"status": "error"}), reply(FIRST)], [OKAY, Error(b"busy")], [OKAY]]
)
def test_where_a_request_was_refused_or_not_answered_nothing_is_said(
    heard: list[ServerFrame],
) -> None:
    asked = sender(upload(SECOND), FetchPrekeys(A), heard=heard)
    assert ("bundle", "not the last") not in reasons(asked)


def test_a_reply_to_who_asked_for_none_is_missed_where_it_belongs() -> None:
    owner = sender(upload(FIRST), heard=[OKAY])
    other = link(1, {0: [Login(B)]}, [OK, reply(FIRST)])
    asker = link(2, {4: [Login(C)], 5: [FetchPrekeys(A)]}, [OK])
    assert reasons(other, owner, asker) == [("unanswered", "FETCH_PREKEYS")]
    assert reasons(owner, asker, other) == [("unanswered", "FETCH_PREKEYS")]
