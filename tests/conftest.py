"""What holds for all tests: Hypothesis searches the same each time, and no machine is too slow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "iris-fuzz",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("iris-fuzz")
