"""The command line of a reproducer."""

from __future__ import annotations

import argparse
import ipaddress
import ssl
from collections.abc import Sequence

from fuzz.report.standalone.play import STATUS_OF_NOBODY, Play, Server, Step
from fuzz.report.standalone.verdict import (
    LOOK_AT_THE_NODE,
    NO_SERVER,
    NOT_SHOWN,
    SHOWN,
    Wire,
    verdict,
)
from fuzz.report.standalone.wire import TEXTS

#: What clients may come over, where a step does not say.
TRANSPORTS = ("tcp", "tls", "websocket", "wss")
#: Plays of a leak: what grows by one a play stands out.
LEAK_PLAYS = 100
#: Plays to look for what is told by what came: some of it shows by chance.
PLAYS = 3
#: Plays that are timed: the fastest of them is the one that nothing else has disturbed.
TIMED_PLAYS = 3
#: An answer that takes so many times as long as those to as many bytes of GET_STATUS: what is
#: costly takes a hundred times as long, and nothing that is right comes near ten.
COSTLY = 10.0


def main(steps: Sequence[Step], kind: str, title: str, wire: Wire, transport: str = "tcp") -> int:
    """Play the steps as the command line asks, and return the exit code."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("host", nargs="?", default="127.0.0.1")
    parser.add_argument("port", nargs="?", type=int, default=8085)
    parser.add_argument("--ws-port", type=int, help="default: the port plus one")
    parser.add_argument("--transport", choices=TRANSPORTS, default=transport)
    parser.add_argument("--tls-ca", help="PEM file: whom to trust; without it, anybody")
    parser.add_argument("--allow-host", action="store_true", help="allow a host elsewhere")
    parser.add_argument("--secret", help="of the server's tokens (HS256), if it asks for any")
    parser.add_argument(
        "--edge",
        type=int,
        action="append",
        default=[],
        metavar="PORT",
        help="of another edge of the cluster; may be repeated",
    )
    options = parser.parse_args()
    host = options.host
    loopback = host == "localhost" or (
        host.replace(".", "").isdigit() and ipaddress.ip_address(host).is_loopback
    )
    if not loopback and not options.allow_host:
        print(f"{host} is not on the loopback interface; --allow-host says that it is yours")
        return NO_SERVER
    secret = None if options.secret is None else options.secret.encode()
    try:
        tls = trusting(options.tls_ca) if options.transport in ("tls", "wss") else None
    except OSError as error:
        print(f"--tls-ca {options.tls_ca}: {error.strerror or error}")
        return NO_SERVER
    web = (host, options.ws_port or options.port + 1)
    over_web = options.transport in ("websocket", "wss")
    server = Server((host, options.port), web, secret, tuple(options.edge), tls, over_web)
    print(title)
    edges = 1 + max((value // 256 for kind, _, _, value in steps if kind == "open"), default=0)
    if edges > 1 + len(server.further):
        print(f"the steps connect to {edges} edges: name the others with --edge PORT")
    hindrance = unplayable(server, wire)
    if hindrance:
        print(hindrance)
        return NO_SERVER
    try:
        code, seen = played(server, steps, kind, title, wire)
    except OSError as error:
        if server.serves():
            code, seen = NO_SERVER, f"could not play: {error}"
        elif kind in ("node_down", "app_down"):
            code, seen = SHOWN, "no new client is served any more"
        else:
            code, seen = NO_SERVER, f"the server has gone down meanwhile: {error}"
    word = {SHOWN: "SHOWN: ", NOT_SHOWN: "NOT SHOWN: ", LOOK_AT_THE_NODE: "PLAYED: "}
    print(word.get(code, "") + seen)
    return code


def trusting(ca: str | None) -> ssl.SSLContext:
    """Return how TLS is spoken: to who has a certificate of ``ca``, or to anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    return context


def unplayable(server: Server, wire: Wire) -> str:
    """Return why nothing can be told of this server, empty if something can."""
    if not server.serves():
        if server.asks_for_tokens():
            return "the server refuses the LOGIN: --secret names the secret of its tokens"
        return f"no server answers on {server.address[0]}:{server.address[1]}"
    if wire.get("check") not in ("login", "refused"):
        return ""
    if server.secret is None:
        return "the effect needs the secret of the node's tokens: name it with --secret"
    user = b"canary03"
    forged = (user, user + b":" + server.token(b"secret", user))
    if all(server.said_to(one)[1:].startswith(TEXTS[0x03]) for one in forged):
        return "the server asks for no tokens, so any LOGIN succeeds"
    return ""


def played(
    server: Server, steps: Sequence[Step], kind: str, title: str, wire: Wire
) -> tuple[int, str]:
    """Play as often as the kind asks for; return whether the effect has shown, and what was."""
    if kind == "leak":
        for _ in range(LEAK_PLAYS):
            Play(server, steps, told=False).run()
        return LOOK_AT_THE_NODE, (
            f"{LEAK_PLAYS} times. Only the node tells: {title}. Read it before and after:\n"
            "erlang:memory(), erlang:system_info(atom_count | process_count | port_count),\n"
            "ets:info(Table, size), process_info(Pid, message_queue_len)"
        )
    if kind == "cost":
        return timed(server, steps)
    code, seen = NOT_SHOWN, ""
    for _ in range(PLAYS if wire else 1):
        play = Play(server, steps)
        play.bystanders = server.bystanders()
        play.run()
        for number, link in play.links.items():
            print(
                f"connection {number}: {link.ended or 'open'}; received {link.heard[:200].hex(' ')}"
            )
        code, seen = verdict(kind, wire, play, server)
        if code == SHOWN:
            break
    return code, seen


def timed(server: Server, steps: Sequence[Step]) -> tuple[int, str]:
    """Compare how long the steps take with the same number of bytes that ask for a status."""
    plain = [
        (kind, number, asking(data).hex() if kind == "send" else data, value)
        for kind, number, data, value in steps
        if kind != "pause"
    ]
    costly = [step for step in steps if step[0] != "pause"]
    fastest = []
    for one in (plain, costly):
        seconds = []
        for _ in range(TIMED_PLAYS):
            play = Play(server, one, told=False)
            play.run()
            seconds.append(play.seconds)
        fastest.append(min(seconds))
    ratio = fastest[1] / fastest[0]
    seen = (
        f"it takes {fastest[1] * 1000:.1f} ms, and as many bytes of GET_STATUS"
        f" {fastest[0] * 1000:.1f} ms: {ratio:.1f} times as long"
    )
    return (SHOWN if ratio > COSTLY else NOT_SHOWN), seen


def asking(data: str) -> bytes:
    """Return GET_STATUS, again and again: as many bytes as ``data`` has in hex."""
    return STATUS_OF_NOBODY * max(1, len(data) // 2 // len(STATUS_OF_NOBODY))
