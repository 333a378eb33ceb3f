"""Whether the effect of a finding was seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fuzz.report.standalone.play import PATIENCE, Client, Play, Server
from fuzz.report.standalone.wire import (
    LOGIN_OK,
    MESSAGE,
    REFUSALS,
    REFUSED,
    STATUS,
    WebFrame,
    frames,
    mark,
    of,
    refused,
    unbound,
    unframed,
    web_frames,
)

#: Seconds in which an effect on others shows, once its frame was handled.
LATE = 1.0
#: A client that waits for so many seconds is served late, if the next waits a fifth of it or
#: less: a busy machine makes all of them wait.
SLOW, MUCH = 1.0, 5.0
SHOWN, NOT_SHOWN, NO_SERVER, LOOK_AT_THE_NODE = 0, 1, 2, 3
#: What a law saw: which of the checks below, and what it needs.
Wire = Mapping[str, Any]
#: Whether it was seen (None: it cannot be told), and what was.
Seen = tuple[bool | None, str]


def verdict(kind: str, wire: Wire, play: Play, server: Server) -> tuple[int, str]:
    """Return whether the effect has shown, and what was seen."""
    check = CHECKS.get(wire.get("check", ""))
    if kind in ("node_down", "app_down", "listener_restart"):
        shown, seen = on_others(kind, play.bystanders, server)
    elif check is not None:
        shown, seen = check(wire, play)
    elif kind == "hang":
        shown, seen = hangs(play, server)
    elif kind == "process_crash":
        shown, seen = closed(wire, play)
        # Where it is not known that the process was the connection's own, nothing is excused.
        shown = shown or None
        seen += "" if shown else "; what crashed is behind it: look at the node's log"
    else:
        return LOOK_AT_THE_NODE, "compare what came back, above, with what this finding says"
    return {True: SHOWN, False: NOT_SHOWN, None: LOOK_AT_THE_NODE}[shown], seen


def becomes(true: Callable[[], bool]) -> bool:
    """Ask until something is so, or time is up: what a frame sets off may come a little later."""
    deadline = time.monotonic() + LATE
    while not true():
        if time.monotonic() > deadline:
            return False
    return True


def on_others(kind: str, bystanders: Sequence[Client], server: Server) -> Seen:
    """Look at clients that did nothing, and at new ones."""

    def cut() -> bool:
        return not all(bystander.status() for bystander in bystanders)

    if kind == "listener_restart":
        lost = becomes(cut)
        return lost, "clients that did nothing were cut off" if lost else "all are still served"
    if becomes(lambda: not server.serves()):
        return True, "no new client is served any more"
    if kind == "node_down" and cut():
        return True, "everybody was cut off, and the node is back"
    return False, "a new client is served"


def hangs(play: Play, server: Server) -> Seen:
    """Look for connections that never end, and for new clients that wait."""
    if play.silent:
        return True, f"connections {play.silent} were silent for {PATIENCE:.0f} s"
    waits = []
    for _ in range(2):
        since = time.monotonic()
        server.serves()
        waits.append(time.monotonic() - since)
    late = waits[0] > SLOW and waits[0] > MUCH * waits[1]
    return late, f"every connection has ended; a new client was served in {waits[0]:.1f} s"


def closed(_wire: Wire, play: Play) -> Seen:
    """Look for connections that the server closed without a word."""
    numbers = [
        n for n, link in play.links.items() if link.ended and not link.left
        and not refused(link.heard)
    ]  # fmt: skip
    if numbers:
        return True, f"the server closed connections {numbers}; its log tells why"
    return False, "no connection was lost, unless it was refused with an error"


# The checks: each looks at what one play has brought for what a law has said is wrong.


def heard(wire: Wire, play: Play) -> bytes:
    """Return what came on the connection of a finding."""
    link = play.links.get(wire["connection"])
    return b"" if link is None else link.heard


def marks(wire: Wire, play: Play) -> list[str]:
    """Return what tells the messages apart that were delivered on a connection."""
    return [mark(frame.fields[1], play.values) for frame in of(heard(wire, play), MESSAGE)]


def delivered(wire: Wire, play: Play) -> Seen:
    """Count how often a message came: at least or at most so often it must."""
    times = marks(wire, play).count(wire["mark"])
    seen = f"the message came {times} times on connection {wire['connection']}"
    if "most" in wire:
        return times > wire["most"], f"{seen}; at most {wire['most']} are right"
    link = play.links.get(wire["connection"])
    if times < wire["least"] and (link is None or not link.left):
        return None, f"connection {wire['connection']} did not last until the end"
    return times < wire["least"], f"{seen}; {wire['least']} were sent to it"


def once(wire: Wire, play: Play) -> Seen:
    """Look for one message id twice."""
    ids = [frame.fields[0] for frame in of(heard(wire, play), MESSAGE)]
    return len(ids) > len(set(ids)), f"{len(ids)} messages came, with {len(set(ids))} ids"


def order(wire: Wire, play: Play) -> Seen:
    """Look at the order of messages that are to come in one."""
    came = [one for one in marks(wire, play) if one in wire["marks"]]
    places = [wire["marks"].index(one) + 1 for one in came]
    return places != sorted(places), f"of the messages sent 1, 2, ... there came {places}"


def group(wire: Wire, play: Play) -> Seen:
    """Look for what was written to a group: it must come so often, or not at all."""
    bodies = [frame.fields[1] for frame in of(heard(wire, play), MESSAGE)]
    written = [frame.fields[-2] for body in bodies for frame in of(body, 0x33, 0x36)]
    times = [mark(content, play.values) for content in written].count(wire["mark"])
    seen = f"what was written to the group came {times} times on connection {wire['connection']}"
    if "least" in wire:
        return times < wire["least"], f"{seen}; {wire['least']} were owed to it"
    return times > 0, f"{seen}; it is not for that client"


def roster(wire: Wire, play: Play) -> Seen:
    """Look whom a roster names: the members, each once."""
    told = of(heard(wire, play), 0x35)[wire["reply"] :][:1]
    if not told:
        return None, "the roster did not come"
    named = unbound(told[0].fields[1], play.values)
    missing = [name for name in wire["members"] if bytes.fromhex(name) not in named]
    # The head of an array of fewer than 24 items holds their number (RFC 8949, section 3).
    several = named[:1] != bytes([0x80 | len(wire["members"])])
    seen = f"the roster leaves out {len(missing)} of {len(wire['members'])} members"
    return bool(missing) or several, seen + (", and has another number of names" if several else "")


def bundle(wire: Wire, play: Play) -> Seen:
    """Look whether a fetch brought the keys that were uploaded last."""
    told = of(heard(wire, play), 0x22)[wire["reply"] :][:1]
    if not told:
        return None, "the key bundle did not come"
    if not wire["keys"]:
        some = b"identity_key" in told[0].fields[0]
        return some, "a bundle came" if some else "no bundle came; none was uploaded"
    missing = [key for key in wire["keys"] if bytes.fromhex(key) not in told[0].fields[0]]
    return bool(missing), f"{len(missing)} of {len(wire['keys'])} keys are not those uploaded last"


def login(wire: Wire, play: Play) -> Seen:
    """Look whether a LOGIN that is to be refused was: the first of its connection, or a later."""
    found, rest = frames(heard(wire, play))
    if sum(frame.opcode == LOGIN_OK for frame in found) >= wire.get("number", 1):
        return True, "LOGIN succeeded"
    if rest in REFUSALS:
        return False, f"LOGIN was refused: {rest.decode('ascii')}"
    return None, "LOGIN was not answered"


def turned_away(wire: Wire, play: Play) -> Seen:
    """Look whether a LOGIN that is to succeed was refused."""
    came = heard(wire, play)
    if came.startswith(bytes([LOGIN_OK])):
        return False, "LOGIN succeeded"
    refusal = REFUSALS[0].decode("ascii")
    return (True, refusal) if came.startswith(REFUSALS[0]) else (None, "LOGIN was not answered")


def status(wire: Wire, play: Play) -> Seen:
    """Look at what one status reply says: of whom, and whether that user is there."""
    told = of(heard(wire, play), STATUS)[wire["reply"] :][:1]
    if not told:
        return None, "the status reply did not come"
    (name, rest) = told[0].fields
    if unbound(name, play.values).hex() != wire["user"]:
        return True, f"the status reply tells of {name!r}, who was not asked for"
    if wire["online"] is None:
        return False, "the status reply tells of the user who was asked for"
    said = "online" if rest[0] else "offline"
    return bool(rest[0]) is not wire["online"], f"the status reply says {said}"


def relay(wire: Wire, play: Play) -> Seen:
    """Look whom notices name as their sender."""
    at = 1 if wire["opcode"] == 0x75 else 0
    told = [frame.fields[at] for frame in of(heard(wire, play), wire["opcode"])]
    names = [unbound(name, play.values).decode(errors="replace") for name in told]
    wrong = [name for name in told if unbound(name, play.values).hex() not in wire["senders"]]
    return bool(wrong), f"notices came of {names}; {len(wrong)} of them were never sent"


def key(wire: Wire, play: Play) -> Seen:
    """Count how often a one-time key was handed out."""
    bundles = [f.fields[0] for link in play.links.values() for f in of(link.heard, 0x22)]
    times = sum(bundle.count(bytes.fromhex(wire["key"])) for bundle in bundles)
    return times > wire["most"], f"the key is {times} times in the bundles; {wire['most']} is right"


def absent(wire: Wire, play: Play) -> Seen:
    """Look for a frame that must not come."""
    times = len(of(heard(wire, play), wire["opcode"]))
    return times > 0, f"frame {wire['opcode']:02X} came {times} times; none is right"


def burst(wire: Wire, play: Play) -> Seen:
    """Count what got through in so short a time."""
    ids = {f.fields[0] for link in play.links.values() for f in of(link.heard, MESSAGE)}
    most = wire["burst"] + math.ceil(wire["rate"] * play.seconds) + 1
    passed = len(ids) - wire["others"]
    return passed > most, f"{passed} messages of one user passed; at most {most} are right"


def passed(wire: Wire, play: Play) -> Seen:
    """Count what passed the rate limit to a connection."""
    times = len(of(heard(wire, play), MESSAGE))
    seen = f"{times} messages came on connection {wire['connection']}; {wire['least']} must pass"
    return times < wire["least"], seen


def metered(wire: Wire, play: Play) -> Seen:
    """Compare what was sent with what came and what was refused: each is one or the other."""
    came = sum(len(of(link.heard, MESSAGE)) for link in play.links.values())
    came -= wire.get("others", 0)
    told = sum(len(of(link.heard, REFUSED)) for link in play.links.values())
    seen = f"of {wire['sent']} messages {came} came; there were {told} refusals"
    wrong = not told and came < wire["sent"] if "silent" in wire else came + told > wire["sent"]
    return wrong, seen


def waits(wire: Wire, play: Play) -> Seen:
    """Look at the waits that refusals tell, in milliseconds."""
    told = [int.from_bytes(f.fields[-1], "big") for f in of(heard(wire, play), REFUSED)]
    wrong = [wait for wait in told if not 0 < wait <= wire["most"]]
    return bool(wrong), f"refusals tell waits of {told[:8]} ms; from 1 to {wire['most']} are right"


def answered(wire: Wire, play: Play) -> Seen:
    """Count the answers to requests that must have one."""
    times = len(of(heard(wire, play), *wire["opcodes"]))
    return times < wire["least"], f"{times} answers came to {wire['least']} requests"


def in_place(wire: Wire, play: Play) -> Seen:
    """Look whether a decoder gets to the end of what came."""
    found, rest = frames(heard(wire, play))
    if not rest or rest in REFUSALS:
        return False, f"all that came is frames of a server's: {len(found)}"
    return True, f"behind {len(found)} frames, this is none of a server's: {rest[:32].hex(' ')}"


def web(wire: Wire, play: Play) -> list[WebFrame]:
    """Return the frames of WebSocket on a connection whose framing is the case's own."""
    return web_frames(heard(wire, play).partition(b"\r\n\r\n")[2])


