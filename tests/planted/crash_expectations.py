"""What the finding of each planted defect that breaks a node, a process or a resource must say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Broken:
    """Cause, reason and process; words of the title; how the target was brought back."""

    what: str
    reason: str = ""
    origin: str = ""
    says: str = ""
    recovered: tuple[str, ...] = ()


_CLAUSE = "error:function_clause"
_CONN = "iris_ref_conn:init/1"

CRASH_EXPECTED: Mapping[str, Broken] = MappingProxyType(
    {
        "node_halt": Broken(
            "node ended", "exit status 3", says="exit status 3", recovered=("node",)
        ),
        "node_memory": Broken(
            "node ended", "out of memory", says="Cannot allocate", recovered=("node",)
        ),
        "node_atoms": Broken(
            "node ended", "atom table full", says="no more index entries", recovered=("node",)
        ),
        "node_restart": Broken(
            "node restarted", says="the node restarted by itself", recovered=("node",)
        ),
        "node_silent": Broken(
            "node silent", says="nothing in it answers", recovered=("node",)
        ),
        "app_mute": Broken(
            "application down", "mute", "iris_ref_conn_sup", "no new client is answered",
            ("application",),
        ),
        "app_intensity": Broken(
            "crash", _CLAUSE, "iris_ref_tally", "refuses connections (stopped: iris_ref)",
            ("application",),
        ),
        "listener_closed": Broken(
            "application down", "refused", says="the node lives, but its port refuses connections",
            recovered=("application",),
        ),
        "shallow": Broken(
            "crash", "error:{badmatch,false}", "iris_ref_limiter",
            "cut off (a client that is logged in",
        ),
        "links_spread": Broken(
            "crash", "exit:{bad_frame,<binary>}", _CONN, "cut off (a client that is logged in"
        ),
        "ws_listener": Broken(
            "crash", _CLAUSE, "iris_ref_ws_hub", "cut off (a WebSocket client that is logged in"
        ),
        "server_opcode": Broken("crash", _CLAUSE, _CONN, "in iris_ref_proto:is_servers/1"),
        "partial_header": Broken("crash", _CLAUSE, _CONN, "in iris_ref_proto:short/1"),
        "limit_exact": Broken("crash", "error:badarg", _CONN, "in binary:copy/2"),
        "deep_cbor": Broken("crash", "error:badarg", _CONN, "in binary:at/2"),
        "heap_killed": Broken("crash", "exit:max_heap_size", says="exit:max_heap_size"),
        "plain_spawn": Broken("crash", _CLAUSE, "iris_ref_mishap:echo/2", "iris_ref_mishap:echo/2"),
        "keys_later": Broken("crash", "error:badarg", "iris_ref_keys:refill/1", "erlang:hd/1"),
        "limiter_far": Broken(
            "crash", "error:{badmatch,{error,[],<binary>}}", "iris_ref_limiter:report/1", "badmatch"
        ),
        "login_switch": Broken("crash", "error:badarg", _CONN, "in erlang:element/2"),
        "group_after_leave": Broken("crash", "error:badarg", _CONN, "in erlang:hd/1"),
        "receipt_known": Broken("crash", "error:{badkey,<binary>}", _CONN, "in erlang:map_get/2"),
        "build_up": Broken(
            "crash", "error:{badmatch,false}", _CONN, "in iris_ref_mishap:refused/0"
        ),
        "later_position": Broken("crash", "error:badarith", _CONN, "in erlang:div/2"),
        "later_call": Broken("crash", _CLAUSE, _CONN, "in iris_ref_later:resumed/1"),
        "later_header": Broken("crash", "error:badarg", _CONN, "in erlang:element/2"),
        "restart_refuses": Broken(
            "crash", "error:{badmatch,false}", "iris_ref_offline:init/1",
            "its port refuses connections (stopped: iris_ref)", ("node",),
        ),
        "call_cycle": Broken(
            "hang", "call", _CONN, "waits for an answer in iris_ref_mishap:handle/2",
            ("application",),
        ),
        "unanswered": Broken("unanswered", "GET_STATUS", says="GET_STATUS was never answered"),
        "served_late": Broken(
            "hang", "a new client is served late", says="a new client was served only after "
        ),
        "mailbox_storm": Broken(
            "hang", "mailbox", "iris_ref_gossip", "iris_ref_gossip is behind with its mailbox, in ",
            ("application",),
        ),
        "mailbox_stuck": Broken(
            "leak", "messages in the mailbox of iris_ref_receipts", says="grow by 1.0"
        ),
        "ets_leak": Broken("leak", "ETS rows of iris_ref_typing", says="grow by 1.0"),
        "ets_bytes": Broken("leak", "ETS bytes of iris_ref_left", says="grow by 40.0"),
        "process_leak": Broken("leak", "processes of iris_ref_mishap:await/1", says="grow by 1.0"),
        "port_leak": Broken("leak", "ports of udp_inet", says="grow by 1.0"),
        "binary_leak": Broken("leak", "binaries of iris_ref_pages", says="grow by 4,097"),
        "stuck_frame": Broken("leak", "ETS rows of iris_ref_partial", says="grow by 1.0"),
        "slow_decode": Broken("cost", says=" ran most often"),
    }
)  # fmt: skip
