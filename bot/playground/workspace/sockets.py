"""Socket Mode: hands what happens to one of the app's connections and waits for its envelope's ack.

docs.slack.dev/apis/events-api/using-socket-mode: several connections share the load without any
pattern; an envelope not acknowledged within three seconds counts as failed and is sent once more.
"""

import asyncio
import json
from datetime import datetime
from random import Random

from aiohttp import WSMsgType, web

from bot.playground.workspace.connections import Connection, Connections
from bot.playground.workspace.ids import Ids
from bot.playground.workspace.installation import Installation
from bot.playground.workspace.record import Kind, Record
from bot.playground.workspace.retries import EVENT, later
from bot.playground.workspace.tasks import Tasks
from bot.playground.workspace.wire import Ack, ApiError, CannotAct, Json
from graph.clock import Clock

ACK_SECONDS = 3.0
"""Real seconds, whatever the clock says. Tests of what is late take less."""
MOST_CONNECTIONS = 10
REASONS = ("refresh_requested", "link_disabled")


class Sockets:
    """The app's connections and the envelopes under way."""

    def __init__(
        self,
        *,
        installation: Installation,
        ids: Ids,
        rng: Random,
        record: Record,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self.unacked: list[Json] = []
        self.ack_seconds = ACK_SECONDS
        self._installation = installation
        self._ids = ids
        self._record = record
        self._clock = clock
        self._tasks = tasks
        self._tickets: set[str] = set()
        self._connections = Connections(rng)
        self._owed: list[Json] = []

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
        connection = Connection()
        await connection.socket.prepare(request)
        if self.connected >= MOST_CONNECTIONS:
            await connection.ask_to_go("too_many_websockets")
            await connection.close()
            return connection.socket
        await self._greet(connection)
        self._connections.add(connection)
        self._record.add(Kind.DELIVERY, "hello", {"num_connections": self.connected})
        self._catch_up()
        try:
            await self._listen(connection)
        finally:
            self._forget(connection)
        return connection.socket

    async def deliver(self, kind: str, payload: Json, *, answerable: bool = False) -> Ack:
        """Send an envelope, a second time if need be, and return how the app took it.

        An event that is still not taken comes again later, beside what goes on.
        """
        for attempt in range(2):
            ack = await self._deliver(kind, payload, answerable, attempt)
            if ack.error != "operation_timeout":
                return ack
        if kind == EVENT:
            self._tasks.start(self._later(payload, self._clock.now()))
        return ack

    async def disconnect(self, reason: str) -> None:
        """Ask every connection to go, and close it."""
        if reason not in REASONS:
            raise CannotAct(f"Slack disconnects by {', '.join(REASONS)}.")
        if reason == "link_disabled":
            self._installation.socket_mode_enabled = False
        asked = list(self._connections)
        for connection in asked:
            await connection.ask_to_go(reason)
        await self._close(asked)

    async def drop(self, count: int | None = None) -> None:
        """Close every connection, or so many, without a word."""
        await self._close(list(self._connections)[:count])

    async def close(self) -> None:
        self._tickets.clear()
        await self.drop()

    async def _deliver(self, kind: str, payload: Json, answerable: bool, attempt: int) -> Ack:
        envelope = self._envelope(kind, payload, answerable, attempt)
        if not self._connections:
            return self._not_connected(envelope)
        answer = await self._send(envelope)
        self._record.add(Kind.DELIVERY, kind, envelope, answer)
        if answer is None:
            self.unacked.append(envelope)
            return Ack(error="operation_timeout")
        return self._taken(envelope, answer)

    async def _later(self, payload: Json, failed: datetime) -> None:
        async for attempt in later(self._clock, failed):
            ack = await self._deliver(EVENT, payload, False, attempt)
            if ack.error != "operation_timeout":
                return

    def _envelope(self, kind: str, payload: Json, answerable: bool, attempt: int) -> Json:
        # A retry comes in an envelope of its own, so that envelope ids tell no duplicates apart.
        envelope: Json = {
            "envelope_id": self._ids.secret(""),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": answerable,
        }
        if kind == EVENT or attempt:
            envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        return envelope

    def _not_connected(self, envelope: Json) -> Ack:
        """Events wait for the next connection; people see that it failed."""
        if envelope["type"] == EVENT:
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
        connection = self._connections.any()
        try:
            async with asyncio.timeout(self.ack_seconds):
                return await connection.send(envelope)
        except (TimeoutError, ConnectionError):
            return None

    async def _greet(self, connection: Connection) -> None:
        await connection.socket.send_json(
            {
                "type": "hello",
                "num_connections": self.connected + 1,
                "connection_info": {"app_id": self._installation.api_app_id},
                "debug_info": {"host": "playground", "approximate_connection_time": 18060},
            }
        )

    def _catch_up(self) -> None:
        """Deliver what happened while the app was not connected."""
        owed, self._owed = self._owed, []
        for envelope in owed:
            self._tasks.start(self._redeliver(envelope["payload"]))

    async def _redeliver(self, payload: Json) -> None:
        await self.deliver(EVENT, payload)

    async def _listen(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type is WSMsgType.PING:
                await connection.socket.pong(message.data)
            if message.type is WSMsgType.TEXT:
                self._hear(connection, message.data)

    def _hear(self, connection: Connection, text: str) -> None:
        try:
            answer = json.loads(text)
            envelope_id = answer["envelope_id"]
        except (ValueError, KeyError, TypeError):
            self._record.complain("a message on the socket that is no acknowledgement", text=text)
            return
        if not connection.acked(envelope_id, answer.get("payload") or {}):
            self._record.complain("an acknowledgement for no open envelope", id=envelope_id)

    def _forget(self, connection: Connection) -> None:
        self._connections.remove(connection)
        self._record.add(Kind.DELIVERY, "goodbye", {"num_connections": self.connected})

    async def _close(self, connections: list[Connection]) -> None:
        await asyncio.gather(*(connection.close() for connection in connections))
