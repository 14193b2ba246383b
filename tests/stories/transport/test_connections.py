"""The port: idle connections, bytes that are not HTTP, bodies nobody has vouched for."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from bot.playground.stage import Stage
from bot.server import http_server as doors
from bot.server.http_server import Health
from handlers.transport.http import LARGEST_BODY, Bodies, TooLarge
from tests.support.health_checks import Answering, Up, health
from tests.support.http_endpoint import HttpEndpoint, stamped
from tests.support.serve_process import COLD, served

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
        await request.read()
        await self.goes_on.wait()
        if self.broken:
            raise ValueError("hush-hush")
        return web.Response(text="said")


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


@pytest.mark.parametrize("sent", [b"", HALF, WHOLE], ids=["nothing", "half a header", "answered"])
async def test_a_connection_that_lies_idle_is_closed(sent: bytes) -> None:
    async with standing(Said(), idle_seconds=0.1) as door, calling(door) as idle:
        await idle.send(sent)
        assert sent != WHOLE or await idle.status() == 200
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
        async with standing(Said()) as door, calling(door) as caller:
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


LONG = 60.0
"""Seconds that no test waits for."""


class Sender:
    """A request whose body is sent in pieces."""

    def __init__(self, **headers: str) -> None:
        loop = asyncio.get_running_loop()
        protocol = BaseProtocol(loop)
        protocol.connection_made(asyncio.Transport())
        self.body = StreamReader(protocol, 2**20, loop=loop)
        self.request: web.Request = make_mocked_request(
            "POST", "/", headers=headers, payload=self.body
        )

    def send(self, count: int, *, last: bool = False) -> None:
        self.body.feed_data(b"x" * count)
        if last:
            self.body.feed_eof()


async def test_a_body_is_read_whole() -> None:
    sender = Sender()
    sender.send(3)
    bodies = Bodies(largest=6)
    reading = asyncio.create_task(bodies.read(sender.request))
    await asyncio.sleep(0)
    assert "xxx" not in repr(bodies)  # a body may hold a response_url
    sender.send(3, last=True)
    assert await reading == b"x" * 6


async def test_one_that_turns_out_too_large_is_refused() -> None:
    sender = Sender()
    sender.send(7)
    with pytest.raises(TooLarge):
        await Bodies(largest=6).read(sender.request)


async def test_one_that_says_so_is_refused_before_it_is_read() -> None:
    bodies = Bodies(largest=6)
    bodies.check_length(Sender(**{"Content-Length": "6"}).request)
    with pytest.raises(TooLarge):
        bodies.check_length(Sender(**{"Content-Length": "7"}).request)


async def test_one_that_is_too_slow_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        await Bodies(seconds=0.01).read(Sender().request)


async def test_over_the_budget_the_largest_makes_room() -> None:
    bodies = Bodies(largest=100, budget=100, seconds=LONG)
    large, other, small = Sender(), Sender(), Sender()
    readings = [asyncio.create_task(bodies.read(it.request)) for it in (large, other, small)]
    large.send(60)
    other.send(35)
    await asyncio.sleep(0)
    small.send(10, last=True)
    assert await readings[2] == b"x" * 10
    with pytest.raises(TimeoutError):
        await readings[0]
    other.send(5, last=True)
    assert await readings[1] == b"x" * 40
    assert not bodies._held


async def test_all_bodies_together_have_four_mebibytes() -> None:
    """As OPERATIONS.md says. A sixth is one too many, and the largest makes room for the others."""
    bodies, senders = Bodies(seconds=LONG), [Sender() for _ in range(6)]
    readings = [asyncio.create_task(bodies.read(it.request)) for it in senders]
    for sender in senders[:5]:
        sender.send(699_000)
    await asyncio.sleep(0)
    assert sum(map(len, bodies._held.values())) == 5 * 699_000
    senders[5].send(700_000)
    with pytest.raises(TimeoutError):
        await readings[5]
    for sender in senders[:5]:
        sender.send(1, last=True)
    assert [len(it) for it in await asyncio.gather(*readings[:5])] == [699_001] * 5


ROUNDS = 12
AT_ONCE = 250
MIB = 1024 * 1024
MOST_MB = 220


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured in Linux's /proc")
@pytest.mark.parametrize("kind", ["unsigned", "forged"])
async def test_unsigned_bodies_do_not_grow_the_process(
    stage: Stage, door: HttpEndpoint, tmp_path: Path, kind: str
) -> None:
    """Forged ones have headers in order, so that their bodies are read before they are refused."""
    size = MIB if kind == "unsigned" else LARGEST_BODY
    headers = stamped("another", b"") if kind == "forged" else {}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"POST /slack/events HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {size}\r\n\r\n"
    environ = stage.environ(**door.signed(stage))
    async with served(environ, door, folder=tmp_path, program=COLD) as bot:
        before = bot.memory("VmRSS")
        for _ in range(ROUNDS):
            senders = (_send(door.port, request.encode(), size) for _ in range(AT_ONCE))
            refused = await asyncio.gather(*senders)
            assert set(refused) <= {401, 408, 413, None}
            assert (await door.ask("/healthz")).status == 200
        resident = bot.memory("VmRSS")
        print(kind, before, resident, bot.memory("VmHWM"))  # noqa: T201 - MB, for `pytest -rP`
        assert resident < MOST_MB


async def _send(port: int, head: bytes, size: int) -> int | None:
    """Return the status of the answer, or None if the bot hung up before all was sent."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionError:
        return None
    try:
        writer.write(head)
        writer.write(bytes(size))
        async with asyncio.timeout(60):
            line = await reader.readline()
        return int(line.split()[1]) if line else None
    except ConnectionError:
        return None
    finally:
        writer.transport.abort()
