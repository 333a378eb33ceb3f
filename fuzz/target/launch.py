"""From start commands to an Iris that accepts connections, or to one sentence that says why not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from fuzz.clock import Clock, Deadline
from fuzz.describe import printable
from fuzz.epmd import distribution_ports
from fuzz.errors import SettingsError, TargetError
from fuzz.settings import StartSettings
from fuzz.target.brought_up import BroughtUp, Look
from fuzz.target.guarded import Guardian
from fuzz.target.process import killed_by, signal_name
from fuzz.target.processes import EMPTY_LOOKS, holders, is_left_over

#: How often it is looked whether a command has returned, a node is up, a port accepts.
_LOOK_SECONDS = 0.05
#: A command that has returned leaves a node that boots, as a rule; one that leaves something
#: else, or a node without the agent, is not waited for any longer.
_SETTLE_SECONDS = 10.0
#: A listener on this machine accepts at once.
_CONNECT_SECONDS = 1.0
#: Lines of each log that an error shows: the last words, and what led to them.
_LAST_WORDS = 8
#: What a shell ends with for a command that it does not find.
_NOT_FOUND = 127
#: Above it, a shell tells that a command was ended by a signal.
SHELL_SIGNAL = 128

Port = tuple[str, int]


class Launch:
    """One start of ``settings``, after which something listens on ``ports``."""

    def __init__(
        self,
        settings: StartSettings,
        guardian: Guardian,
        up: BroughtUp,
        ports: tuple[Port, ...],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._guardian = guardian
        self._brought = up
        self._ports = ports
        self._clock = clock
        self._deadline = Deadline.after(clock, settings.seconds, "the target to start")
        self._pause = threading.Event()
        self._nodes: set[int] = set()
        self._up: set[int] = set()

    def run(self, environment: Callable[[int], Mapping[str, str]]) -> None:
        """Run the commands one after another, and wait until all ports accept connections.

        ``environment`` gives that of each command, by its place. Raises :class:`TargetError`
        with what went wrong, and the last lines of its log.
        """
        for number, command in enumerate(self._settings.commands):
            self._guardian.run(command, environment(number), self._settings.folder)
            self._wait_for_command(number)
        self._wait_for_ports()

    def run_again(self, number: int, environment: Mapping[str, str]) -> None:
        """Run one command once more, of which nothing is left, and wait as :meth:`run` does."""
        command, folder = self._settings.commands[number], self._settings.folder
        self._guardian.run(command, environment, folder, number)
        self._wait_for_command(number)
        self._wait_for_ports()

    def _wait_for_ports(self) -> None:
        empty = 0
        while missing := [port for where, port in self._ports if not _accepts((where, port))]:
            look = self.look()
            returned = all(code == 0 for code in self._guardian.codes())
            empty = empty + 1 if returned and not look.processes else 0
            if empty == EMPTY_LOOKS:
                raise self._nothing_left(missing[0])
            if self._deadline.expired():
                raise self._nobody_listens(missing[0])
            self._wait()
        self._settle()

    def _wait_for_command(self, number: int) -> None:
        """Wait until a command has done its part: it returned, or what it runs is up."""
        settled: Deadline | None = None
        while True:
            look = self.look()
            code = self._guardian.codes()[number]
            if self._is_done(number, look, code):
                return
            if code == 0:
                what = "a node to boot"
                settled = settled or Deadline.after(self._clock, _SETTLE_SECONDS, what)
                if settled.expired() or self._deadline.expired():
                    return  # whoever waits for the ports tells what is missing
            elif self._deadline.expired():
                raise self._hangs(number)
            self._wait()

    def _is_done(self, number: int, look: Look, code: int | None) -> bool:
        own = look.of(number)
        up = [one for one in self._brought.up(look) if one.command == number]
        wanted = {port for _, port in self._ports}
        if any(self._brought.ports(one, look) & wanted for one in own):
            return True
        if code is None:
            return bool(up)
        return len(up) == len([one for one in own if one.is_beam]) and (bool(up) or not own)

    def _settle(self) -> None:
        """Wait until all nodes are up, so that whatever is to listen does; not for long."""
        settled = Deadline.after(self._clock, _SETTLE_SECONDS, "all nodes to boot")
        while True:
            look = self.look()
            nodes = [one for one in look.processes if one.is_beam]
            if len(self._brought.up(look)) == len(nodes) or settled.expired():
                return
            self._wait()

    def look(self) -> Look:
        """Look at the processes; raise :class:`TargetError` for a node or a command that failed."""
        look = self._brought.look()
        for number, code in enumerate(self._guardian.codes()):
            if code not in (None, 0):
                raise self._failed(number, code)
        if self._fallen(look):
            # A node that ends for another's sake ends after it, maybe while we looked.
            fallen = self._fallen(self._brought.look())
            raise self._died(min(fallen, key=self._brought.command))
        self._nodes |= {one.pid for one in look.processes if one.is_beam}
        self._up |= {one.pid for one in self._brought.up(look)}
        return look

    def _fallen(self, look: Look) -> list[int]:
        """Return the nodes that have ended, and were not meant to."""
        gone = self._nodes - {one.pid for one in look.processes}
        # Of one that was not up, its parent knows whether that was meant to be.
        fallen = [pid for pid in gone if pid in self._up or self._guardian.code_of(pid)]
        self._nodes -= gone.difference(fallen)
        return fallen

    def _wait(self) -> None:
        self._pause.wait(_LOOK_SECONDS)

    # What a person is told.

    def _failed(self, number: int, code: int) -> TargetError:
        command, folder = self._settings.commands[number], self._settings.folder
        told = f"`{command}` ended with {how_ended(code)} before the target was ready"
        if code == _NOT_FOUND:
            told += ", for a command was not found"
        told += f"; run it by hand in {folder.resolve()}, and start again when it works"
        return TargetError(told + last_words(*self._logs(number)))

    def _died(self, pid: int) -> TargetError:
        code = self._guardian.code_of(pid)
        how = "" if code is None else f" by {how_ended(code)}"
        node = self._brought.name(pid) or f"a node (process {pid})"
        command = self._settings.commands[self._brought.command(pid)]
        told = f"{node}, which `{command}` started, ended{how} before the target was ready"
        logs = (self._guardian.lines(self._brought.command(pid)), self._brought.log(pid))
        return TargetError(told + last_words(*logs))

    def _hangs(self, number: int) -> TargetError:
        told = (
            f"waited {self._settings.seconds:g} s in vain for `{self._settings.commands[number]}` "
            "to return, or to bring up a node"
        )
        return TargetError(told + self._where_it_listens() + last_words(*self._logs(number)))

    def _nothing_left(self, port: int) -> TargetError:
        told = (
            "the start commands returned, but nothing that they started is left, and nobody "
            f"listens on port {port}; do they start your Iris?"
        )
        return TargetError(told + last_words(*self._all_logs()))

    def _nobody_listens(self, port: int) -> TargetError:
        told = f"waited {self._settings.seconds:g} s in vain for a listener on port {port}"
        return TargetError(told + self._where_it_listens() + last_words(*self._all_logs()))

    def _where_it_listens(self) -> str:
        """Return the rest of a sentence: where what was started listens, and what to do."""
        others = self._other_ports(self._brought.look())
        if others:
            right = "give the right one with --port or --edge"
            return f"; what was started listens on {others}: {right}"
        longer = "if it needs longer, give --start-timeout SECONDS"
        return f"; what was started listens nowhere: {longer}"

    def _other_ports(self, look: Look) -> str:
        """Return on which ports clients could be served, and by whom."""
        wanted = {port for _, port in self._ports}
        distribution = distribution_ports()
        told = []
        for one in look.processes:
            who = self._brought.name(one.pid) or f"{one.program}, process {one.pid}"
            found = self._brought.ports(one, look) - wanted - distribution
            told += [f"port {port} ({who})" for port in sorted(found)]
        return ", ".join(told)

    def _logs(self, number: int) -> tuple[list[str], list[str]]:
        """Return what a command has printed, and what its processes have written to their logs."""
        return self._guardian.lines(number), self._brought.command_log(number)

    def _all_logs(self) -> list[list[str]]:
        numbers = range(len(self._settings.commands))
        return [lines for number in numbers for lines in self._logs(number)]


def check_folder(folder: Path) -> None:
    """Raise :class:`SettingsError` if start commands cannot be run in ``folder``."""
    try:
        if folder.is_dir():
            return
        what = "is no folder" if folder.exists() else "does not exist"
    except OSError as error:
        what = f"cannot be entered ({error.strerror})"
    raise SettingsError(f"--cwd {folder} {what}; name the folder with your Iris in it")


def check_free(ports: tuple[Port, ...], seconds: float, clock: Clock) -> None:
    """Raise :class:`TargetError` if somebody listens on one of ``ports`` already.

    What a harness that was killed has left is being ended: that is waited for.
    """
    deadline = Deadline.after(clock, seconds, "an earlier target to end")
    pause = threading.Event()
    for where, port in ports:
        while found := holders(where, port):
            strangers = [pid for pid in found if pid is None or not is_left_over(pid)]
            if strangers or deadline.expired():
                raise TargetError(
                    f"port {port} is in use already, by {_who((strangers or found)[0])}: end it "
                    "before your Iris is started, or fuzz what runs there with "
                    f"--target {where}:{port}"
                )
            pause.wait(_LOOK_SECONDS)


def _who(pid: int | None) -> str:
    try:
        return "somebody" if pid is None else f"{psutil.Process(pid).name()}, process {pid}"
    except psutil.NoSuchProcess:
        return f"process {pid}"


def how_ended(code: int) -> str:
    """Return how a process ended: by exit code, or by signal, also where a shell tells of it."""
    name = signal_name(code - SHELL_SIGNAL)
    return killed_by(code) or f"exit code {code}" + (f" ({name})" if name else "")


def last_words(*logs: list[str]) -> str:
    """Return the last lines of each log that say anything, as the end of an error."""
    said = [[printable(line) for line in log if line.strip()][-_LAST_WORDS:] for log in logs]
    lines = [f"\n  {line}" for log in said for line in log]
    return "\nIts last lines:" + "".join(lines) if lines else ""


def _accepts(port: Port) -> bool:
    try:
        socket.create_connection(port, _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
