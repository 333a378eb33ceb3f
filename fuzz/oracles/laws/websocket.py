"""What RFC 6455 makes a server owe to a client that does its own framing.

Judged are sessions in which the case has written each byte, so that what came back is seen as it
is. Where the RFC leaves something to the server, or where what was said before may have given it a
reason to end the session, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fuzz.finding import Cause, Finding, Kind
from fuzz.observation import ConnectionTrace, Ending, Observation
from fuzz.oracles.laws import wire
from grammar import (
    NEED_DATA,
    AuthFailed,
    ClientFrame,
    Direction,
    Envelope,
    Error,
    Frame,
    GetStatus,
    Login,
    LoginOk,
    LoginRateLimited,
    MessageKind,
    StatusResponse,
    Stream,
    decode,
    decode_envelope,
)
from grammar.errors import GrammarError

#: A server may give up on a connection that fills its buffer (limits.BUFFER).
_BIG = 32_768
#: The most that a control frame may hold (RFC 6455, section 5.5).
_MAX_CONTROL = 125
_CONTROL = (MessageKind.CLOSE, MessageKind.PING, MessageKind.PONG)
_HEAD_END = b"\r\n\r\n"
#: What a server says before it ends a session for what a message in it says.
_ENDING = AuthFailed | LoginRateLimited | Error
#: Codes of a CLOSE that say so too (RFC 6455, section 7.4.1): against the policy, and too big.
_OBJECTIONS = tuple(code.to_bytes(2, "big") for code in (1008, 1009))


def websocket(observation: Observation) -> Iterator[Finding]:
    """Judge the sessions of a play whose framing is the case's own."""
    for trace in observation.traces:
        session = _session(trace)
        if session is None:
            continue
        for rule in (_frames_in_order, _refused, _ponged, _closed):
            yield from rule(session)


@dataclass(slots=True)
class _Session:
    """One session: what the client said until something was wrong with it, and the answers.

    ``offence`` is what a server must fail the connection for, ``since`` the frame that has it and
    all behind it. ``orderly`` tells that nothing gave the server a reason to end the session.
    ``told`` says that each message of the client's was read as the frames that it holds, and
    ``fault`` what is wrong with the frames of the server.
    """

    trace: ConnectionTrace
    asked: list[Envelope] = field(default_factory=list)
    messages: list[Frame] = field(default_factory=list)
    offence: str = ""
    since: list[Envelope] = field(default_factory=list)
    orderly: bool = True
    told: bool = True
    said: list[Envelope] = field(default_factory=list)
    answers: list[Frame] = field(default_factory=list)
    fault: str = ""


def _session(trace: ConnectionTrace) -> _Session | None:
    if trace.plain or trace.messages:
        return None
    request, _, asked = b"".join(sent.data for sent in trace.sent).partition(_HEAD_END)
    response, _, said = trace.replies().partition(_HEAD_END)
    if not request.startswith(b"GET "):
        return None
    if not response.startswith(b"HTTP/1.1 101 "):
        return None
    session = _Session(trace)
    session.orderly = len(asked) < _BIG and not any(sent.login for sent in trace.sent)
    _read_client(session, asked)
    _read_server(session, said)
    if any(isinstance(frame, _ENDING) for frame in session.answers) or any(
        map(_objects, session.said)
    ):
        session.orderly = False
    return session


def _objects(one: Envelope) -> bool:
    """Tell whether a frame of the server's ends the session for what a message says."""
    return one.kind == MessageKind.CLOSE and one.payload[:2] in _OBJECTIONS


def _read_client(session: _Session, data: bytes) -> None:
    envelopes = list(_envelopes(data))
    message: bytes | None = None
    for place, one in enumerate(envelopes):
        session.offence = _offence(one)
        if session.offence:
            session.since = envelopes[place:]
            session.orderly = False
            return
        opens = one.kind in (MessageKind.BINARY, MessageKind.TEXT)
        control = one.kind in _CONTROL
        if (
            one.width is not None
            or one.kind == MessageKind.TEXT
            or (not _sound_control(one) if control else opens is (message is not None))
        ):
            session.orderly = False  # what a server does with that is not judged
            return
        session.asked.append(one)
        if one.kind == MessageKind.CLOSE:
            return
        if control:
            continue
        message = (message or b"") + one.payload
        if one.fin:
            _take_message(session, message)
            message = None


def _take_message(session: _Session, message: bytes) -> None:
    """Keep the frames of a message, or that there is something wrong with it."""
    try:
        frames = decode(message, Direction.CLIENT)
    except GrammarError:
        session.told = session.orderly = False
        return
    session.messages += frames
    if not all(isinstance(frame, ClientFrame) for frame in frames):
        session.orderly = False


