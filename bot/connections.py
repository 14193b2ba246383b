"""Connections at the port: how many there may be, and how long one may take to ask.

aiohttp closes a connection that lies idle (`keepalive_timeout`), and waits as long for the rest of
a request's header. What is here is stricter to whoever begins a request, and counts.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

HEADER_SECONDS = 10.0
"""How long the header of a request may take to arrive."""
IDLE_SECONDS = 75.0
"""How long a connection may lie idle: longer than a proxy keeps one, which is a minute mostly."""
MOST = 256


class Connections:
    """Keeps count. For one too many, whoever has waited longest without asking has to go: half a
    request asks for nothing.
    """

    def __init__(
        self,
        server: Callable[[], asyncio.Protocol],
        *,
        header_seconds: float = HEADER_SECONDS,
        most: int = MOST,
    ) -> None:
        """Take what makes the protocol of each connection, and real seconds."""
        self._server = server
        self._header_seconds = header_seconds
        self._most = most
        self._open: dict[asyncio.BaseTransport, Connection] = {}  # whoever was busy last comes last

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection, as `loop.create_server` wants it."""
        return Connection(self._server(), self, header_seconds=self._header_seconds)

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, transport: asyncio.BaseTransport, connection: "Connection") -> None:
        self._open[transport] = connection
        if len(self._open) > self._most:
            others = (each for each in self._open.values() if not each.has_asked)
            next(others, connection).hang_up()

    def leave(self, transport: asyncio.BaseTransport) -> None:
        self._open.pop(transport, None)

    @contextmanager
    def serving(
        self, transport: asyncio.BaseTransport | None, *, is_whole: Callable[[], bool]
    ) -> Iterator[None]:
        """Know, while inside, that this connection asks for something.

        `is_whole` says whether all of it has arrived, so that it is waiting for us.
        """
        connection = self._open.pop(transport, None) if transport else None
        if transport is None or connection is None:  # it is gone already
            yield
            return
        self._open[transport] = connection
        connection.begin(is_whole)
        try:
            yield
        finally:
            connection.end()


class Connection(asyncio.Protocol):
    """Hands everything on to another protocol, and hangs up on a header that does not end."""

    def __init__(
        self, inner: asyncio.Protocol, connections: Connections, *, header_seconds: float
    ) -> None:
        self._inner = inner
        self._is_whole: Callable[[], bool] | None = None  # known once a header has arrived
        self._connections = connections
        self._header_seconds = header_seconds
        self._transport: asyncio.Transport | None = None
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def has_asked(self) -> bool:
        """Whether a whole request has arrived: the answer is ours to give."""
        return self._is_whole is not None and self._is_whole()

    def begin(self, is_whole: Callable[[], bool]) -> None:
        """Note that a header has arrived; how long the body may take is for whoever reads it."""
        self._is_whole = is_whole
        self._calm()

    def end(self) -> None:
        self._is_whole = None

    def hang_up(self) -> None:
        self._calm()
        if self._transport is not None:
            self._connections.leave(self._transport)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._inner.connection_made(transport)
        self._watch()
        self._connections.enter(transport, self)

    def data_received(self, data: bytes) -> None:
        if self._is_whole is None:
            self._watch()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        if self._transport is not None:
            self._connections.leave(self._transport)
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def _watch(self) -> None:
        """Set the alarm, unless it runs: more of the same header does not put it off."""
        if self._alarm is None:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(self._header_seconds, self.hang_up)

    def _calm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
