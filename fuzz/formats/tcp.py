"""One direction of a TCP connection out of packets that came late, twice, or not at all."""

from __future__ import annotations

from dataclasses import dataclass

#: Segments kept that came before what precedes them, in number and bytes: more than a receiver's
#: window holds on any network that a chat goes over.
_MAX_HELD = 4_096
_MAX_HELD_BYTES = 8 * 1024 * 1024
_NUMBERS = 1 << 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that are new, in order. ``pushed`` tells that the sender had nothing more to add."""

    data: bytes
    pushed: bool


class Direction:
    """What one side sends. What is captured twice counts once."""

    def __init__(self) -> None:
        #: The sequence number that comes next; None until one is known.
        self.next: int | None = None
        self.ended = False
        """True once the end of the stream has come, and all before it."""
        self._held: dict[int, tuple[bytes, bool, bool]] = {}
        self._held_bytes = 0

    @property
    def missing(self) -> bool:
        """Tell whether bytes were not captured, before others that were."""
        return bool(self._held)

    def begin(self, number: int) -> None:
        """Take the number of a SYN."""
        self.next = (number + 1) % _NUMBERS

    def take(self, number: int, data: bytes, pushed: bool, fin: bool) -> list[Chunk]:
        """Take a segment; return what is in order now. What there is no room for counts as lost."""
        if self.next is None:
            self.next = number  # the capture began later than the connection
        if not (data or fin):
            return []
        if self._ahead(number) > 0:
            self._hold(number, data, pushed, fin)
            return []
        chunks = self._delivered(number, data, pushed, fin)
        while chunks and (due := [held for held in self._held if self._ahead(held) <= 0]):
            for held in due:
                segment = self._held.pop(held)
                self._held_bytes -= len(segment[0])
                chunks += self._delivered(held, *segment)
        return chunks

    def _hold(self, number: int, data: bytes, pushed: bool, fin: bool) -> None:
        """Keep a segment until what precedes it has come; of two at one place, the longer."""
        known = self._held.get(number, (b"", False, False))
        grown = len(data) - len(known[0])
        full = len(self._held) >= _MAX_HELD or self._held_bytes + grown > _MAX_HELD_BYTES
        if full or (grown <= 0 and known[0]):
            return
        self._held_bytes += grown
        self._held[number] = (data, pushed, fin)

    def _delivered(self, number: int, data: bytes, pushed: bool, fin: bool) -> list[Chunk]:
        """Return what is new in a segment that nothing is missing before."""
        late = -self._ahead(number)
        if fin and late <= len(data):
            self.ended = True
        if late >= len(data):
            return []
        assert self.next is not None
        self.next = (self.next + len(data) - late) % _NUMBERS
        return [Chunk(data[late:], pushed)]

    def _ahead(self, number: int) -> int:
        """Return how far a number is ahead of the next one, on the circle of numbers."""
        assert self.next is not None
        return (number - self.next + _NUMBERS // 2) % _NUMBERS - _NUMBERS // 2
