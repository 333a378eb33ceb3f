"""Somebody's own Iris: started by their own commands, and ended with all that came of them."""

from __future__ import annotations

import os
import select
import shutil
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fuzz.announced import AGENTS_FOLDER
from fuzz.clock import Clock, Deadline, SystemClock
from fuzz.observation import NodeExit
from fuzz.scratch import new_folder
from fuzz.settings import StartSettings
from fuzz.target.base import Address, Manner
from fuzz.target.brought_up import BroughtUp
from fuzz.target.dump import dump_environment, read_dump
from fuzz.target.guarded import Guardian
from fuzz.target.launch import SHELL_SIGNAL, Launch, Port, check_folder, check_free
from fuzz.target.process import killed_by, signal_name
from fuzz.target.processes import MARK, Started, all_listening, new_mark

#: A shell that waits for a node ends at once when the node has, and so do the node's own programs.
_SHELL_SECONDS = 2.0
_LOOK_SECONDS = 0.02
#: The last lines that are kept of a node that ended; a crash report is some forty lines.
_LOG_LINES = 40


@dataclass(frozen=True, slots=True)
class _Watched:
    """A node whose end is looked for: the descriptor is readable from then on."""

    pid: int
    command: int
    descriptor: int


class StartedTarget:
    """An Iris of one or more nodes, brought up by ``settings``, whose edges are at ``ports``.

    The first port is that of the edge that is fuzzed, the others are further edges. All are on
    the loopback interface. All that it starts bears its ``mark``.
    """

    restartable = True
    forgets = False

    def __init__(
        self,
        settings: StartSettings,
        ports: tuple[Port, ...],
        clock: Clock | None = None,
        manner: Manner | None = None,
    ) -> None:
        host, port = ports[0]
        self.name = f"{host}:{port}, started here"
        self._settings = settings
        self._ports = ports
        self._manner = manner or Manner()
        self._clock = clock or SystemClock()
        self.mark = new_mark()
        self._guardian: Guardian | None = None
        self._up: BroughtUp | None = None
        self._scratch: Path | None = None
        self._watched: dict[int, _Watched] = {}
        self._poll = select.poll()
        self._exit: NodeExit | None = None
        self._given: Mapping[str, str] = {}
        self._stopped = threading.Event()

    def start(self, environment: Mapping[str, str]) -> Address:
        """Run the commands one after another; return when all ports accept connections.

        Raises :class:`fuzz.errors.TargetError` with what is wrong and the last lines of its log,
        when all that was started has been ended again.
        """
        self._exit = None
        self._stopped.clear()
        check_folder(self._settings.folder)
        check_free(self._ports, self._settings.seconds, self._clock)
        others = all_listening()
        self._scratch = new_folder("started")
        folder = environment.get(AGENTS_FOLDER)
        agents = Path(folder) if folder is not None else None
        self._up = BroughtUp(self.mark, self._settings.folder, agents)
        self._given = environment
        try:
            self._guardian = Guardian(self.mark)
            launch = Launch(self._settings, self._guardian, self._up, self._ports, self._clock)
            launch.run(self._environment)
            self.nodes()
            launch.look()  # nobody has ended before we began to watch
        except BaseException:  # an interrupt too must leave no node behind
            self.stop()
            raise
        return self._address(all_listening() - others)

    def revive(self) -> bool:
        """Run the command of the only node that has ended once more; tell whether all are up.

        That can be done where each of several commands has brought up one node, and nothing is
        left of what the one has started whose node has ended; else nothing is done. Raises
        :class:`fuzz.errors.TargetError` if it does not come up; :meth:`stop` is due then.
        """
        node = self._ended_alone()
        if node is None:
            return False
        assert self._guardian is not None
        assert self._up is not None
        self._forget(node)
        self._exit = None
        self._dump(node.command).unlink(missing_ok=True)
        launch = Launch(self._settings, self._guardian, self._up, self._ports, self._clock)
        launch.run_again(node.command, self._environment(node.command))
        self.nodes()
        launch.look()
        return True

    def nodes(self) -> tuple[int, ...]:
        """Return the numbers of the nodes that are up, that of the first edge first.

        Their ends are looked for from then on.
        """
        if self._up is None:
            return ()
        look = self._up.look()
        wanted = [port for _, port in self._ports]
        order: list[tuple[int, Started]] = []
        for one in look.processes:
            ports = self._up.ports(one, look) if one.is_beam else frozenset()
            # An emulator that listens nowhere builds, or asks something, and is no node.
            if ports:
                mine = (place for place, port in enumerate(wanted) if port in ports)
                order.append((next(mine, len(wanted)), one))
                self._watch(one)
        return tuple(one.pid for _, one in sorted(order, key=lambda pair: (pair[0], pair[1].pid)))

    def poll(self) -> NodeExit | None:
        """Return how the first node that ended did so, or None while all run."""
        return self.await_exit(0)

    def await_exit(self, seconds: float) -> NodeExit | None:
        """Wait at most ``seconds`` for a node to end, whichever that is; return how it did."""
        if self._exit is None and self._watched:
            ended = self._poll.poll(seconds * 1000)
            if ended:
                by_descriptor = {one.descriptor: one for one in self._watched.values()}
                self._exit = self._how(by_descriptor[ended[0][0]])
        elif self._exit is None:
            self._stopped.wait(seconds)
        return self._exit

    def stop(self) -> None:
        """End the nodes politely, then all else that came of the commands."""
        self._stopped.set()
        for one in tuple(self._watched.values()):
            self._forget(one)
        self._up = None
        guardian, self._guardian = self._guardian, None
        try:
            if guardian is not None:
                guardian.end()
        finally:
            if self._scratch is not None:
                shutil.rmtree(self._scratch, ignore_errors=True)
                self._scratch = None

    def retire(self) -> None:
        """See :meth:`fuzz.target.base.Target.retire`: nothing is kept for it."""
        self.stop()

    def _environment(self, command: int) -> dict[str, str]:
        dump = self._dump(command)
        dump.parent.mkdir(exist_ok=True)
        return {
            **os.environ,
            **dump_environment(dump),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            MARK: f"{self.mark}.{command}",
            **self._given,
        }

    def _dump(self, command: int) -> Path:
        assert self._scratch is not None
        return self._scratch / f"command-{command}" / "erl_crash.dump"

    def _address(self, ours: frozenset[int]) -> Address:
        """Return where the edges are; that of WebSocket is the next one, if it was opened."""
        taken = {port for _, port in self._ports}
        first, *further = (
            Address(host, port, port + 1 if port + 1 in ours - taken else None)
            for host, port in self._ports
        )
        return self._manner.applied(replace(first, further=tuple(further)))

    def _watch(self, one: Started) -> None:
        if one.pid in self._watched:
            return
        with suppress(ProcessLookupError):  # it has ended meanwhile, and is no node any more
            descriptor = os.pidfd_open(one.pid)
            self._poll.register(descriptor, select.POLLIN)
            self._watched[one.pid] = _Watched(one.pid, one.command, descriptor)

    def _forget(self, one: _Watched) -> None:
        self._poll.unregister(one.descriptor)
        os.close(one.descriptor)
        del self._watched[one.pid]

    def _ended_alone(self) -> _Watched | None:
        """Return the only node that has ended, if it is all that its command has brought up."""
        ended = {descriptor for descriptor, _ in self._poll.poll(0)}
        nodes = Counter(one.command for one in self._watched.values())
        each_one = dict.fromkeys(range(len(self._settings.commands)), 1)
        if len(ended) != 1 or len(each_one) < 2 or nodes != each_one:
            return None
        (node,) = (one for one in self._watched.values() if one.descriptor in ended)
        return node if self._nothing_left(node.command) else None

    def _nothing_left(self, command: int) -> bool:
        """Tell whether all that came of a command is gone, now that its node has ended."""
        assert self._up is not None
        deadline = Deadline.after(self._clock, _SHELL_SECONDS, "what was around a node to end")
        pause = threading.Event()
        while left := self._up.look().of(command):
            if deadline.expired():
                break
            pause.wait(_LOOK_SECONDS)
        return not left

    def _how(self, node: _Watched) -> NodeExit:
        """Return how a node ended. Its parent knows: the guardian, or else a shell may tell."""
        assert self._guardian is not None
        assert self._up is not None
        code = self._guardian.code_of(node.pid)
        if code is None:
            code = self._told_by_shell(node.command)
        dump = read_dump(self._dump(node.command))
        slogan = dump.get("slogan")
        lines = [*self._guardian.lines(node.command), *self._up.log(node.pid)]
        return NodeExit(
            status=code if code is not None and code >= 0 else None,
            signal=killed_by(code) if code is not None else None,
            slogan=str(slogan) if slogan else None,
            dump=dump,
            log_tail=tuple(lines[-_LOG_LINES:]),
            node=self._up.name(node.pid),
        )

    def _told_by_shell(self, command: int) -> int | None:
        """Return how a node ended whose command stayed in the foreground, None if it is not told.

        A shell ends as what it waited for; ``make`` ends with 2, whatever it was.
        """
        assert self._guardian is not None
        deadline = Deadline.after(self._clock, _SHELL_SECONDS, "the shell to end after its node")
        pause = threading.Event()
        while (code := self._guardian.codes()[command]) is None and not deadline.expired():
            pause.wait(_LOOK_SECONDS)
        is_signal = code is not None and signal_name(code - SHELL_SIGNAL) is not None
        return SHELL_SIGNAL - code if code is not None and is_signal else None
