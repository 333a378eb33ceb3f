"""Nodes of the reference server, and clients whose bytes are spelled out here.

The clients share nothing with the grammar: what the server says is judged by this file.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fuzz.clock import Deadline, SystemClock
from fuzz.erlang import clean_environment
from fuzz.target.reference_build import compile_reference

#: A node boots in half a second on an idle machine; a reply comes in microseconds.
BOOT_SECONDS = 30.0
REPLY_SECONDS = 30.0

LOGIN_OK = b"\x03LOGIN_OK"

#: Reads expressions from standard input, prints their values, and ends the node at the end.
_EVALUATOR = """
    spawn(fun Loop() ->
        case io:get_line("") of
            eof -> erlang:halt(0, [{flush, false}]);
            Line ->
                {ok, Tokens, _} = erl_scan:string(Line),
                {ok, Expressions} = erl_parse:parse_exprs(Tokens),
                {value, Value, _} = erl_eval:exprs(Expressions, []),
                io:format("=> ~0p~n", [Value]),
                Loop()
        end
    end).
"""


def soon(what: str, seconds: float = BOOT_SECONDS) -> Deadline:
    """Return a deadline for something that happens at once on an idle machine."""
    return Deadline.after(SystemClock(), seconds, what)


def command(arguments: Mapping[str, object], flags: tuple[str, ...] = ()) -> list[str]:
    """Return the command that starts a node with these arguments."""
    words = [word for key, value in arguments.items() for word in (key, str(value))]
    ebin = str(compile_reference())
    start = ["erl", "-noshell", *flags, "-pa", ebin, "-s", "iris_ref", "main"]
    return [*start, "-extra", *words]


class ReferenceNode:
    """A node of the reference server that ends with its standard input."""

    def __init__(
        self,
        folder: Path,
        arguments: Mapping[str, object] | None = None,
        flags: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        flags = ("+S", "2:2", "+sbwt", "none", *flags, "-eval", _EVALUATOR)
        given = {"port": 0, "data_dir": folder / "data", **(arguments or {})}
        environment = {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_CRASH_DUMP": str(folder / "dump")}
        self.process = subprocess.Popen(
            command(given, flags),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**clean_environment(), **environment},
        )
        self._buffer = b""
        #: Lines that were not asked for: the log.
        self.log: list[str] = []
        try:
            words = dict(word.split("=") for word in self._line("IRIS_REF READY ").split())
        except AssertionError:
            self.stop()
            raise
        self.tcp, self.ws, self.name = int(words["tcp"]), int(words["ws"]), words["node"]

    def __enter__(self) -> ReferenceNode:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def eval(self, expressions: str) -> str:
        """Return the value of expressions, as Erlang text in one line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{' '.join(expressions.split())}.\n".encode())
        self.process.stdin.flush()
        return self._line("=> ")

    def number(self, expression: str) -> int:
        """Return the value of an expression that is an integer."""
        return int(self.eval(expression))

    def until(self, expression: str, what: str) -> None:
        """Wait until an expression is true."""
        deadline = soon(what, REPLY_SECONDS)
        while self.eval(expression) != "true":
            assert not deadline.expired(), f"waited in vain for {what}"

    def logged(self, *texts: str) -> str:
        """Wait until the log has all of these texts; return the log."""
        deadline = soon(f"the log to have {texts}", REPLY_SECONDS)
        while not all(text in "\n".join(self.log) for text in texts):
            assert not deadline.expired(), f"waited in vain for {deadline.what}: {self.log}"
            self.eval("ok")
        return "\n".join(self.log)

    def kill(self) -> None:
        """End the node at once, by SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.stop()

    def stop(self) -> int:
        """End the node; return its exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            code = self.process.wait(REPLY_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process.stdout.close()
        return code

    def _line(self, prefix: str) -> str:
        assert self.process.stdout is not None
        deadline = soon(f"a line with {prefix!r}")
        while not deadline.expired():
            raw, found, rest = self._buffer.partition(b"\n")
            if found:
                self._buffer = rest
                line = raw.decode("latin-1")
                if line.startswith(prefix):
                    return line.removeprefix(prefix)
                self.log.append(line)
                continue
            ready, _, _ = select.select([self.process.stdout], [], [], deadline.left())
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if ready and not data:
                raise AssertionError(f"the node ended: {self.log} {self._buffer!r}")
            self._buffer += data
        raise AssertionError(f"waited in vain for {deadline.what}: {self.log}")


def memory_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a new folder, in memory where there is such a file system: a sync costs nothing."""
    parent = "/dev/shm"
    return tempfile.TemporaryDirectory(
        prefix="iris-ref-", dir=parent if os.access(parent, os.W_OK) else None
    )


def n16(value: bytes) -> bytes:
    """Return a value behind its length in two bytes."""
    return len(value).to_bytes(2, "big") + value


def n32(value: bytes) -> bytes:
    """Return a value behind its length in four bytes."""
    return len(value).to_bytes(4, "big") + value


def u64(number: int) -> bytes:
    """Return a number in eight bytes."""
    return number.to_bytes(8, "big")


#: The fields of each frame of the server: the bytes of a length, or "n" and those of a number.
_REPLIES = {
    0x06: (2, "n1", "n8"),
    0x10: (2, 4),
    0x22: (4,),
    0x24: (2, 2, 4),
    0x31: (2, 2),
    0x33: (2, 2, 4),
    0x35: (2, 4),
    0x36: (2, 4),
    0x72: (2, "n1"),
    0x75: (2, 2, "n8"),
    0xFE: (2,),
    0xFF: ("n4",),
}

Frame = tuple[int | bytes, ...]


def parse(data: bytes) -> tuple[Frame, bytes]:
    """Return the first frame of the server in ``data`` and the rest; IndexError if it is cut."""
    for literal in (LOGIN_OK, b"\x32OK"):
        if data.startswith(literal):
            return (literal[0], literal[1:]), data[len(literal) :]
    opcode, values, at = data[0], list[int | bytes](), 1
    for field in _REPLIES[opcode]:
        width = int(field[1:]) if isinstance(field, str) else field
        if at + width > len(data):
            raise IndexError
        number = int.from_bytes(data[at : at + width], "big")
        at += width
        if isinstance(field, str):
            values.append(number)
            continue
        if at + number > len(data):
            raise IndexError
        values.append(data[at : at + number])
        at += number
    return (opcode, *values), data[at:]


class Client:
    """A raw connection; logged in if a user is given."""

    def __init__(self, port: int, user: bytes | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), REPLY_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        if user is not None:
            self.send(b"\x01" + user)
            assert self.frame() == (0x03, b"LOGIN_OK")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send one segment."""
        self.socket.sendall(data)

    def frame(self) -> Frame:
        """Return the next frame of the server."""
        while True:
            try:
                frame, self.data = parse(self.data)
            except IndexError:
                more = self.socket.recv(65536)
                assert more, f"the server closed after {self.data!r}"
                self.data += more
            else:
                return frame

    def ask(self, data: bytes) -> Frame:
        """Send one segment and return the next frame."""
        self.send(data)
        return self.frame()

    def settle(self) -> None:
        """Return when the server has dealt with all that was sent; nothing else is waiting."""
        assert self.ask(b"\x05" + n16(b"nobody")) == (0x06, b"nobody", 0, 0)

    def rest(self) -> bytes:
        """Return what the server sends until it closes."""
        while more := self.socket.recv(65536):
            self.data += more
        data, self.data = self.data, b""
        return data

    def finish(self) -> tuple[Frame, ...]:
        """Close the sending half; return the frames up to the end of the connection."""
        data, frames = self.finish_raw(), list[Frame]()
        while data:
            frame, data = parse(data)
            frames.append(frame)
        return tuple(frames)

    def reset(self) -> None:
        """End the connection by a reset, which drops what is under way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish_raw(self) -> bytes:
        """Close the sending half; return the bytes up to the end of the connection."""
        self.socket.shutdown(socket.SHUT_WR)
        data = self.rest()
        self.socket.close()
        return data


def error(reason: str) -> Frame:
    """Return the ERROR frame with that reason."""
    return (0xFE, reason.encode())
