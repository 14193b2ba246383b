"""Socket Mode: hands what happens to one of the app's connections and waits for its envelope's ack.

docs.slack.dev/apis/events-api/using-socket-mode: several connections share the load without any
pattern; an envelope not acknowledged within three seconds counts as failed and is sent once more.
"""

import asyncio
import json
from collections.abc import Coroutine
from random import Random
from typing import Any

from aiohttp import WSMsgType, web

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.installation import Installation
from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.wire import Ack, ApiError, Json

ACK_SECONDS = 3.0
"""Real seconds, whatever the clock says. Tests of what is late take less."""
MOST_CONNECTIONS = 10
CLOSE_SECONDS = 0.2


class Sockets:
    """The app's connections and the envelopes under way."""

    def __init__(
        self, *, installation: Installation, ids: Ids, rng: Random, record: Record
    ) -> None:
        self.unacked: list[Json] = []
        self.ack_seconds = ACK_SECONDS
        self._installation = installation
        self._ids = ids
        self._rng = rng
        self._record = record
        self._tickets: set[str] = set()
        self._connections: dict[web.WebSocketResponse, dict[str, asyncio.Future[Json | None]]] = {}
        self._owed: list[Json] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> int:
        return len(self._connections)

    def ticket(self) -> str:
        """Return the right to connect once."""
        if self.connected >= MOST_CONNECTIONS:
            raise ApiError("too_many_websockets")
        ticket = self._ids.secret("")
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Be one connection until it ends."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="unknown ticket")
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(timeout=CLOSE_SECONDS)
        await socket.prepare(request)
        await self._greet(socket)
        self._connections[socket] = {}
        self._record.add(Kind.DELIVERY, "hello", {"num_connections": self.connected})
        self._catch_up()
        try:
            await self._listen(socket)
        finally:
            self._forget(socket)
        return socket

    async def deliver(self, kind: str, payload: Json, *, answerable: bool = False) -> Ack:
        """Send an envelope, a second time if need be, and return how the app took it."""
        for attempt in range(2):
            envelope = self._envelope(kind, payload, answerable, attempt)
            if not self._connections:
                return self._nobody_there(envelope)
            answer = await self._send(envelope)
            self._record.add(Kind.DELIVERY, kind, envelope, answer)
            if answer is not None:
                return self._taken(envelope, answer)
            self.unacked.append(envelope)
        return Ack(error="operation_timeout")

    async def disconnect(self, reason: str) -> None:
        """Ask every connection to go, as Slack does when it refreshes them, and close them."""
        for socket in list(self._connections):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {}})
        await self.drop()

    async def drop(self) -> None:
        """Close every connection without a word."""
        await asyncio.gather(*(it.close(code=1001) for it in list(self._connections)))

    async def close(self) -> None:
        self._tickets.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.drop()

    def _envelope(self, kind: str, payload: Json, answerable: bool, attempt: int) -> Json:
        # A retry comes in an envelope of its own, so that envelope ids tell no duplicates apart.
        envelope: Json = {
            "envelope_id": self._ids.secret(""),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": answerable,
        }
        if kind == "events_api" or attempt:
            envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        return envelope

    def _nobody_there(self, envelope: Json) -> Ack:
        """Events wait for the next connection; people see that it failed."""
        if envelope["type"] == "events_api":
            self._owed.append(envelope)
        else:
            self.unacked.append(envelope)
        self._record.add(Kind.DELIVERY, envelope["type"], envelope)
        return Ack(error="dispatch_failed")

    def _taken(self, envelope: Json, answer: Json) -> Ack:
        if answer and not envelope["accepts_response_payload"]:
            self._record.complain("an answer to an envelope that takes none", answer=answer)
            return Ack()
        return Ack(payload=answer)

    async def _send(self, envelope: Json) -> Json | None:
        """Return what came with the ack, or None if none came in time."""
        socket = self._rng.choice(list(self._connections))
        waiting = self._connections[socket]
        future: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        waiting[envelope["envelope_id"]] = future
        try:
            async with asyncio.timeout(self.ack_seconds):
                await socket.send_json(envelope)
                return await future
        except (TimeoutError, ConnectionError):
            return None
        finally:
            waiting.pop(envelope["envelope_id"], None)

    async def _greet(self, socket: web.WebSocketResponse) -> None:
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": self.connected + 1,
                "connection_info": {"app_id": self._installation.api_app_id},
                "debug_info": {"host": "playground", "approximate_connection_time": 18060},
            }
        )

    def _catch_up(self) -> None:
        """Deliver what happened while nobody was connected."""
        owed, self._owed = self._owed, []
        for envelope in owed:
            self._start(self._redeliver(envelope["payload"]))

    async def _redeliver(self, payload: Json) -> None:
        await self.deliver("events_api", payload)

    async def _listen(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self._acked(socket, message.data)

    def _acked(self, socket: web.WebSocketResponse, text: str) -> None:
        try:
            answer = json.loads(text)
            envelope_id = answer["envelope_id"]
        except (ValueError, KeyError, TypeError):
            self._record.complain("a message on the socket that is no acknowledgement", text=text)
            return
        future = self._connections[socket].get(envelope_id)
        if future is None or future.done():
            self._record.complain("an acknowledgement for no open envelope", id=envelope_id)
            return
        future.set_result(answer.get("payload") or {})

    def _forget(self, socket: web.WebSocketResponse) -> None:
        for future in self._connections.pop(socket).values():
            if not future.done():
                future.set_result(None)
        self._record.add(Kind.DELIVERY, "goodbye", {"num_connections": self.connected})

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
