"""Fingerprints name the defect and not the run; kinds are a ladder."""

from __future__ import annotations

import pytest

from fuzz.finding import Cause, Finding, Kind, Severity, stable

REASON = "{badmatch,{error,<0.123.0>,#Ref<0.1.2.3>,8085}}"
FRAMES = ("iris_conn:handle/3", "gen_statem:loop/8", "proc_lib:init_p/5")


def test_the_ladder_is_worst_first() -> None:
    assert [(kind.value, kind.severity) for kind in Kind] == [
        ("node_down", Severity.CRITICAL),
        ("app_down", Severity.CRITICAL),
        ("listener_restart", Severity.HIGH),
        ("process_crash", Severity.MEDIUM),
        ("hang", Severity.MEDIUM),
        ("leak", Severity.MEDIUM),
        ("cost", Severity.MEDIUM),
        ("semantic", Severity.HIGH),
        ("conformance", Severity.MEDIUM),
    ]
    assert [kind.rank for kind in Kind] == list(range(9))


def test_a_variant_is_another_rung_or_another_way_to_one_defect() -> None:
    cause = Cause("crash", REASON, "iris_conn", FRAMES)
    one = Finding(Kind.PROCESS_CRASH, "a title", cause)
    worse = Finding(Kind.LISTENER_RESTART, "another title", cause)
    deeper = Finding(Kind.PROCESS_CRASH, "a title", Cause("crash", REASON, "iris_conn", FRAMES[:2]))
    assert one.fingerprint == worse.fingerprint == deeper.fingerprint
    assert len({one.variant, worse.variant, deeper.variant}) == 3
    assert one.variant == Finding(Kind.PROCESS_CRASH, "", cause).variant


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("died <0.123.0>", "died <0.9.1>"),
        ("ref #Ref<0.1.2.3>", "ref #Ref<0.4281.99.1>"),
        ("port #Port<0.6>", "port #Port<0.1712>"),
        ("fun #Fun<iris_conn.3.1222>", "fun #Fun<iris_conn.3.88>"),
        ("at 0x7ffee4", "at 0xdeadBEEF"),
        ("127.0.0.1:40112 closed", "127.0.0.1:51234 closed"),
        ("tcp/8085", "tcp/8087"),
        ("line 17, 3.5 s", "line 170, 12.25 s"),
        ("rate 1.5e10", "rate 2.0e-3"),
    ],
)
def test_what_changes_from_run_to_run_is_not_in_the_fingerprint(one: str, other: str) -> None:
    assert stable(one) == stable(other)
    assert Cause("crash", one).fingerprint() == Cause("crash", other).fingerprint()
    assert Cause("crash", one).fingerprint() != Cause("crash", "another").fingerprint()


@pytest.mark.parametrize(
    "cause",
    [
        Cause("hang", REASON, "iris_conn", FRAMES),
        Cause("crash", "{badarg,<n>}", "iris_conn", FRAMES),
        Cause("crash", REASON, "iris_router", FRAMES),
        Cause("crash", REASON, "iris_conn", FRAMES[1:]),
        Cause("crash", REASON, "iris_conn", ("iris_conn:handle/4", *FRAMES[1:])),
        Cause("crash", REASON, "iris_conn", ("iris_conn:handle_/3", *FRAMES[1:])),
        Cause("crash", REASON, "iris_conn", ("iris_conn2:handle/3", *FRAMES[1:])),
        Cause("crash", REASON + "iris_conn", "", FRAMES),
    ],
)
def test_other_causes_have_other_fingerprints(cause: Cause) -> None:
    assert cause.fingerprint() != Cause("crash", REASON, "iris_conn", FRAMES).fingerprint()


def test_frames_below_the_third_do_not_count() -> None:
    own = ("iris_conn:handle/3", "iris_conn:loop/1")
    deep = Cause("crash", REASON, "iris_conn", (*own, "deep:down/0"))
    assert deep.fingerprint() == Cause("crash", REASON, "iris_conn", own).fingerprint()


def test_what_a_release_of_otp_calls_its_loops_does_not_count() -> None:
    def of(*frames: str) -> str:
        return Cause("crash", REASON, "iris_conn", frames).fingerprint()

    assert of("iris_conn:handle_cast/2", "gen_server:try_dispatch/4") == of(
        "iris_conn:handle_cast/2", "gen_server:try_handle_cast/3", "gen_server:handle_msg/3"
    )
    assert of("lists:nth/2", "iris_conn:handle/1") != of("lists:last/1", "iris_conn:handle/1")


def test_how_long_a_list_is_makes_no_other_defect() -> None:
    shapes = ["{error,[],<binary>}", "{error,<list>,<binary>}"], ["[{a,b}]", "[{a,b}|...]"]
    for one, other in shapes:
        causes = [Cause("crash", f"error:{reason}", "iris_conn:init/1") for reason in (one, other)]
        assert causes[0].fingerprint() == causes[1].fingerprint()


def test_the_arity_of_a_frame_stays_and_its_number_goes() -> None:
    assert stable("iris_conn:handle/3") == "iris_conn:handle/3"
    assert stable("crypto:hash_256/12") == "crypto:hash_256/12"
    assert stable("'-loop/2-fun-0-'/1") == "'-loop/2-fun-<n>-'/1"


def test_a_fingerprint_is_frozen_and_the_kind_is_not_in_it() -> None:
    cause = Cause("crash", "{badmatch,<binary>}", "iris_conn", ("iris_conn:handle/3",))
    assert cause.fingerprint() == "7e60880a2ab318d5"
    for kind in Kind:
        assert Finding(kind, "any title", cause, {"any": 1}).fingerprint == cause.fingerprint()


def test_text_that_is_no_unicode_has_a_fingerprint() -> None:
    assert Cause("crash", "\udcff").fingerprint() != Cause("crash", "\udcfe").fingerprint()
