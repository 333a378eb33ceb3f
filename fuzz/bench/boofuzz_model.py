"""The frames of the protocol as one would write them for boofuzz, in its own style.

Each frame is a request of primitives: its opcode, and its fields with a size before each, as the
specification draws them. A graph says what may follow what: LOGIN first, then any frame, and where
a frame needs what another has made (a group, stored keys) also behind that. The id of a group is
taken from the reply by a callback, as its documentation shows.

This is the one module that imports boofuzz, which comes with ``pip install iris-fuzz[bench]``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from boofuzz import (
    BaseMonitor,
    Block,
    Byte,
    Bytes,
    ProtocolSessionReference,
    QWord,
    Request,
    Session,
    Size,
    String,
    Target,
    TCPSocketConnection,
)

from grammar import ClientOpcode, ServerOpcode, cbor

#: A reply to what is not mutated comes at once; where there is none, this is what waiting costs.
_REPLY_SECONDS = 0.05
_SEND_SECONDS = 5.0
#: A defect ends the search; what is not one must not end it.
_NO_THRESHOLD = 1_000_000_000
_GROUP = ProtocolSessionReference("group", "g")
_HEADER = cbor.dumps({"n": 1})
_BUNDLE = cbor.dumps(
    {
        "identity_key": bytes(32),
        "signed_prekey": bytes(32),
        "signed_prekey_signature": bytes(64),
        "one_time_prekeys": [bytes(32)],
    }
)
_Parts = tuple[Any, ...]


def _opcode(opcode: ClientOpcode) -> Any:
    return Byte(name="opcode", default_value=int(opcode))


def _field(name: str, value: Any, width: int = 2) -> _Parts:
    """Return a field of bytes behind its length."""
    inside = Block(name=name, children=(Bytes(name="bytes", default_value=value),))
    return (Size(name=f"{name}_length", block_name=name, length=width, endian=">"), inside)


def _name(name: str = "user", value: Any = "bob") -> _Parts:
    """Return a name behind its length."""
    inside = Block(name=name, children=(String(name="text", default_value=value),))
    return (Size(name=f"{name}_length", block_name=name, length=2, endian=">"), inside)


def _frames() -> dict[ClientOpcode, Any]:
    """Return a request for each frame but LOGIN."""
    op = ClientOpcode
    blob = (*_field("first", b"one"), *_field("second", b"two"))
    parts: dict[ClientOpcode, _Parts] = {
        op.SEND_MESSAGE: (*_name(), *_field("message", b"hello")),
        op.ACK: (Bytes(name="msg_id", default_value=b"m"),),
        op.BATCH_SEND: (
            *_name(),
            Size(name="blob_length", block_name="blob", length=4, endian=">"),
            Block(name="blob", children=blob),
        ),
        op.GET_STATUS: _name(),
        op.SEND_SEQ: (
            *_name(),
            QWord(name="seq", default_value=1, endian=">"),
            *_field("message", b"hello"),
        ),
        op.CBOR_MSG: (*_name(), *_field("payload", _HEADER, 4)),
        op.UPLOAD_PREKEYS: _field("bundle", _BUNDLE, 4),
        op.FETCH_PREKEYS: _name(value="alice"),
        op.E2EE_MSG: (*_name(), *_field("header", _HEADER), *_field("sealed", b"s", 4)),
        op.GROUP_CREATE: _name("group", "friends"),
        op.GROUP_LEAVE: _name("group", _GROUP),
        op.GROUP_MSG: (
            *_name("group", _GROUP),
            *_field("header", _HEADER),
            *_field("sealed", b"s", 4),
        ),
        op.GROUP_ROSTER: _name("group", _GROUP),
        op.SENDER_KEY_DIST: (*_name("group", _GROUP), *_field("key", bytes(32), 4)),
        op.TYPING_START: _name(),
        op.TYPING_STOP: _name(),
        op.READ_RECEIPT: (*_field("msg_id", b"m"), *_name()),
    }
    return {
        opcode: Request(opcode.name, children=(_opcode(opcode), *fields))
        for opcode, fields in parts.items()
    }


class _Group:
    """Keeps the id of a group for the requests behind GROUP_CREATE."""

    def __init__(self) -> None:
        self._id = "g"

    def take(
        self, target: Any, logger: Any, session: Any, test_case_context: Any, **_: Any
    ) -> None:
        """Be a callback: take the id from the reply to GROUP_CREATE, if that was the last."""
        reply = bytes(session.last_recv or b"")
        if reply[:1] == bytes([ServerOpcode.GROUP_JOIN]):
            self._id = reply[3 : 3 + int.from_bytes(reply[1:3], "big")].decode(errors="replace")
        test_case_context.session_variables["group"] = self._id


class Watch(BaseMonitor):  # type: ignore[misc]
    """A monitor that asks ``look`` after each case; it is told whether all is well."""

    def __init__(self, look: Callable[[], bool]) -> None:
        super().__init__()
        self._look = look

    def post_send(
        self, target: Any = None, fuzz_data_logger: Any = None, session: Any = None
    ) -> bool:
        """Return whether the target is well."""
        return self._look()

    def restart_target(
        self, target: Any = None, fuzz_data_logger: Any = None, session: Any = None
    ) -> bool:
        """Say that it is up again: whoever looked has seen to that."""
        return True


def fuzz(address: tuple[str, int], look: Callable[[], bool], turn: int, folder: Path) -> None:
    """Fuzz until all is played; ``look`` is called after each case and may end the process.

    boofuzz plays all of one request before the next, so its order matters: it begins with the
    frame of number ``turn``. Its records go to ``folder``.
    """
    session = Session(
        target=Target(
            connection=TCPSocketConnection(*address, _SEND_SECONDS, _REPLY_SECONDS),
            monitors=[Watch(look)],
        ),
        web_port=None,
        keep_web_open=False,
        crash_threshold_request=_NO_THRESHOLD,
        crash_threshold_element=_NO_THRESHOLD,
        restart_sleep_time=0,
        fuzz_loggers=[],
        fuzz_db_keep_only_n_pass_cases=1,
        ignore_connection_reset=True,
        ignore_connection_aborted=True,
        db_filename=str(folder / "boofuzz.db"),
    )
    op, frames, group = ClientOpcode, _frames(), _Group()
    login = Request(
        "LOGIN", children=(_opcode(op.LOGIN), String(name="user", default_value="alice"))
    )
    session.connect(login)
    turned = list(frames)[turn % len(frames) :] + list(frames)[: turn % len(frames)]
    for opcode in turned:
        session.connect(login, frames[opcode], callback=group.take)
    session.connect(frames[op.UPLOAD_PREKEYS], frames[op.FETCH_PREKEYS])
    for opcode in (op.GROUP_ROSTER, op.GROUP_LEAVE, op.GROUP_MSG, op.SENDER_KEY_DIST):
        session.connect(frames[op.GROUP_CREATE], frames[opcode], callback=group.take)
    session.connect(frames[op.GROUP_LEAVE], frames[op.GROUP_MSG], callback=group.take)
    session.fuzz()
