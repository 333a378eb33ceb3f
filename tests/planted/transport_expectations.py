"""What the finding of each planted defect of how bytes travel must say."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tests.planted.crash_expectations import Broken

_CLAUSE = "error:function_clause"
_CONN = "iris_ref_conn:init/1"

TRANSPORT_EXPECTED: Mapping[str, Broken] = MappingProxyType(
    {
        "tls_goodbye": Broken("crash", _CLAUSE, _CONN, "in iris_ref_slip:complete/1"),
        "ws_interleaved": Broken("crash", _CLAUSE, _CONN, "in iris_ref_slip:fragment/1"),
        "ws_length": Broken("crash", "error:badarg", _CONN, "in erlang:make_tuple/2"),
        "ws_unmasked": Broken("websocket", "without a mask", says="acted on a WebSocket frame"),
        "ws_pong": Broken("websocket", "no pong", says="PING was not answered with a PONG"),
        "ws_close": Broken("websocket", "no close", says="CLOSE was not answered with a CLOSE"),
        "ws_wide": Broken(
            "websocket", "a length wider than it needs to be", says="the server sent a WebSocket"
        ),
    }
)
