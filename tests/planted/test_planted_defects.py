"""Each planted defect is found, told by its reason, and survived; a clean target is innocent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fuzz.case import raw_case
from fuzz.finding import Cause, Finding, Kind
from fuzz.generate.seeds import SEEDS
from fuzz.target.planted import Planted, planted_defects
from tests.planted.cluster_expectations import CLUSTER_EXPECTED
from tests.planted.crash_expectations import CRASH_EXPECTED
from tests.planted.decoder_cases import DECODER_CASES, DECODER_EXPECTED
from tests.planted.fingerprints import FINGERPRINTS
from tests.planted.law_expectations import LAW_EXPECTED
from tests.planted.relation_expectations import RELATION_EXPECTED
from tests.planted.storm_expectations import STORM_EXPECTED
from tests.planted.support import Bench, bench
from tests.planted.transport_expectations import TRANSPORT_EXPECTED
from tests.planted.triggers import CASES, PAYLOADS, main, regressions

REGRESSIONS = Path(__file__).parents[2] / "corpus" / "regressions"

BYSTANDERS = (
    "a client that is logged in",
    "a client before its login",
    "a WebSocket client that is logged in",
    "a WebSocket client before its login",
)

#: What a client may do that is no news to anybody.
WELL = SEEDS["dialogue-offline-message"]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a finding must say: its cause, words of its title, and some evidence.

    ``recovered`` is how the target was brought back after it.
    """

    what: str
    reason: str
    origin: str = ""
    says: str = ""
    evidence: Mapping[str, object] = field(default_factory=dict)
    recovered: tuple[str, ...] = ()

    @property
    def cause(self) -> Cause:
        """What is to be asked for."""
        return Cause(self.what, self.reason, self.origin)

    def check(self, finding: Finding) -> None:
        cause = finding.cause
        assert (cause.what, cause.reason, cause.origin) == (self.what, self.reason, self.origin)
        assert self.says in finding.title
        shown = {key: finding.evidence[key] for key in self.evidence}
        assert shown == self.evidence


EXPECTED = {
    "crash_alone": Expected(
        "crash",
        "error:function_clause",
        "iris_ref_conn:init/1",
        "crashed with error:function_clause in iris_ref_session:handle/2",
    ),
    "crash_cascades": Expected(
        "crash",
        "error:function_clause",
        "iris_ref_presence",
        "cut off (a client that is logged in, a client before its login, a WebSocket client",
        {"bystanders_cut": list(BYSTANDERS)},
    ),
    "app_gives_up": Expected(
        "crash",
        "error:function_clause",
        "iris_ref_offline",
        "the node lives, but its port refuses connections (stopped: iris_ref)",
        {"applications_lost": ["iris_ref"]},
        recovered=("application",),
    ),
    "node_abort": Expected(
        "node ended",
        "SIGABRT",
        says="the node ended by SIGABRT",
        evidence={"signal": "SIGABRT", "status": None, "slogan": None},
        recovered=("node",),
    ),
    "node_dump": Expected(
        "node ended",
        "iris_ref: sequence number overflow",
        says="exit status 1: iris_ref: sequence number overflow",
        evidence={"signal": None, "status": 1, "slogan": "iris_ref: sequence number overflow"},
        recovered=("node",),
    ),
    "hang": Expected(
        "hang",
        "loop",
        "iris_ref_conn:init/1",
        says="while iris_ref_conn:init/1 loops in iris_ref_cbor:look_for_break/1",
        evidence={"waited_for": ["the end of the stream after half-close"]},
        recovered=("application",),
    ),
    "atom_leak": Expected("leak", "atoms", says="atoms grow by 1.0 with each play"),
    **{
        name: Expected(b.what, b.reason, b.origin, b.says, recovered=b.recovered)
        for name, b in {**CRASH_EXPECTED, **CLUSTER_EXPECTED, **TRANSPORT_EXPECTED}.items()
    },
    **{
        name: Expected(what, reason, says=says)
        for name, (what, reason, says) in LAW_EXPECTED.items()
    },
    **{
        name: Expected("relation", reason, says=says)
        for name, (reason, says) in RELATION_EXPECTED.items()
    },
    **{
        name: Expected("decoder", reason, origin, says)
        for name, (reason, origin, says) in DECODER_EXPECTED.items()
    },
}


@pytest.fixture(scope="module")
def defects() -> dict[str, Planted]:
    """What the embedded target's own table states of each defect."""
    return {defect.name: defect for defect in planted_defects()}


@pytest.fixture(scope="module")
def clean() -> Iterator[Bench]:
    with bench() as made:
        yield made


def test_each_planted_defect_has_a_trigger_and_an_expectation(
    defects: dict[str, Planted],
) -> None:
    assert set(CASES) | set(STORM_EXPECTED) == set(defects)
    assert set(EXPECTED) | set(STORM_EXPECTED) == set(defects)


def test_no_two_planted_defects_share_a_fingerprint(defects: dict[str, Planted]) -> None:
    assert set(FINGERPRINTS) == set(defects)
    assert len(set(FINGERPRINTS.values())) == len(defects)


@pytest.mark.parametrize("name", sorted(CASES.keys() - DECODER_CASES.keys()))
def test_a_planted_defect_is_one_finding_with_its_kind_and_reason(
    name: str, defects: dict[str, Planted]
) -> None:
    expected, case, defect = EXPECTED[name], CASES[name][1], defects[name]
    with bench(name, edges=2 if defect.edges else 0, skew=defect.skew) as planted:
        (finding,) = planted.judge(case, expected.cause)
        assert finding.kind is Kind(defect.kind)
        expected.check(finding)
        # On each node, with its own pids and user names, it is the same.
        assert finding.fingerprint == FINGERPRINTS[name], finding.cause
        assert tuple(recovery.how for recovery in planted.recoveries) == expected.recovered
        # The target is well again, and a client that does nothing wrong sees nothing wrong.
        assert planted.judge(WELL) == ()


def test_a_payload_without_any_format_is_a_trigger_too() -> None:
    with bench("crash_alone") as planted:
        (finding,) = planted.judge(raw_case(PAYLOADS["raw-reserved-opcode-34"]))
        EXPECTED["crash_alone"].check(finding)


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_same_case_on_a_clean_target_is_no_finding(clean: Bench, name: str) -> None:
    if LAW_EXPECTED.get(name, ("",))[0] == "rate":
        clean.renew()  # ten plays of two bursts are half of what a store holds
    assert clean.judge(CASES[name][1], EXPECTED[name].cause) == ()
    assert clean.recoveries == []


@pytest.mark.parametrize("name", sorted(PAYLOADS))
def test_the_same_payload_on_a_clean_target_is_no_finding(clean: Bench, name: str) -> None:
    assert clean.judge(raw_case(PAYLOADS[name])) == ()
    assert clean.recoveries == []


def test_the_files_are_what_is_generated(tmp_path: Path) -> None:
    main(tmp_path)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == regressions()
    committed = {name: (REGRESSIONS / name).read_bytes() for name in made}
    assert committed == made
