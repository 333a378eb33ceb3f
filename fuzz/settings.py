"""Settings of a run: frozen, and validated once, where they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fuzz.case import MAX_EDGES
from fuzz.decoding import DEFAULT, Decoder, Meaning
from fuzz.errors import SettingsError

#: The port of the Iris protocol (Iris Protocol v1.0 freeze).
IRIS_PORT = 8085
#: The word for the reference Iris.
EMBEDDED = "embedded"
#: A core and some edges boot in some seconds; on a busy machine, one after another, in tens.
START_SECONDS = 60.0
_LOOPBACK = "127.0.0.1"
#: No machine that is looked after is off by more.
_MAX_SKEW_SECONDS = 3600.0
#: What may be a port: more digits are none, and too many are no number to Python.
_DIGITS = re.compile(r"\d{1,5}")
#: A node's name, with or without its host; bytes of a command line that are no text are in neither.
_NODE = re.compile(r"[^@\s/\ud800-\udfff]+(@[^@\s/\ud800-\udfff]+)?")
#: It is an atom, and one has at most so many characters.
_LONGEST_NODE = 255
#: Over what clients come: whether over TLS, and whether as a WebSocket.
TRANSPORTS: Mapping[str, tuple[bool, bool]] = MappingProxyType(
    {
        "tcp": (False, False),
        "tls": (True, False),
        "websocket": (False, True),
        "wss": (True, True),
    }
)


def transport_name(tls: bool, websocket: bool) -> str:
    """Return the name in :data:`TRANSPORTS` of what is over TLS or not, a WebSocket or not."""
    return next(name for name, what in TRANSPORTS.items() if what == (tls, websocket))


def check_clock_skew(seconds: float, edges: int) -> None:
    """Raise :class:`SettingsError` unless the clocks of so many edges can be off by ``seconds``."""
    if not 0 <= seconds <= _MAX_SKEW_SECONDS:
        raise SettingsError(
            f"--clock-skew wants a number of seconds from 0 to {_MAX_SKEW_SECONDS:.0f}"
        )
    if seconds and not edges:
        raise SettingsError("--clock-skew sets the clocks of edges: add --edges N")


#: What a search can be asked to drive up.
MAXIMISABLE = ("cost",)

#: What cases can be changed by: the families of operations of :mod:`fuzz.generate.mutate`. All but
#: ``bytes`` know the grammar; ``cross`` makes one case of two, and ``constants`` says what the node
#: compares with, so both need another family beside them.
FAMILIES = (
    "fields", "items", "frames", "segments", "steps", "dialogues", "envelopes", "bytes", "parts",
    "cross", "constants",
)  # fmt: skip


#: The versions of TLS that are spoken: what is older is not to be used (RFC 8996).
TLS_VERSIONS = ("1.2", "1.3")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How clients speak TLS.

    ``ca`` is a PEM file of those whose certificates are trusted, None for those that the system
    trusts; ``insecure`` takes any certificate. ``certificate`` and ``key`` are the client's own
    (the key may be in the same file), ``version`` the only one of :data:`TLS_VERSIONS` to be
    spoken, ``server_name`` whom the server must prove to be if not the host that is connected to.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False
    version: str | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if self.version not in (None, *TLS_VERSIONS):
            raise SettingsError(f"--tls-version knows {' and '.join(TLS_VERSIONS)}")
        if self.key is not None and self.certificate is None:
            raise SettingsError("--tls-key is of no use without --tls-cert")
        if self.insecure and self.ca is not None:
            raise SettingsError(
                "--tls-insecure takes any certificate: --tls-ca is of no use beside it"
            )

    def switches(self) -> tuple[str, ...]:
        """Return the words on a command line that say the same, besides the transport."""
        files = {"--tls-ca": self.ca, "--tls-cert": self.certificate, "--tls-key": self.key}
        values = {**files, "--tls-version": self.version, "--tls-server-name": self.server_name}
        given = (word for option, value in values.items() if value for word in (option, str(value)))
        return (*given, *(("--tls-insecure",) if self.insecure else ()))


@dataclass(frozen=True, slots=True)
class AttachSettings:
    """Nodes of this machine that are to be seen into, though somebody else has started them.

    ``nodes`` are names with or without their host, that of the edge first. The cookie is in
    ``cookie_file``, in that of this user's nodes if None (``~/.erlang.cookie``, as a rule).
    """

    nodes: tuple[str, ...]
    cookie_file: Path | None = None

    def __post_init__(self) -> None:
        for node in self.nodes:
            if len(node) > _LONGEST_NODE:
                raise SettingsError(f"--node is a name of at most {_LONGEST_NODE} characters")
            if _NODE.fullmatch(node) is None:
                raise SettingsError(f"--node is NAME or NAME@HOST, not {node!r}")

    def switches(self) -> tuple[str, ...]:
        """Return the words on a command line that choose these nodes again."""
        nodes = (word for name in self.nodes for word in ("--node", name))
        file = () if self.cookie_file is None else ("--cookie-file", str(self.cookie_file))
        return (*nodes, *file)


@dataclass(frozen=True, slots=True)
class CoverageSettings:
    """Whose coverage is read: patterns for names of modules or of applications.

    ``*`` and ``?`` are wild. Without ``include`` it is that of the project's own applications;
    ``core`` asks for the coverage of the core nodes beside that of the edges.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    core: bool = False


