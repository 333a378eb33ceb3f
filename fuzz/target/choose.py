"""From settings to a target."""

from __future__ import annotations

from fuzz.errors import SettingsError
from fuzz.settings import TargetSettings
from fuzz.target.attached import AttachedTarget
from fuzz.target.base import Address, Manner, Target, is_loopback, loopback_only
from fuzz.target.cluster import ClusterTarget
from fuzz.target.embedded import EmbeddedTarget
from fuzz.target.planted import check_plants
from fuzz.target.started import StartedTarget
from fuzz.tls import client_tls


def choose_target(settings: TargetSettings) -> Target:
    """Return the target that ``settings`` name, not started yet.

    Raises :class:`fuzz.errors.SettingsError` for a host that may not be fuzzed.
    """
    if settings.embedded:
        check_plants(settings.plants, settings.edges, settings.clock_skew)
        options = {"auth_enabled": "true"} if settings.auth else {}
        tls, over = settings.tls, settings.websocket
        if settings.edges:
            return ClusterTarget(
                settings.edges,
                settings.port,
                settings.plants,
                options,
                tls=tls,
                websocket=over,
                clock_skew=settings.clock_skew,
            )
        return EmbeddedTarget(settings.port, settings.plants, options, tls=tls, websocket=over)
    where = (settings.address(), *settings.edge_addresses())
    ports = tuple((loopback_only(host, settings.allowed), port) for host, port in where)
    security = None if settings.tls is None else client_tls(settings.tls, where[0][0])
    manner = Manner(security, settings.websocket, settings.websocket_port)
    if settings.start is not None:
        for host, port in ports:
            if not is_loopback(host):
                raise SettingsError(
                    f"--start starts an Iris on this machine, and {host}:{port} is on another"
                )
        return StartedTarget(settings.start, ports, manner=manner)
    (host, port), *others = ports
    further = tuple(Address(*other) for other in others)
    return AttachedTarget(host, port, manner=manner, further=further)
