"""A node that ends and is started again by ``heart``, before anybody has seen its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from fuzz.clock import SystemClock
from fuzz.evidence import Pulse
from fuzz.finding import Kind
from fuzz.oracles import judge
from fuzz.rig import Rig
from fuzz.watchdog.watchdog import Watchdog
from tests.watchdog.heart_target import HeartTarget


def test_a_restart_under_heart_is_one_finding_of_a_node_that_was_down(tmp_path: Path) -> None:
    rig = Rig(HeartTarget(tmp_path), SystemClock())
    rig.start()
    try:
        watchdog, before = Watchdog(rig), rig.node
        assert before is not None
        assert judge(watchdog.settle(())) == ()
        os.kill(before.os_pid, signal.SIGKILL)
        glance = watchdog.glance(())
        assert glance.alarmed
        evidence = watchdog.settle((), glance.events)
        # It serves again, on the same ports, and nobody has seen it end.
        assert evidence.pulse is Pulse.WELL
        assert (evidence.node_exit, evidence.node_silent) == (None, False)
        assert rig.node is not None
        assert rig.node.os_pid != before.os_pid
        (finding,) = judge(evidence)
        assert finding.kind is Kind.NODE_DOWN
        assert finding.title == "the node restarted by itself: everybody was cut off"
        rig.reseat()
        assert watchdog.glance(()).alarmed is False
        assert judge(watchdog.settle(())) == ()
    finally:
        rig.stop()
