"""A connection over TLS, and the choice between one and a plain one.

TLS is a layer between a :class:`Connection` and its socket, made with the memory buffers of
:mod:`ssl`: the socket is as non-blocking as that of a plain connection, which pays nothing for it.

- What is sent at once is one record, so a segment keeps its end; above 16,384 bytes it is several
  (RFC 8446, section 5.1), and where those end means nothing.
- There is no half-close that servers keep to. RFC 8446 (section 6.1) has one, but Erlang's ssl, as
  TLS 1.2 had it, ends a connection when the peer says close_notify, and drops what is not sent by
  then. Who ends a connection takes first what it is owed (see ``hasty``).
- A reset cuts the TCP connection below, and says nothing.
- An end of the stream without close_notify is an end as that of TCP is: servers that crash, and
  some that do not, end like this.
"""

from __future__ import annotations

import ssl
from contextlib import suppress

from fuzz.case import Transport
from fuzz.executor.connection import CHUNK, CHUNKS, Connection
from fuzz.executor.endpoint import Endpoint
from fuzz.observation import Ending
from fuzz.tls import ClientTls, why_refused

SECURED = "the handshake of TLS"


class SecureConnection(Connection):
    """A :class:`Connection` whose socket carries TLS."""

    hasty = True

    def __init__(
        self,
        number: int,
        endpoint: Endpoint,
        tls: ClientTls,
        transport: Transport = Transport.TCP,
        source: str | None = None,
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=tls.server_name
        )
        #: Records that the socket did not take, and the segment that they hold.
        self._unsent = self._begun = b""
        super().__init__(number, endpoint, transport, source)

    def go_on(self) -> None:
        """Go on with the opening; see :meth:`Connection.go_on`."""
        if self.awaits != SECURED:
            super().go_on()
            return
        fault = self._fill()
        if fault is None:
            self._shake_hands()
        else:
            self._refuse(fault)

    def send(self, data: bytes) -> int:
        """Write a segment; return its length, or 0 when it has to be offered again."""
        try:
            if not self._unsent or data != self._begun:
                if not self._flush():
                    return 0
                self._tls.write(data)
                self._begun = data
        except ssl.SSLError:
            self._broken(None)
            return len(data)
        return len(data) if self._flush() else 0

    def receive(self) -> bytes:
        """Read what is there; sets ``ending`` at the end of the stream."""
        parts, self._last_words = [self._last_words], b""
        fault = self._fill() if self.ending is None else None
        while self.ending is None:
            try:
                data = self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                break
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                data = b""  # with close_notify, and without it
            except ssl.SSLError as error:
                self._alarmed(error)
                break
            if not data:
                self.end(Ending.CLOSED)
            parts.append(data)
        if self.ending is None:
            self._flush()  # the protocol may have an answer of its own
        if fault is not None:
            self._fail(fault.errno)
        return b"".join(parts)

    def half_close(self) -> None:
        """Say that nothing more will be sent, in both layers."""
        # What it wants then is the same word of the peer, which is for receive().
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        self._flush()
        if self.ending is None:
            super().half_close()

    def _established(self) -> None:
        self.awaits = SECURED
        self._shake_hands()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._flush()  # the peer is told why
            self._refuse(error)
        else:
            self._flush()
            super()._established()

    def _alarmed(self, error: ssl.SSLError) -> None:
        """Take an alert: TLS 1.3 has one behind the handshake for a client that it refuses."""
        if self.sent or self.pieces:
            self._fail(None)
        else:
            self._refuse(error)

    def _refuse(self, error: OSError) -> None:
        self.waited_for = why_refused(error)
        self.end(Ending.REFUSED)

    def _fill(self) -> OSError | None:
        """Read what is there, encrypted as it is; return what the socket failed with."""
        for _ in range(CHUNKS):
            try:
                data = self._socket.recv(CHUNK)
            except BlockingIOError:
                break
            except OSError as error:
                return error
            if not data:
                self._incoming.write_eof()
                break
            self._incoming.write(data)
        return None

    def _flush(self) -> bool:
        """Write what is encrypted; tell whether the socket took all of it."""
        self._unsent += self._outgoing.read()
        while self._unsent and self.ending is None:
            try:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
            except BlockingIOError:
                return False
            except OSError as error:
                self._unsent = b""
                self._broken(error.errno)
        return True


def dial(
    number: int,
    endpoint: Endpoint,
    transport: Transport = Transport.TCP,
    source: str | None = None,
) -> Connection:
    """Return a connection to ``endpoint``, over TLS where that is spoken."""
    tls = endpoint.tls_of(transport)
    if tls is None:
        return Connection(number, endpoint, transport, source)
    return SecureConnection(number, endpoint, tls, transport, source)