def web_frame(wire: Wire, play: Play) -> Seen:
    """Look for a frame of WebSocket that no server may send."""
    wrong = sum(not frame.in_order for frame in web(wire, play))
    return wrong > 0, f"{wrong} WebSocket frames came that a server may not send"


def web_pong(wire: Wire, play: Play) -> Seen:
    """Look for the PONG to a PING: whether it came as it must, or though it must not."""
    payload = bytes.fromhex(wire["payload"])
    came = any(f.first & 15 == 10 and f.payload == payload for f in web(wire, play))
    return came is not wire[
        "wanted"
    ], f"a PONG with {payload!r} {'came' if came else 'did not come'}"


def web_answers(wire: Wire, play: Play) -> Seen:
    """Count answers to frames that the server must not act on."""
    times = len(of(unframed(heard(wire, play).partition(b"\r\n\r\n")[2]), wire["opcode"]))
    seen = f"{times} frames {wire['opcode']:02X} came; at most {wire['most']} are right"
    return times > wire["most"], seen


def web_close(wire: Wire, play: Play) -> Seen:
    """Look for the CLOSE that answers a CLOSE."""
    came = any(frame.first & 15 == 8 for frame in web(wire, play))
    return not came, f"a CLOSE {'came' if came else 'did not come'} in answer"


CHECKS: dict[str, Callable[[Wire, Play], Seen]] = {
    "absent": absent,
    "answered": answered,
    "bundle": bundle,
    "burst": burst,
    "closed": closed,
    "delivered": delivered,
    "group": group,
    "in_place": in_place,
    "key": key,
    "login": login,
    "metered": metered,
    "once": once,
    "order": order,
    "passed": passed,
    "refused": turned_away,
    "relay": relay,
    "roster": roster,
    "status": status,
    "waits": waits,
    "web_answers": web_answers,
    "web_close": web_close,
    "web_frame": web_frame,
    "web_pong": web_pong,
}
