"""The app's websockets: each with the envelopes that wait for its acknowledgement."""

import asyncio
from collections.abc import Iterator
from random import Random

from aiohttp import web

from bot.playground.workspace.wire import Json

CLOSE_SECONDS = 0.2


class Connection:
    """One websocket."""

    def __init__(self) -> None:
        self.socket = web.WebSocketResponse(timeout=CLOSE_SECONDS, autoping=False)
        self._open: dict[str, asyncio.Future[Json | None]] = {}

    async def send(self, envelope: Json) -> Json | None:
        """Return what came with the acknowledgement; None once the connection has ended."""
        id = envelope["envelope_id"]
        future = self._open[id] = asyncio.get_running_loop().create_future()
        try:
            await self.socket.send_json(envelope)
            return await asyncio.shield(future)
        finally:
            self._open.pop(id, None)

    def acked(self, envelope_id: object, answer: Json) -> bool:
        """Note an acknowledgement; return whether anything was waiting for it."""
        future = self._open.get(envelope_id) if isinstance(envelope_id, str) else None
        if future is None or future.done():
            return False
        future.set_result(answer)
        return True

    async def ask_to_go(self, reason: str) -> None:
        if not self.socket.closed:
            message = {"type": "disconnect", "reason": reason, "debug_info": {"host": "playground"}}
            await self.socket.send_json(message)

    async def close(self) -> None:
        await self.socket.close(code=1001)

    def end(self) -> None:
        """Let go of everything that still waits here."""
        for future in self._open.values():
            if not future.done():
                future.set_result(None)


class Connections:
    """The open connections; what happens goes to any of them."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._all: list[Connection] = []

    def add(self, connection: Connection) -> None:
        self._all.append(connection)

    def remove(self, connection: Connection) -> None:
        self._all.remove(connection)
        connection.end()

    def any(self) -> Connection:
        return self._rng.choice(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._all)
