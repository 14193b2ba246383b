"""The port: idle connections, and what the logs say of bytes that are not HTTP. Real sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web

from bot.server import http_server as doors
from bot.server.health import Health
from tests.support.health_checks import Answering, Up, health
from tests.support.http_endpoint import HttpEndpoint

WHOLE = b"GET /said HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"GET /said HTTP/1.1\r\nHost: a\r\nX-Half: "


class Said:
    """What the door's one path answers, which may be kept waiting or break."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()
        self.broken = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.set()
        await self.goes_on.wait()
        if self.broken:
            raise ValueError("hush-hush")
        return web.Response(text="said")


class Reads(Said):
    """The same for whoever sends a body."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.set()
        return web.Response(body=await request.read())


class Caller:
    """One connection to the door."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, text: bytes) -> None:
        self._writer.write(text)
        await self._writer.drain()

    async def status(self) -> int:
        """Return the status of the next answer, which is read to its end."""
        async with asyncio.timeout(60):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                line for line in head.splitlines() if line.lower().startswith("content-length")
            )
            await self._reader.readexactly(int(length.split(":")[1]))
        return int(head.split()[1])

    async def is_hung_up(self) -> bool:
        """Wait until the other side has hung up; whatever it says before does not count."""
        try:
            async with asyncio.timeout(60):
                await self._reader.read()
        except ConnectionResetError:
            pass
        return True

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def standing(said: Said, **limits: Any) -> AsyncIterator[HttpEndpoint]:
    door, well = HttpEndpoint(), health(Answering(), intake=Up())
    assert isinstance(well, Health)
    routes: doors.Routes = {"/said": said.handle}
    async with doors.opened("127.0.0.1", door.port, health=well, routes=routes, **limits):
        yield door


@asynccontextmanager
async def calling(door: HttpEndpoint) -> AsyncIterator[Caller]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", door.port))
    try:
        yield caller
    finally:
        await caller.close()


@pytest.mark.parametrize("sent", [b"", HALF], ids=["nothing", "half a header"])
async def test_a_connection_that_lies_idle_is_closed(sent: bytes) -> None:
    async with standing(Said(), idle_seconds=0.1) as door, calling(door) as idle:
        await idle.send(sent)
        assert await idle.is_hung_up()


async def test_a_connection_that_lies_idle_after_an_answer_is_closed() -> None:
    async with standing(Said(), idle_seconds=0.1) as door, calling(door) as idle:
        await idle.send(WHOLE)
        assert await idle.status() == 200
        assert await idle.is_hung_up()


async def test_an_answer_may_take_longer_than_a_connection_may_lie_idle() -> None:
    said = Said()
    said.goes_on.clear()
    async with standing(said, idle_seconds=0.1) as door, calling(door) as caller:
        await caller.send(WHOLE)
        await said.asked.wait()
        async with calling(door) as idle:  # whose time begins later, and is over
            assert await idle.is_hung_up()
        said.goes_on.set()
        assert await caller.status() == 200


@pytest.mark.parametrize(
    "bytes",
    [
        b"hush-hush\r\n\r\n",
        b"GET /hush-hush HTTP/9.9\r\n\r\n",
        b"GET /said HTTP/1.1\r\nhush-hush\r\n\r\n",
        b"GET /said HTTP/1.1\r\nHost: a\r\nX: " + b"hush-hush" * 2000 + b"\r\n\r\n",
        b"POST /said HTTP/1.1\r\nHost: a\r\nContent-Length: hush-hush\r\n\r\n",
        b"\x16\x03\x01hush-hush\r\n\r\n",
    ],
    ids=["no request", "version", "header", "length of a header", "length of a body", "TLS"],
)
async def test_nothing_of_what_is_no_http_gets_into_the_logs(
    bytes: bytes, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with standing(Said()) as door, calling(door) as caller:
            await caller.send(bytes)
            assert await caller.status() == 400
    told = caplog.text + "".join(capsys.readouterr())
    assert "hush" not in told
    assert "bug" not in told  # it is none of ours


async def test_a_body_that_is_no_http_is_not_in_the_logs_either(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    head = b"POST /said HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with caplog.at_level(logging.DEBUG):
        async with standing(Reads()) as door, calling(door) as caller:
            await caller.send(head + b"hush-hush\r\n")
            assert await caller.is_hung_up()
    told = caplog.text + "".join(capsys.readouterr())
    assert "hush" not in told


async def test_a_bug_behind_the_door_is_told_with_an_id_and_without_its_text(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said()
    said.broken = True
    async with standing(said) as door, calling(door) as caller:
        await caller.send(WHOLE)
        assert await caller.status() == 500
    told = caplog.text + "".join(capsys.readouterr())
    assert "hush" not in told
    assert "ValueError" in told
    assert "a request at the port" in told
