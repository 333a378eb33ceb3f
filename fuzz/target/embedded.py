"""The embedded target: the reference Iris, started as a node of its own."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from fuzz.clock import Clock, Deadline, SystemClock
from fuzz.errors import TargetError
from fuzz.observation import NodeExit
from fuzz.recipes import REVOKED_JTI
from fuzz.scratch import new_folder
from fuzz.settings import TlsSettings
from fuzz.target.base import Address
from fuzz.target.dump import dump_environment, read_dump
from fuzz.target.process import ChildProcess, killed_by
from fuzz.target.reference_build import compile_reference
from fuzz.target.spare import Spare
from fuzz.tls import ClientTls, client_tls

#: A node boots in a second or two; a machine that runs ten of them at once takes longer.
BOOT_SECONDS = 60.0
#: A node whose input has ended halts at once, for nobody wants what it holds; one that does not
#: even get to that is killed.
STOP_SECONDS = 3.0
#: One scheduler that does not spin: node and harness share the machine's cores.
_EMULATOR_FLAGS = ("+S", "1:1", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")
#: The ceiling of the node's address space. It reserves 2.1 GiB of that at its start and uses
#: 0.1; this leaves twenty times what it uses, and a runaway ends before the machine suffers. One
#: that is run in the foreground has it too: what breaks over it is broken there as well.
MEMORY_BYTES = 4 * 1024**3
#: As long as the signature of HS256 is: a shorter secret would be weaker than it.
_SECRET_BYTES = 32
_MEMORY_FOLDER = "/dev/shm"
#: The reference keeps at most some 64 MiB, Mnesia holds them twice, and a dump is cut at 64.
_SCRATCH_BYTES = 512 * 1024 * 1024
READY = re.compile(r"IRIS_REF READY tcp=(\d+) ws=(\d+) node=\S+ auth=(true|false) tls=(true|false)")
#: Where it writes, in the folder of its data, whom its clients have to trust; see iris_ref_tls.
CA_FILE = Path("tls/ca.pem")


class Options:
    """What the nodes of one target are told: arguments of the module ``iris_ref``.

    Tokens are signed with a secret of this object's own, unless ``given`` names another, and of
    those one ``jti`` is revoked. ``plants`` are the planted defects to switch on.
    """

    def __init__(
        self, plants: tuple[str, ...], given: Mapping[str, str] | None, tls: bool = False
    ) -> None:
        self._words = {
            "auth_secret": secrets.token_hex(_SECRET_BYTES),
            "revoked": REVOKED_JTI,
            **({"tls": "true"} if tls else {}),
            **(given or {}),
            "stop_on_eof": "true",
        }
        if plants:
            self._words["plants"] = ",".join(plants)

    @property
    def secret(self) -> bytes:
        """Return what tokens are signed with."""
        return self._words["auth_secret"].encode()

    @property
    def revoked(self) -> frozenset[str]:
        """Return each ``jti`` that is refused."""
        return frozenset(self._words["revoked"].split(","))

    def words(self) -> dict[str, str]:
        """Return the arguments and their values."""
        return dict(self._words)


class EmbeddedTarget:
    """The reference Iris on ``host:port``; port 0 lets the system choose.

    ``options`` are arguments of its module ``iris_ref``. Its tokens are signed with a secret
    of this object's own, unless they name another, and of those one ``jti`` is revoked; whether
    it asks for them is up to ``auth_enabled`` and to the planted defects, and is told by the
    address. So is whether it speaks TLS, which ``tls`` asks for; its clients trust the
    certificates that it makes. With ``websocket``, they come over WebSocket as a rule.

    The node lives in a temporary folder of its own (data, crash dump), which ``stop``
    removes: a node that is started again starts from nothing. One that was started twice may well
    be started a third time, so from then on a spare stands by.
    """

    restartable = True
    forgets = True

    def __init__(
        self,
        port: int = 8085,
        plants: tuple[str, ...] = (),
        options: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        tls: TlsSettings | None = None,
        websocket: bool = False,
    ) -> None:
        self.name = "embedded"
        self._tls = tls
        self._websocket = websocket
        self._options = Options(plants, options, tls is not None)
        self._port = port
        self._web_port: str | None = None
        self._clock = clock or SystemClock()
        self._folder: Path | None = None
        self._process: ChildProcess | None = None
        self._starts = 0
        self._spare: Spare | None = None

    def start(self, environment: Mapping[str, str]) -> Address:
        """Compile if need be, start the node, and return when it says that it is ready."""
        self._kill()  # what is left of one that has ended by itself
        ready = self._taken_over(environment) or self._begun(environment)
        assert self._folder is not None
        # From here on the ports are known: a restart must come up on the same ones.
        self._port = int(ready[1])
        self._web_port = ready[2]
        secret = self._options.secret if ready[3] == "true" else None
        self._starts += 1
        if self._starts > 1:
            self._stand_by(environment)
        return Address(
            "127.0.0.1",
            int(ready[1]),
            int(ready[2]),
            secret,
            self._options.revoked,
            tls=trusting(self._tls, _data_in(self._folder)) if ready[4] == "true" else None,
            websocket=self._websocket,
            defers=False,
        )

    def _taken_over(self, environment: Mapping[str, str]) -> re.Match[str] | None:
        """Let the spare serve, if there is one and it may; return what it says when it does.

        One that does not is no loss: a node that is started anew tells why, if there is a reason.
        """
        spare = self._spare
        if spare is None or self._folder is not None or not spare.serves(environment):
            return None
        self._process, self._folder, self._spare = spare.process, spare.folder, None
        ready, _ = self._said(spare.process)
        if ready is None:
            self.retire()
        return ready

    def _begun(self, environment: Mapping[str, str]) -> re.Match[str]:
        """Start a node and return what it says when it serves."""
        self._folder = self._folder or node_folder()
        _dump_in(self._folder).unlink(missing_ok=True)
        self._process = self._boot(self._folder, environment)
        ready, why = self._said(self._process)
        if ready is None:
            self.stop()
            raise TargetError(why)
        return ready

    def _said(self, process: ChildProcess) -> tuple[re.Match[str] | None, str]:
        """Return what a node says when it serves, or else why it does not."""
        deadline = Deadline.after(self._clock, BOOT_SECONDS, "the reference Iris to be ready")
        line = process.wait_for_line(("IRIS_REF READY", "IRIS_REF ERROR"), deadline)
        ready = READY.match(line or "")
        return ready, "" if ready is not None else why_not_ready(line, process, deadline)

    def nodes(self) -> tuple[int, ...]:
        """Return the number of its one process, while that lives."""
        process = self._process
        return (process.pid,) if process is not None and process.returncode() is None else ()

    def poll(self) -> NodeExit | None:
        """Return how the node ended, or None while it runs."""
        return self.await_exit(0)

    def await_exit(self, seconds: float) -> NodeExit | None:
        """Wait at most ``seconds`` for the node to end; return how it did."""
        process = self._process
        code = process.wait(seconds) if process is not None else None
        if process is None or code is None:
            return None
        dump = read_dump(_dump_in(self._folder)) if self._folder is not None else {}
        slogan = dump.get("slogan")
        return NodeExit(
            status=code if code >= 0 else None,
            signal=killed_by(code),
            slogan=str(slogan) if slogan else None,
            dump=dump,
            log_tail=tuple(process.lines)[-40:],
        )

    def stop(self) -> None:
        """End the node, politely first, and the spare, and remove their folders."""
        self.retire()
        self._discard_spare()

    def retire(self) -> None:
        """See :meth:`fuzz.target.base.Target.retire`."""
        if self._process is not None:
            self._process.close_input()
            self._process.wait(STOP_SECONDS)
        self._kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _kill(self) -> None:
        if self._process is not None:
            self._process.close_input()
            self._process.kill()
            self._process = None

    def _stand_by(self, environment: Mapping[str, str]) -> None:
        """Boot a spare, in the place of one that does not fit.

        Where there is no room for one, the next start, which does without, tells so if it must.
        """
        self._discard_spare()
        with suppress(OSError, TargetError), ExitStack() as undone:
            folder = node_folder()
            undone.callback(shutil.rmtree, folder, ignore_errors=True)
            process = self._boot(folder, environment, stand_by="true")
            self._spare = Spare(process, folder, dict(environment))
            undone.pop_all()

    def _discard_spare(self) -> None:
        if self._spare is not None:
            self._spare.discard()
            self._spare = None

    def _boot(self, folder: Path, environment: Mapping[str, str], **more: str) -> ChildProcess:
        """Start a node that lives in ``folder``; ``more`` are arguments for it alone."""
        arguments = {
            **self._options.words(),
            "port": str(self._port),
            "data_dir": str(_data_in(folder)),
            **more,
        }
        if self._web_port is not None:
            arguments["ws_port"] = self._web_port
        return ChildProcess(
            reference_command(compile_reference(), arguments),
            {
                **dump_environment(_dump_in(folder)),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                **environment,
            },
            str(folder),
            memory_bytes=MEMORY_BYTES,
        )


def _data_in(folder: Path) -> Path:
    return folder / "data"


def _dump_in(folder: Path) -> Path:
    return folder / "erl_crash.dump"


def reference_command(ebin: Path, arguments: Mapping[str, str]) -> list[str]:
    """Return the command that starts the reference Iris; its module ``iris_ref`` lists keys."""
    words = [word for pair in arguments.items() for word in pair]
    start = ("-noshell", "-pa", str(ebin), "-s", "iris_ref", "main")
    return ["erl", *_EMULATOR_FLAGS, *start, "-extra", *words]


def node_folder() -> Path:
    """Return a new folder for the data of a target; raise :class:`TargetError` if none can be had.

    What is free in memory is not always for us: it may be read-only, or out of inodes.
    """
    memory = scratch_folder()
    if memory is not None:
        with suppress(TargetError):
            return new_folder("node", Path(memory))
    return new_folder("node")


def scratch_folder() -> str | None:
    """Return a memory file system to keep the node's data on, if there is room in one.

    The reference syncs its disc before it says that something is safe, which costs
    milliseconds on a real one and would be most of what a campaign waits for. A kill of the
    node loses nothing there either.
    """
    try:
        free = shutil.disk_usage(_MEMORY_FOLDER).free
    except OSError:
        return None
    return _MEMORY_FOLDER if free >= _SCRATCH_BYTES else None


def why_not_ready(line: str | None, process: ChildProcess, deadline: Deadline) -> str:
    """Return why a node did not come up, of which ``line`` is what it said, if anything."""
    if line is not None:
        return line.removeprefix("IRIS_REF ERROR ") + "; free it or choose another with --port"
    if deadline.expired():
        return f"the target did not come up: waited {BOOT_SECONDS:.0f} s for {deadline.what}"
    last = next((text for text in reversed(process.lines) if text), "it printed nothing")
    return f"the target ended before it was ready: {last}"


def trusting(tls: TlsSettings | None, data: Path) -> ClientTls:
    """Return how clients speak TLS to a node whose data is in the folder ``data``."""
    return client_tls(replace(tls or TlsSettings(), ca=data / CA_FILE), "127.0.0.1")
