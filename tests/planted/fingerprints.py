"""The fingerprint of each planted defect: frozen, since people write them down.

A file of known issues, a report or a name of a regression goes by it. One that changes here
changes for all of them: say so in the message of the commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FINGERPRINTS: Mapping[str, str] = MappingProxyType(
    {
        "alg_none": "c65b39df54c32857",
        "altered_bytes": "7b4b72e22295ab51",
        "app_gives_up": "af3d9e7ad6dc4601",
        "app_intensity": "d67e62fad5a20517",
        "app_mute": "96e48d36359a5c92",
        "atom_leak": "900c824049cd300c",
        "batch_unmetered": "ab2d0ca912c3b443",
        "before_login": "50c3b1c183177224",
        "binary_leak": "948012d9b5761f89",
        "bucket_off_by_one": "657db94ef536c631",
        "build_up": "682596e578f59ee3",
        "call_cycle": "95509e417da1a394",
        "crash_alone": "4dd95471397ed725",
        "crash_cascades": "83ceae827bffa4da",
        "cut_dependent": "89a933d549005e35",
        "deep_cbor": "51a71b3b16c5de70",
        "deprecated_told": "153221b7d522c1f2",
        "duplicate_seq": "24a9101ce4af6d9a",
        "ets_bytes": "83beaf01f406302a",
        "ets_leak": "4cb2a21e0fd99857",
        "group_after_leave": "99df61a59c83c423",
        "group_stranger": "a3ad18e828159ed4",
        "hang": "5ccadd3b12c4d043",
        "heap_killed": "2e34063785c4a12e",
        "keys_later": "2cd9ac6c0647069a",
        "limit_exact": "a70545cca7f575ce",
        "limiter_far": "3ecb4e01b68eccfb",
        "links_spread": "36f9450896deb509",
        "listener_closed": "db2a15b43fc3594c",
        "login_switch": "ddd61884315a8fcc",
        "lost_in_batch": "49032b9512956a72",
        "mailbox_storm": "0ea89773910bc7fb",
        "mailbox_stuck": "9751e729a2661f3f",
        "node_abort": "b82f3cd4a3640e70",
        "node_atoms": "9c1150db9cbfa10d",
        "node_dump": "cdd7495608098f20",
        "node_halt": "3e65504cd967774a",
        "node_memory": "ff04101c2e4d3064",
        "node_restart": "e3d1a71f364b9c7b",
        "node_silent": "a42084fbfb53e57a",
        "offline_lost": "a72c4886bb52bf3a",
        "otk_twice": "565bfc5ee12f921a",
        "partial_header": "546acbf66049ea2b",
        "plain_spawn": "d82c55bb2958944d",
        "port_leak": "0978d192a63e5a96",
        "process_leak": "30e96e2b7c3559e2",
        "receipt_id_cut": "789074c21ff271fd",
        "receipt_known": "e3eae148e0e791be",
        "relogin_state": "7316d5d2ec450e21",
        "reordered": "faf25d396247fce7",
        "reply_length": "3383b758169d3953",
        "reply_opcode": "3cf65aedb78275bc",
        "served_late": "77d19bc6ea962835",
        "server_opcode": "45d0fd644dcf9e26",
        "slow_decode": "aeded9a6b0f953d4",
        "status_stale": "b18c9634eaad89f5",
        "stuck_frame": "4532c36c29c07c10",
        "token_expired": "2b39e68195b8f1ce",
        "token_subject": "035d126f11a17e85",
        "typing_forged": "8060cf4d9884f294",
        "unanswered": "805e9a72f158c2f7",
        "wrong_user": "0c0162a5fc975016",
        "ws_listener": "a2612ad2b6501eb4",
    }
)
