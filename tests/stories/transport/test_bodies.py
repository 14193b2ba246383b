"""Bodies that nobody has vouched for: what they may take together, and who has to make room."""

import asyncio

import pytest
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request

from handlers.transport.bodies import Bodies, TooLarge

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
    reading = asyncio.create_task(Bodies(largest=6).read(sender.request))
    await asyncio.sleep(0)
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
