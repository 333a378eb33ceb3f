"""Hand-made events, suspects and observations for the tests of oracles and watchdog."""

from __future__ import annotations

from dataclasses import replace

from fuzz.node import Event, EventKind, Suspect
from fuzz.observation import ConnectionTrace, Ending, Observation

STACK = ("iris_ref_session:handle/2", "iris_ref_conn:logged_in/3", "gen_statem:loop/11")

#: What the gen_statem of a connection says of its own end.
STATEM = Event(
    kind=EventKind.CRASH,
    class_name="error",
    reason="function_clause",
    stack=STACK,
    process="iris_ref_conn:init/1",
    behaviour="gen_statem",
    supervisor="",
    application="iris_ref",
    text="** State machine <0.310.0> terminating",
    pid="<0.310.0>",
    time_ms=1_000,
)
#: The same end as proc_lib and the supervisor tell it.
PROC_LIB = replace(STATEM, behaviour="proc_lib", text="crasher: ...", time_ms=1_001)
SUPERVISOR = replace(
    STATEM,
    kind=EventKind.SUPERVISOR,
    class_name="exit",
    reason="{child_terminated,function_clause}",
    behaviour="supervisor",
    supervisor="iris_ref_conn_sup",
    time_ms=1_002,
)
#: A process that was linked to it, and so ended for the same reason.
LINKED = replace(
    PROC_LIB,
    class_name="exit",
    process="iris_ref_listener",
    behaviour="gen_server",
    pid="<0.200.0>",
    time_ms=1_003,
)
#: Another defect, in another process.
OTHER = replace(
    STATEM,
    reason="badarg",
    stack=("erlang:binary_to_atom/2", "iris_ref_groups:roster/1"),
    process="iris_ref_groups",
    pid="<0.411.0>",
)
STUCK = Suspect(
    pid="<0.310.0>",
    name="",
    initial_call="iris_ref_conn:init/1",
    reductions=10**9,
    mailbox=0,
    status="running",
    stack=("iris_ref_cbor:item/2", "iris_ref_cbor:map/3", "iris_ref_session:handle/2"),
)


def observed(
    ending: Ending = Ending.CLOSED, waited_for: str = "", cut_short: bool = False
) -> Observation:
    """Return the observation of one play with one connection."""
    return Observation((ConnectionTrace(0, ending, (), waited_for),), 0.001, cut_short)


SILENT = observed(Ending.DEADLINE, "the reply to LOGIN")
