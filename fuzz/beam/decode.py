"""From the agent's external terms to the values of :mod:`fuzz.node`.

The agent sends text as binaries, never as lists or atoms, so that each term has one
form in Python. Whatever does not have the expected form raises :class:`AgentError`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import erlang

from fuzz.decoding import Batch, Candidates, Ended, Shape
from fuzz.errors import AgentError, AgentRefusalError
from fuzz.node import (
    Application,
    Constant,
    Detached,
    Event,
    EventKind,
    Gate,
    Holding,
    Instrumentation,
    NodeInfo,
    Point,
    QuickVitals,
    Reading,
    Rest,
    Suspect,
    Table,
    Vitals,
)

T = TypeVar("T")

#: The name of an atom: OTP 25 sends it in Latin-1, which is decoded to bytes, OTP 26 in UTF-8.
_OK = (b"ok", "ok")

#: The head of an external term that is a binary: version, tag, and its length follows.
_BINARY = b"\x83m"
#: quiet, processes, ports, atoms, tables, memory, reductions, traffic, dropped, the hottest point,
#: bytes of coverage.
_READING = struct.Struct(">BIIIIQQQIII")
#: In the place of the hottest point when none was hit.
_NO_POINT = 0xFFFFFFFF
_READING_AT = len(_BINARY) + 4
#: The size of an input for a decoder; the number of inputs and the bytes of tables in the answer.
_SIZE = struct.Struct(">I")
_BATCH = struct.Struct(">II")


def encode(request: object) -> bytes:
    """Return the external form of a request: atoms as ``Atom``, text as ``text``."""
    return bytes(erlang.term_to_binary(request))


def atom(name: str) -> Any:
    """Return an Erlang atom."""
    return erlang.OtpErlangAtom(name)


def text(value: str) -> Any:
    """Return an Erlang binary with the text in UTF-8."""
    return erlang.OtpErlangBinary(value.encode(), 8)


def counted(inputs: Iterable[bytes]) -> Any:
    """Return an Erlang binary with all inputs, each behind its size in 32 bits."""
    pack = _SIZE.pack
    blob = b"".join([part for data in inputs for part in (pack(len(data)), data)])
    return erlang.OtpErlangBinary(blob, 8)


def value_of(reply: bytes) -> Any:
    """Return the value of an ``{ok, Value}``; an ``{error, Text}`` raises AgentRefusalError."""
    try:
        tag, value = erlang.binary_to_term(reply)
        name = tag.value
    except (erlang.ParseException, ValueError, TypeError, AttributeError):
        raise AgentError("the agent sent something that is not a reply") from None
    if name in _OK:
        return value
    raise AgentRefusalError(f"the agent refused: {shaped(_text, value)}")


def reading(reply: bytes) -> Reading:
    """Return the reading in a reply. This runs once a case: no term is decoded for it."""
    if reply[:2] != _BINARY:
        value_of(reply)
        raise AgentError("the agent sent something that is not a reading")
    try:
        quiet, *counts, traffic, dropped, hottest, length = _READING.unpack_from(reply, _READING_AT)
    except struct.error:
        raise AgentError("the agent sent a reading that is cut short") from None
    start = _READING_AT + _READING.size
    end = start + length
    events = () if end == len(reply) else shaped(_events, reply[end:])
    point = None if hottest == _NO_POINT else hottest
    vitals = QuickVitals(*counts)
    return Reading(reply[start:end], events, vitals, dropped, quiet == 1, point, traffic)


def rest(value: Any) -> Rest:
    """Return whether the node was at rest, and its traffic."""
    quiet, traffic = value
    return Rest(quiet == 1, int(traffic))


def shaped(decoder: Callable[[Any], T], value: Any) -> T:
    """Return ``decoder(value)``; raise AgentError if the value has not the form it reads."""
    try:
        return decoder(value)
    except (TypeError, ValueError, AttributeError, IndexError, erlang.ParseException):
        what = decoder.__name__.strip("_").replace("_", " ")
        raise AgentError(f"the agent sent a term that is no {what}") from None


def node_info(value: Any) -> NodeInfo:
    """Return the facts of a hello."""
    name, otp, erts, os_pid, schedulers, log_level, running, born = value
    return NodeInfo(
        _text(name),
        _text(otp),
        _text(erts),
        os_pid,
        schedulers,
        _text(log_level),
        applications(running),
        born,
    )


def applications(value: Any) -> tuple[Application, ...]:
    """Return running applications."""
    return tuple(
        Application(_text(name), _text(version), otp == 1, tuple(map(_text, modules)))
        for name, version, otp, modules in value
    )


def instrumentation(value: Any) -> Instrumentation:
    """Return the points, the failures, the native modules and the gates of an instrument request.

    A gate is ``{Point, Around | none, {Constant, ...}, {Constant, ...}}``, a constant an integer
    or a binary.
    """
    points, failures, native, gates = value
    return Instrumentation(
        tuple(Point(_text(m), _text(f), a, line, _text(kind)) for m, f, a, line, kind in points),
        _pairs(failures),
        _pairs(native),
        tuple(
            Gate(
                point,
                around if isinstance(around, int) else None,
                _constants(own),
                _constants(context),
            )
            for point, around, own, context in gates
        ),
    )


def _constants(value: Any) -> tuple[Constant, ...]:
    return tuple(one if isinstance(one, int) else bytes(one.value) for one in value)


def suspects(value: Any) -> tuple[Suspect, ...]:
    """Return described processes."""
    return tuple(
        Suspect(
            _text(pid),
            _text(name),
            _text(initial),
            reductions,
            mailbox,
            _text(status),
            _frames(stack),
        )
        for pid, name, initial, reductions, mailbox, status, stack in value
    )


def holdings(value: Any) -> tuple[Holding, ...]:
    """Return what the target holds."""
    return tuple(Holding(_text(what), _text(name), int(amount)) for what, name, amount in value)


def vitals(value: Any) -> Vitals:
    """Return the long look."""
    processes, ports, atoms, tables, memory, queue, reductions, uptime, busiest, fullest = value
    return Vitals(
        processes,
        ports,
        atoms,
        tuple(Table(_text(name), *counts) for name, *counts in tables),
        {_text(kind): size for kind, size in memory},
        queue,
        reductions,
        uptime,
        suspects(busiest),
        suspects(fullest),
    )


def candidates(value: Any) -> Candidates:
    """Return what a node has by the name of a decoder."""
    known, arities, others = value
    return Candidates(known == 1, tuple(arities), tuple(map(_text, others)))


def batch(value: Any) -> Batch:
    """Return what a decoder did with some inputs."""
    data = bytes(value.value)
    try:
        count, size = _BATCH.unpack_from(data)
        rows_at = _BATCH.size + size
        rows = struct.unpack_from(f">{2 * count}H", data, rows_at)
        values_at = rows_at + 4 * count
        values = struct.unpack_from(f">{(len(data) - values_at) // 4}I", data, values_at)
    except struct.error:
        raise AgentError("the agent sent outcomes of a decoder that are cut short") from None
    shapes, coverages = erlang.binary_to_term(data[_BATCH.size : rows_at])
    return Batch(
        tuple(_shape(*shape) for shape in shapes),
        tuple(bytes(coverage.value) for coverage in coverages),
        rows,
        values,
    )


def _shape(ended: Any, shape: Any, slots: int, frames: Any) -> Shape:
    return Shape(Ended(_text(ended)), _text(shape), slots, _frames(frames))


def arrival(reply: Any) -> tuple[str, str, int, int]:
    """Return what an envoy tells: its verdict, a text, the agent's port, the node's process."""
    verdict, said, port, os_pid = erlang.binary_to_term(reply)
    return _text(verdict), _text(said), int(port), int(os_pid)


def detached(value: Any) -> Detached:
    """Return the outcome of a detach request."""
    restored, kept = value
    return Detached(tuple(map(_text, restored)), _pairs(kept))


def _events(encoded: bytes) -> tuple[Event, ...]:
    return tuple(_event(*fields) for fields in erlang.binary_to_term(encoded))


def _event(kind: Any, class_name: Any, reason: Any, stack: Any, *rest: Any) -> Event:
    *texts, time_ms, node = rest
    process, behaviour, supervisor, application, message, pid = map(_text, texts)
    return Event(
        kind=EventKind(_text(kind)),
        class_name=_text(class_name),
        reason=_text(reason),
        stack=_frames(stack),
        process=process,
        behaviour=behaviour,
        supervisor=supervisor,
        application=application,
        text=message,
        pid=pid,
        time_ms=time_ms,
        node=_text(node),
    )


def _frames(stack: Any) -> tuple[str, ...]:
    return tuple(f"{_text(m)}:{_text(f)}/{arity}" for m, f, arity in stack)


def _pairs(value: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    return tuple((_text(left), _text(right)) for left, right in value)


def _text(value: Any) -> str:
    return bytes(value.value).decode("utf-8", "replace")
