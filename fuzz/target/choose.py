"""From settings to a target."""

from __future__ import annotations

from fuzz.settings import TargetSettings
from fuzz.target.attached import AttachedTarget
from fuzz.target.base import Target, loopback_only
from fuzz.target.embedded import EmbeddedTarget
from fuzz.target.planted import check_plants


def choose_target(settings: TargetSettings) -> Target:
    """Return the target that ``settings`` name, not started yet.

    Raises :class:`fuzz.errors.SettingsError` for a host that may not be fuzzed.
    """
    if settings.embedded:
        check_plants(settings.plants)
        options = {"auth_enabled": "true"} if settings.auth else {}
        return EmbeddedTarget(settings.port, settings.plants, options)
    host, port = settings.address()
    return AttachedTarget(loopback_only(host, settings.allowed), port)
