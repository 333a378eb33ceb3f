"""Twenty thousand frames, most of them broken, leave nothing behind and harm nobody."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from tests.target.reference_support import Client, ReferenceNode, memory_folder, n16, u64
from tests.target.test_reference_dialogue import FRAMES

#: Tables whose rows are what users have stored; their ceilings have tests of their own.
STORED = """[iris_ref_message, iris_ref_group, iris_ref_bundle, iris_ref_offline_age,
             iris_ref_offline_counts, iris_ref_groups_age, iris_ref_keys_age]"""

#: Processes, ports, and rows of ETS tables.
COUNTS = f"""
    [length(erlang:processes()), length(erlang:ports()),
     lists:sum([element(2, {{0, R}}) || T <- ets:all(),
                R <- [ets:info(T, size)], is_integer(R),
                not lists:member(ets:info(T, name), {STORED})])]
"""


def mutated(random: random.Random) -> bytes:
    """Return a frame with some of its bytes changed, cut out or put in twice."""
    frame = bytearray(random.choice(list(FRAMES.values())))
    for _ in range(random.choice((0, 1, 1, 2, 4))):
        at = random.randrange(len(frame))
        kind = random.randrange(5)
        if kind == 0:
            frame[at] = random.choice((0, 1, 0x7F, 0xFF, random.randrange(256)))
        elif kind == 1:
            frame[at:at] = frame[random.randrange(len(frame)) :]
        elif kind == 2 and len(frame) > 1:
            del frame[at]
        elif kind == 3:
            frame[at:at] = random.choice((u64(0), u64(2**64 - 1), n16(b"x" * 300), b"\xbf\x9f"))
        else:
            frame[at] ^= 1 << random.randrange(8)
    return bytes(frame)


def flood(node: ReferenceNode, connections: int, seed: int) -> None:
    """Send ten frames on each connection, in one to ten segments; see each of them end."""
    generator = random.Random(seed)
    for number in range(connections):
        with Client(node.tcp) as client:
            if number % 8:
                client.send(b"\x01bob%d" % (number % 50))
                client.socket.recv(100)
            data = b"".join(mutated(generator) for _ in range(10))
            try:
                while data:
                    at = generator.randrange(1, 200)
                    client.send(data[:at])
                    data = data[at:]
                if number % 16 == 1:
                    client.reset()
                else:
                    client.finish_raw()
            except (BrokenPipeError, ConnectionResetError):
                continue


def no_more_than(before: str) -> str:
    """Return whether each count is at most that: what was about to end then has ended by now."""
    return f"lists:all(fun({{Now, Then}}) -> Now =< Then end, lists:zip({COUNTS}, {before}))"


def test_frames_of_all_kinds_leave_nothing_behind() -> None:
    with memory_folder() as folder, ReferenceNode(Path(folder)) as node:
        with Client(node.tcp, b"bystander") as bystander:
            flood(node, 200, seed=1)
            node.eval(no_more_than(COUNTS))  # its own words are atoms
            atoms = node.number("erlang:system_info(atom_count)")
            idle = "0 =:= ets:info(iris_ref_limiter, size)"
            node.until(f"1 =:= ets:info(iris_ref_presence, size) andalso {idle}", "rows to go")
            before = node.eval(COUNTS)
            flood(node, 2000, seed=2)
            node.until(no_more_than(before), f"the counts to be {before} again")
            assert node.number("erlang:system_info(atom_count)") == atoms
            bystander.settle()
        assert node.log == []


def test_a_refused_frame_holds_no_memory(
    reference: ReferenceNode, name: Callable[[], bytes]
) -> None:
    with Client(reference.tcp, name()) as client:
        client.send(b"\x04" + n16(b"bob") + b"\x00\x10\x00\x00")
        assert client.rest() == b"\xfe" + n16(b"frame is larger than the buffer")


def test_a_client_that_does_not_read_is_cut_off_and_others_are_served(
    reference: ReferenceNode, name: Callable[[], bytes]
) -> None:
    user = name()
    with Client(reference.tcp, user) as greedy, Client(reference.tcp, name()) as other:
        greedy.socket.settimeout(0)
        request, cut_off = (b"\x05" + n16(user)) * 5000, False
        alive = f'iris_ref_presence:find(<<"{user.decode()}">>) =:= offline'
        while not cut_off:
            try:
                greedy.send(request)
            except BlockingIOError:
                reference.until(alive, "the server to cut off who does not read")
                cut_off = True
            except (ConnectionResetError, BrokenPipeError):
                cut_off = True
            other.settle()
        assert cut_off
