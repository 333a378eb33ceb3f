"""What the finding of each planted defect that only a cluster shows must say: the node, too."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.planted.crash_expectations import Broken

CLUSTER_EXPECTED: Mapping[str, Broken] = MappingProxyType(
    {
        "edge_drops_empty": Broken(
            "lost", "to a user who is online: SEND_MESSAGE", says="accepted and never delivered"
        ),
        "bucket_per_edge": Broken("rate", "per edge", says="a burst of one user on each edge"),
        "iat_ahead": Broken(
            "auth", "good refused by one edge", says="is good, and another edge let it in"
        ),
        "core_halts": Broken(
            "node ended",
            "iris_ref: key store is corrupt",
            says="the node iris_core ended by exit status 1: iris_ref: key store is corrupt",
            recovered=("node",),
        ),
        "core_crashes": Broken(
            "crash",
            "error:{badmatch,false}",
            "iris_ref_crossing:announced/1",
            "in iris_ref_crossing:announced/1 on iris_core",
        ),
    }
)