@dataclass(frozen=True, slots=True)
class StartSettings:
    """How somebody's own Iris is started: ``commands`` of the shell, in order, in ``folder``.

    ``seconds`` is how long that may take, until the last of its ports accepts a connection.
    """

    commands: tuple[str, ...]
    folder: Path = Path()
    seconds: float = START_SECONDS

    def __post_init__(self) -> None:
        if not self.commands or not all(command.strip() for command in self.commands):
            raise SettingsError("--start wants a command of the shell, as in --start 'make start'")
        if any("\0" in command for command in self.commands):
            raise SettingsError("--start wants a command of the shell, which holds no NUL")
        if not self.seconds > 0:
            raise SettingsError("--start-timeout wants a number of seconds above zero")

    def switches(self) -> tuple[str, ...]:
        """Return the words on a command line that say the same."""
        commands = (word for command in self.commands for word in ("--start", command))
        folder = ("--cwd", str(self.folder)) if self.folder != Path() else ()
        longer = self.seconds != START_SECONDS
        return (*commands, *folder, *(("--start-timeout", f"{self.seconds:g}") if longer else ()))


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Which target: ``embedded``, one that ``start`` starts, or the ``HOST:PORT`` of one that runs.

    ``plants`` are the planted defects to switch on, ``port`` the port of a target that is
    started (0: the system chooses that of the embedded one), ``allowed`` the hosts that may be
    fuzzed besides the loopback interface, ``auth`` tells the embedded target to ask for tokens.
    ``rate`` is the ceiling of cases played in a second; None is without one. With ``edges``, the
    embedded target is a cluster of a core and so many edges, the first of them on ``port``; 0 is a
    single node. ``further`` are the other edges of a cluster of one's own, each ``PORT`` or
    ``HOST:PORT``. ``attach`` names the nodes of a running target into which an agent is brought;
    without, it is a black box. By ``clock_skew`` seconds the clock of the first of the ``edges`` is
    ahead of the core's, that of the second behind it, and so on in turn.

    ``tls`` lets all clients speak TLS, ``websocket`` lets those come over WebSocket of which a
    case does not say how they come; ``websocket_port`` is that of an Iris of one's own (None: the
    port behind its own, if it is one).
    """

    target: str = EMBEDDED
    port: int = IRIS_PORT
    plants: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    auth: bool = False
    rate: float | None = None
    edges: int = 0
    start: StartSettings | None = None
    further: tuple[str, ...] = ()
    attach: AttachSettings | None = None
    coverage: CoverageSettings = CoverageSettings()
    tls: TlsSettings | None = None
    websocket: bool = False
    websocket_port: int | None = None
    clock_skew: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.edges <= MAX_EDGES:
            raise SettingsError(f"--edges wants a number from 0 to {MAX_EDGES}")
        if self.embedded:
            self._check_embedded()
            return
        self._check_address()
        self._check_edges()
        if self.plants:
            raise SettingsError("--plant puts defects into the embedded target only")
        if self.auth:
            raise SettingsError("--auth is for the embedded target only")
        if self.edges:
            raise SettingsError("--edges is for the embedded target only")
        if self.clock_skew:
            raise SettingsError("--clock-skew is for the embedded target only")

    def _check_embedded(self) -> None:
        check_clock_skew(self.clock_skew, self.edges)
        if self.attach is not None:
            raise SettingsError("--node wants the edge's address too: --attach HOST:PORT")
        if self.further:
            raise SettingsError(
                "--edge names further edges of your own Iris: it goes with --start or --target"
            )
        if self.websocket_port is not None:
            raise SettingsError("--websocket-port is for an Iris of your own only")
        if self.tls is not None and self.tls != TlsSettings(version=self.tls.version):
            raise SettingsError(
                "the embedded target makes its own certificates and is trusted: "
                "of the options of TLS it wants --tls-version only"
            )

    def _check_address(self) -> None:
        if self.start is not None and self.attach is not None:
            raise SettingsError(
                "--node is for an Iris that runs: one that --start starts needs none"
            )
        if self.start is None:
            if _address(self.target) is None:
                raise SettingsError(f"--target is `embedded` or HOST:PORT, not {self.target!r}")
        elif self.target != EMBEDDED:
            raise SettingsError(
                "--target names an Iris that runs, and --start starts one: give one of the two"
            )
        elif self.port == 0:
            raise SettingsError("--start needs the port on which your Iris listens: --port PORT")

    def _check_edges(self) -> None:
        for edge in self.further:
            if _address(edge if ":" in edge else f"{_LOOPBACK}:{edge}") is None:
                raise SettingsError(f"--edge is PORT or HOST:PORT, not {edge!r}")
        everywhere = (self.address(), *self.edge_addresses())
        twice = next((where for where in everywhere if everywhere.count(where) > 1), None)
        if twice is not None:
            raise SettingsError(f"the edge {twice[0]}:{twice[1]} is named twice")

    @property
    def embedded(self) -> bool:
        """Tell whether it is the reference Iris that the harness starts."""
        return self.target == EMBEDDED and self.start is None

    def switches(self) -> tuple[str, ...]:
        """Return the words on a command line that choose this target again.

        The port of an embedded target is left to whoever plays there, and so is what is covered.
        """
        plants = (word for name in self.plants for word in ("--plant", name))
        hosts = (word for host in self.allowed for word in ("--allow-host", host))
        auth = ("--auth",) if self.auth else ()
        transport = self._transport_switches()
        if self.embedded:
            edges = ("--edges", str(self.edges)) if self.edges else ()
            skew = ("--clock-skew", f"{self.clock_skew:g}") if self.clock_skew else ()
            return (*plants, *auth, *edges, *skew, *transport)
        further = tuple(word for edge in self.further for word in ("--edge", edge))
        if self.start is not None:
            return (*self.start.switches(), "--port", str(self.port), *further, *transport)
        nodes = () if self.attach is None else self.attach.switches()
        return ("--target", self.target, *hosts, *further, *nodes, *transport)

    def _transport_switches(self) -> tuple[str, ...]:
        port = () if self.websocket_port is None else ("--websocket-port", str(self.websocket_port))
        transport = () if self.transport == "tcp" else ("--transport", self.transport)
        return (*port, *transport, *(() if self.tls is None else self.tls.switches()))

    @property
    def transport(self) -> str:
        """Return over what clients come: one of :data:`TRANSPORTS`."""
        return transport_name(self.tls is not None, self.websocket)

    def address(self) -> tuple[str, int]:
        """Return host and port of a target that runs, or that is started by commands."""
        where = (_LOOPBACK, self.port) if self.start is not None else _address(self.target)
        assert where is not None
        return where

    def edge_addresses(self) -> tuple[tuple[str, int], ...]:
        """Return host and port of each further edge; one without a host is beside the first."""
        host, _ = self.address()
        named = (_address(edge if ":" in edge else f"{host}:{edge}") for edge in self.further)
        return tuple(where for where in named if where is not None)


def _address(text: str) -> tuple[str, int] | None:
    """Return host and port of ``HOST:PORT``, None if it is not of that form."""
    host, separator, port = text.rpartition(":")
    valid = separator and host and _DIGITS.fullmatch(port) and 0 < int(port) < 65536
    return (host, int(port)) if valid else None


#: More workers than this are no fuzzing run of one machine.
MAX_JOBS = 256


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one of several workers: its ``number``, from 0, and the folder they share.

    ``known`` are the fingerprints of findings that are older than the run.
    """

    number: int
    shared: Path
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FuzzSettings:
    """One fuzzing run. ``seconds`` and ``cases`` bound it; None is without bound.

    ``maximise`` names what the search is to drive up beside coverage: ``cost`` or nothing.
    With ``families``, of :data:`FAMILIES`, cases are changed by those alone.
    With a ``decoder`` nothing is played: that function of the node is called, and ``meaning`` says
    what its answers mean. So many ``jobs`` play at once, each at a target of its own, and ``cases``
    is what they play together; ``place`` tells each of several which it is. A run also ends when
    it has come upon nothing new for ``until_stale`` seconds.
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
    families: tuple[str, ...] = ()
    decoder: Decoder | None = None
    meaning: Meaning = DEFAULT
    jobs: int = 1
    place: Place | None = None
    until_stale: float | None = None

    def __post_init__(self) -> None:
        self._check_jobs()
        if self.until_stale is not None and not self.until_stale > 0:
            raise SettingsError("--until-stale wants a time above zero, as in 30m")
        if self.seconds is not None and not self.seconds > 0:
            raise SettingsError("--time wants a number of seconds above zero")
        if self.cases is not None and self.cases <= 0:
            raise SettingsError("--cases wants a number above zero")
        if self.decoder is not None and self.target.rate is not None:
            raise SettingsError(
                "--rate is for cases that are played, and a decoder is called as fast as it goes; "
                "leave one of the two out"
            )
        if self.maximise not in (None, *MAXIMISABLE):
            raise SettingsError(f"--maximise knows {', '.join(MAXIMISABLE)} only")
        unknown = next((name for name in self.families if name not in FAMILIES), None)
        if unknown is not None:
            raise SettingsError(
                f"there is no family of mutations {unknown}; choose of {', '.join(FAMILIES)}"
            )
        if self.families and set(self.families) <= {"cross", "constants"}:
            alone = " and ".join(self.families)
            raise SettingsError(f"cases are not changed by {alone} alone: name another family too")

    def _check_jobs(self) -> None:
        if not 1 <= self.jobs <= MAX_JOBS:
            raise SettingsError(f"--jobs wants a number from 1 to {MAX_JOBS}")
        if self.jobs == 1:
            return
        if not self.target.embedded:
            raise SettingsError(
                "--jobs wants a target for each worker, and an Iris of your own is one, on its own "
                "ports: leave out --jobs, or fuzz the embedded target"
            )
        if self.decoder is not None:
            raise SettingsError("a decoder is called by one worker only: leave out --jobs")
