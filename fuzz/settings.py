"""Settings of a run: frozen, and validated once, where they are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fuzz.errors import SettingsError

#: The port of the Iris protocol (Iris Protocol v1.0 freeze).
IRIS_PORT = 8085
#: What a search can be asked to drive up.
MAXIMISABLE = ("cost",)


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Which target: ``embedded``, or the ``HOST:PORT`` of one that is running.

    ``plants`` are the planted defects to switch on, ``port`` the port of the embedded
    target (0: the system chooses), ``allowed`` the hosts that may be fuzzed besides the
    loopback interface, ``auth`` tells the embedded target to ask for tokens. ``rate`` is the
    ceiling of cases played in a second; None is without one.
    """

    target: str = "embedded"
    port: int = IRIS_PORT
    plants: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    auth: bool = False
    rate: float | None = None

    def __post_init__(self) -> None:
        if self.embedded:
            return
        host, separator, port = self.target.rpartition(":")
        if not (separator and host and port.isdecimal() and 0 < int(port) < 65536):
            raise SettingsError(f"--target is `embedded` or HOST:PORT, not {self.target!r}")
        if self.plants:
            raise SettingsError("--plant puts defects into the embedded target only")
        if self.auth:
            raise SettingsError("--auth is for the embedded target only")

    @property
    def embedded(self) -> bool:
        """Tell whether it is the reference Iris that the harness starts."""
        return self.target == "embedded"

    def switches(self) -> tuple[str, ...]:
        """Return the words on a command line that choose this target again.

        The port of an embedded target is left to whoever plays there.
        """
        plants = (word for name in self.plants for word in ("--plant", name))
        hosts = (word for host in self.allowed for word in ("--allow-host", host))
        auth = ("--auth",) if self.auth else ()
        return (*plants, *auth) if self.embedded else ("--target", self.target, *hosts)

    def address(self) -> tuple[str, int]:
        """Return host and port of a running target."""
        host, _, port = self.target.rpartition(":")
        return host, int(port)


@dataclass(frozen=True, slots=True)
class FuzzSettings:
    """One fuzzing run. ``seconds`` and ``cases`` bound it; None is without bound.

    ``maximise`` names what the search is to drive up beside coverage: ``cost`` or nothing.
    """

    target: TargetSettings
    corpus: Path
    seeds: tuple[Path, ...]
    dictionary: Path | None = None
    seconds: float | None = None
    cases: int | None = None
    until_finding: bool = False
    feedback: bool = True
    random_seed: int | None = None
    maximise: str | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise SettingsError("--time wants a number of seconds above zero")
        if self.cases is not None and self.cases <= 0:
            raise SettingsError("--cases wants a number above zero")
        if self.maximise not in (None, *MAXIMISABLE):
            raise SettingsError(f"--maximise knows {', '.join(MAXIMISABLE)} only")
