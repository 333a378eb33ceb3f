"""Cases that are made ahead, while the harness would only wait for the node.

libFuzzer asks for one case after the other, and while a batch is played it does not ask. So what it
asks for is taken as an order, and it is handed one that was ordered before: of the same kind, from
what it has chosen a batch ago. Orders are carried out while players wait for replies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fuzz.case import Case

#: A case and its file form.
Made = tuple[bytes, Case]
#: Orders that wait: those of two large batches, so that none is old.
_MOST = 64


class Stock:
    """What was ordered, and what of that is made."""

    def __init__(self) -> None:
        self._orders: deque[Callable[[], Made]] = deque(maxlen=_MOST)
        self._made: deque[Made] = deque()

    def trade(self, order: Callable[[], Made]) -> Made:
        """Take an order, and return what was ordered first, if it is made; else this one.

        In that case there is one more of it later: so there is something to do from then on.
        """
        self._orders.append(order)
        return self._made.popleft() if self._made else order()

    def make(self) -> bool:
        """Carry out one order; tell whether there was any."""
        if not self._orders:
            return False
        self._made.append(self._orders.popleft()())
        return True