def _read_server(session: _Session, data: bytes) -> None:
    stream, fragments = Stream(Direction.SERVER), False
    for one in _envelopes(data):
        session.said.append(one)
        control = one.kind in _CONTROL
        session.fault = _fault(one)
        if not control and not session.fault:
            starts = one.kind != MessageKind.CONTINUATION
            session.fault = "a fragment out of its place" if starts is fragments else ""
            fragments = not one.fin
        if session.fault:
            return
        if not control:
            try:
                session.answers += stream.feed(one.payload)
            except GrammarError:
                return  # the law on conformance of frames is another one


def _envelopes(data: bytes) -> Iterator[Envelope]:
    end = 0
    while True:
        try:
            decoded = decode_envelope(data, end)
        except GrammarError:
            return
        if decoded is NEED_DATA:
            return
        envelope, end = decoded
        yield envelope


def _offence(one: Envelope) -> str:
    """Return what a server must fail the connection for, empty for nothing."""
    if one.key is None:
        return "without a mask"  # section 5.1
    if one.reserved:
        return "with a reserved bit"  # section 5.2
    if one.kind not in tuple(MessageKind):
        return "with an unknown opcode"  # section 5.2
    return ""


def _sound_control(one: Envelope) -> bool:
    return one.fin and len(one.payload) <= _MAX_CONTROL


def _fault(one: Envelope) -> str:
    """Return what is wrong with a frame of a server's, empty for nothing (sections 5.1 to 5.5)."""
    if one.key is not None:
        return "a mask"
    if one.reserved:
        return "a reserved bit"
    if one.kind not in tuple(MessageKind):
        return "an unknown opcode"
    if one.width is not None:
        return "a length wider than it needs to be"
    if one.kind in _CONTROL and not _sound_control(one):
        return "a control frame that is too long, or in fragments"
    return ""


def _frames_in_order(session: _Session) -> Iterator[Finding]:
    if session.fault:
        yield _finding(
            session,
            f"the server sent a WebSocket frame with {session.fault}",
            session.fault,
            wire.check("web_frame", connection=session.trace.number),
        )


def _refused(session: _Session) -> Iterator[Finding]:
    """Judge whether the server has acted on a frame for which it must fail the connection."""
    if not session.offence:
        return
    words = f"the server acted on a WebSocket frame {session.offence}"
    before = _payloads(session.asked, MessageKind.PING)
    pings = set(_payloads(session.since, MessageKind.PING)).difference(before)
    for one in session.said:
        if one.kind == MessageKind.PONG and one.payload in pings:
            yield _finding(session, words, session.offence, _pong(session, one.payload, False))
            return
    if not session.told:
        return
    for request, reply in ((Login, LoginOk), (GetStatus, StatusResponse)):
        asked = sum(isinstance(frame, request) for frame in session.messages)
        if sum(isinstance(frame, reply) for frame in session.answers) > asked:
            number, opcode = session.trace.number, int(reply.opcode)
            look = wire.check("web_answers", connection=number, opcode=opcode, most=asked)
            yield _finding(session, words, session.offence, look)
            return


def _ponged(session: _Session) -> Iterator[Finding]:
    """Judge the answer to the last PING: those before it need none (section 5.5.3)."""
    pings = [one.payload for one in session.asked if one.kind == MessageKind.PING]
    if not pings or not _served_to_the_end(session):
        return
    if pings[-1] not in _payloads(session.said, MessageKind.PONG):
        words = "a WebSocket PING was not answered with a PONG that holds the same"
        yield _finding(session, words, "no pong", _pong(session, pings[-1], True))


def _closed(session: _Session) -> Iterator[Finding]:
    """Judge the answer to a CLOSE (section 5.5.1)."""
    if not session.asked or session.asked[-1].kind != MessageKind.CLOSE:
        return
    if _served_to_the_end(session) and not _payloads(session.said, MessageKind.CLOSE):
        words = "a WebSocket CLOSE was not answered with a CLOSE"
        look = wire.check("web_close", connection=session.trace.number)
        yield _finding(session, words, "no close", look)


def _served_to_the_end(session: _Session) -> bool:
    return session.orderly and session.trace.ending is Ending.CLOSED


def _payloads(envelopes: Iterable[Envelope], kind: MessageKind) -> list[bytes]:
    return [one.payload for one in envelopes if one.kind == kind]


def _pong(session: _Session, payload: bytes, wanted: bool) -> dict[str, object]:
    number = session.trace.number
    return wire.check("web_pong", connection=number, payload=payload.hex(), wanted=wanted)


def _finding(session: _Session, title: str, reason: str, look: dict[str, object]) -> Finding:
    last = session.said[-1].payload[:64].hex() if session.said else ""
    return Finding(
        Kind.CONFORMANCE,
        title,
        Cause("websocket", reason),
        {"connection": session.trace.number, "last_payload": last, **look},
    )
