"""The client of the agent: a request, its reply, over one loopback connection.

Packets carry their length in four bytes. The requests that are made once a case, ``read``,
``quiet`` and ``settle``, are encoded once; their replies are taken apart without decoding a
term (see :func:`fuzz.beam.decode.reading`).
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from fuzz.beam import decode
from fuzz.beam.agent import (
    DECODE_SECONDS,
    INSTRUMENT_SECONDS,
    MAX_INPUT_BYTES,
    MAX_INPUTS,
    QUIET_SECONDS,
    REPLY_SECONDS,
    RESTLESS_SECONDS,
)
from fuzz.beam.inject import PROTOCOL_VERSION, Announcement
from fuzz.clock import Deadline, SystemClock
from fuzz.decoding import Batch, Candidates, Decoder
from fuzz.errors import AgentError
from fuzz.meanwhile import Meanwhile, nothing
from fuzz.node import Detached, Holding, Instrumentation, NodeInfo, Reading, Rest, Suspect, Vitals

_LENGTH = struct.Struct(">I")

#: Points of a thousand modules, or 256 events with their texts, take a few megabytes.
_MAX_REPLY = 64 * 1024 * 1024

#: One call of recv takes a reading of any usual size.
_CHUNK = 65536


class AgentClient:
    """An :class:`fuzz.beam.agent.Agent` inside a real node."""

    def __init__(self, connection: socket.socket, deadline: Deadline, token: str) -> None:
        """Say hello over a connection; see :meth:`connect`."""
        self._socket: socket.socket | None = connection
        self._port: int = connection.getpeername()[1]
        self._clock = deadline.clock
        self._patience = -1.0
        self._restless = False
        self._quiet_requests: dict[tuple[str, int], bytes] = {}
        self._read_request = _packet(decode.atom("read"))
        hello = (decode.atom("hello"), PROTOCOL_VERSION, decode.text(token))
        self._info = decode.shaped(decode.node_info, self._call(hello, deadline.left(), "a hello"))

    @classmethod
    def connect(
        cls,
        where: Announcement | int,
        token: str,
        deadline: Deadline | None = None,
    ) -> AgentClient:
        """Connect to an announced agent, or to a port, and say hello.

        Raises :class:`AgentError` if nobody listens or the agent refuses the token.
        """
        port = where if isinstance(where, int) else where.port
        deadline = deadline or Deadline.after(SystemClock(), REPLY_SECONDS, "the agent's hello")
        try:
            connection = socket.create_connection(("127.0.0.1", port), max(deadline.left(), 0.001))
        except OSError as error:
            raise AgentError(f"no agent answers on port {port}: {error}") from None
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return cls(connection, deadline, token)
        except AgentError:
            connection.close()
            raise

    @property
    def info(self) -> NodeInfo:
        """Return the node as it was at the hello."""
        return self._info

    @property
    def port(self) -> int:
        """Return the port on which the agent listens."""
        return self._port

    def instrument(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        seconds: float = INSTRUMENT_SECONDS,
    ) -> Instrumentation:
        """See :meth:`fuzz.beam.agent.Agent.instrument`."""
        patterns = ([decode.text(pattern) for pattern in side] for side in (include, exclude))
        request = (decode.atom("instrument"), *patterns)
        return decode.shaped(
            decode.instrumentation, self._call(request, seconds, "instrumentation")
        )

    def read(self) -> Reading:
        """See :meth:`fuzz.beam.agent.Agent.read`."""
        return decode.reading(self._exchange(self._read_request, REPLY_SECONDS, "a reading"))

    def quiet(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> bool:
        """See :meth:`fuzz.beam.agent.Agent.quiet`."""
        return self.rest(seconds, meanwhile).quiet

    def rest(self, seconds: float | None = None, meanwhile: Meanwhile = nothing) -> Rest:
        """See :meth:`fuzz.beam.agent.Agent.rest`."""
        reply = self._await_rest("quiet", seconds, meanwhile)
        rest = decode.shaped(decode.rest, decode.value_of(reply))
        self._restless = not rest.quiet
        return rest

    def settle(self, seconds: float | None = None) -> Reading:
        """See :meth:`fuzz.beam.agent.Agent.settle`."""
        reading = decode.reading(self._await_rest("settle", seconds))
        self._restless = not reading.quiet
        return reading

    def vitals(self) -> Vitals:
        """See :meth:`fuzz.beam.agent.Agent.vitals`."""
        return decode.shaped(decode.vitals, self._bounded("vitals"))

    def resources(self) -> tuple[Holding, ...]:
        """See :meth:`fuzz.beam.agent.Agent.resources`."""
        return decode.shaped(decode.holdings, self._bounded("resources"))

    def suspects(self) -> tuple[Suspect, ...]:
        """See :meth:`fuzz.beam.agent.Agent.suspects`."""
        return decode.shaped(decode.suspects, self._bounded("suspects"))

    def find_decoder(self, decoder: Decoder) -> Candidates:
        """See :meth:`fuzz.beam.agent.Agent.find_decoder`."""
        names = map(decode.text, (decoder.module, decoder.function))
        request = (decode.atom("find_decoder"), *names)
        return decode.shaped(
            decode.candidates, self._call(request, INSTRUMENT_SECONDS, "the names of decoders")
        )

    def decode(
        self, decoder: Decoder, inputs: Sequence[bytes], seconds: float = DECODE_SECONDS
    ) -> Batch:
        """See :meth:`fuzz.beam.agent.Agent.decode`."""
        names = map(decode.text, (decoder.module, decoder.function))
        blob = decode.counted(_fitting(inputs))
        request = (decode.atom("decode"), *names, blob, max(1, int(seconds * 1000)))
        # A batch that ends with an input that loops takes its time twice, and that input as well.
        patience = 4 * seconds + REPLY_SECONDS
        return decode.shaped(
            decode.batch, self._call(request, patience, f"{decoder} to decode {len(inputs)} inputs")
        )

    def applications(self) -> tuple[str, ...]:
        """See :meth:`fuzz.beam.agent.Agent.applications`."""
        running = decode.shaped(decode.applications, self._bounded("applications"))
        return tuple(application.name for application in running)

    def stop_app(self, name: str, seconds: float) -> None:
        """See :meth:`fuzz.beam.agent.Agent.stop_app`."""
        self._bounded("stop_app", seconds, name)

    def start_app(self, name: str, seconds: float) -> None:
        """See :meth:`fuzz.beam.agent.Agent.start_app`."""
        self._bounded("start_app", seconds, name)

    def restart_app(self, name: str, seconds: float, hard: bool = False) -> None:
        """See :meth:`fuzz.beam.agent.Agent.restart_app`."""
        self._bounded("restart_app", seconds, name, "hard" if hard else "orderly")

    def detach(self) -> Detached:
        """See :meth:`fuzz.beam.agent.Agent.detach`."""
        value = self._call(decode.atom("detach"), INSTRUMENT_SECONDS, "the agent to leave")
        outcome = decode.shaped(decode.detached, value)
        try:
            # The agent's last code goes with the connection.
            rest = self._socket.recv(1) if self._socket is not None else b""
        except OSError as error:
            raise self._lost(f"the agent does not leave the node: {error}") from None
        self.close()
        if rest:
            raise AgentError("the agent went on talking after it had left the node")
        return outcome

    def close(self) -> None:
        """See :meth:`fuzz.beam.agent.Agent.close`."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _bounded(self, name: str, seconds: float = REPLY_SECONDS, *arguments: str) -> Any:
        """Make a request that the agent itself gives up after ``seconds``."""
        limit = max(0, int(seconds * 1000))
        request = (decode.atom(name), *map(decode.text, arguments), limit)
        return self._call(request, seconds + REPLY_SECONDS, f"{name} {' '.join(arguments)}".strip())

    def _call(self, request: object, seconds: float, what: str) -> Any:
        return decode.value_of(self._exchange(_packet(request), seconds, what))

    def _await_rest(
        self, name: str, seconds: float | None, meanwhile: Meanwhile = nothing
    ) -> bytes:
        if seconds is None:
            seconds = RESTLESS_SECONDS if self._restless else QUIET_SECONDS
        request = self._quiet_request(name, seconds)
        return self._exchange(request, seconds + REPLY_SECONDS, "the node to be quiet", meanwhile)

    def _quiet_request(self, name: str, seconds: float) -> bytes:
        key = (name, int(seconds * 1000))
        if key not in self._quiet_requests:
            self._quiet_requests[key] = _packet((decode.atom(name), key[1]))
        return self._quiet_requests[key]

    def _exchange(
        self, packet: bytes, seconds: float, what: str, meanwhile: Meanwhile = nothing
    ) -> bytes:
        connection = self._socket
        if connection is None:
            raise AgentError("the connection to the agent is closed")
        with self._blamed(seconds, what):
            if seconds != self._patience:
                connection.settimeout(max(seconds, 0.001))
                self._patience = seconds
            connection.sendall(packet)
        if meanwhile is not nothing:
            self._do(meanwhile, connection, seconds)
        with self._blamed(seconds, what):
            return self._receive(connection, seconds)

    @contextmanager
    def _blamed(self, seconds: float, what: str) -> Iterator[None]:
        """Tell what fails as the agent's."""
        try:
            yield
        except TimeoutError:
            raise self._lost(f"the agent was silent for {seconds:g} s; awaited {what}") from None
        except OSError as error:
            raise self._lost(f"the connection to the agent broke: {error}") from None

    def _do(self, meanwhile: Meanwhile, connection: socket.socket, seconds: float) -> None:
        """Do what there is to do, until the agent answers, or is late."""
        deadline = Deadline.after(self._clock, seconds, "the agent's answer")
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        try:
            while not (poll.poll(0) or deadline.expired()) and meanwhile():
                pass
        except BaseException:  # the answer is still to come, and nobody will be here to take it
            self.close()
            raise

    def _receive(self, connection: socket.socket, seconds: float) -> bytes:
        data = connection.recv(_CHUNK)
        if len(data) >= 4 and len(data) == _LENGTH.unpack_from(data)[0] + 4:
            return data[4:]
        return self._receive_rest(connection, data, seconds)

    def _receive_rest(self, connection: socket.socket, data: bytes, seconds: float) -> bytes:
        deadline = Deadline.after(self._clock, seconds, "the rest of a reply")
        parts, size, total = [data], len(data), 0
        while not total or size < total:
            if not parts[-1]:
                raise self._lost("the agent hung up; the node ended, or it refused us")
            if not total and size >= 4:
                parts = [b"".join(parts)]
                total = _LENGTH.unpack_from(parts[0])[0] + 4
                if total > _MAX_REPLY:
                    raise self._lost(f"the agent announces a reply of {total} bytes")
                continue
            if deadline.expired():
                raise TimeoutError
            parts.append(connection.recv(_CHUNK))
            size += len(parts[-1])
        if size > total:
            raise self._lost("the agent sent more than one reply")
        return b"".join(parts)[4:]

    def _lost(self, sentence: str) -> AgentError:
        """Close for good: a late reply must not be taken for the next one."""
        self.close()
        return AgentError(sentence)


def _fitting(inputs: Sequence[bytes]) -> Sequence[bytes]:
    """Return as many of the first inputs as one request may hold."""
    inputs = inputs[:MAX_INPUTS]
    total = 0
    for number, data in enumerate(inputs):
        total += len(data) + _LENGTH.size
        if total > MAX_INPUT_BYTES:
            if number == 0:
                raise AgentError(f"an input of {len(data)} bytes is too large for the agent")
            return inputs[:number]
    return inputs


def _packet(request: object) -> bytes:
    body = decode.encode(request)
    return _LENGTH.pack(len(body)) + body
