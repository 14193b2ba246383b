"""Connections without sockets: which alarm goes off first, and who is counted."""

import asyncio

import pytest

from bot.connections import Connection, Connections

SOON = 0.05
"""Real seconds: which of two alarms is first does not depend on how busy the machine is."""


class Lines:
    """Connections, and in which order they were hung up on."""

    def __init__(self) -> None:
        self.connections = Connections(asyncio.Protocol, header_seconds=SOON)
        self.cut: list[str] = []
        self.changed = asyncio.Event()

    def call(self, name: str) -> tuple["Line", Connection]:
        line, connection = Line(name, self), self.connections()
        assert isinstance(connection, Connection)
        connection.connection_made(line)
        return line, connection

    async def until_cut(self, name: str) -> None:
        async with asyncio.timeout(10):
            while name not in self.cut:
                await self.changed.wait()
                self.changed.clear()


class Line(asyncio.Transport):
    """One connection's wire."""

    def __init__(self, name: str, lines: Lines) -> None:
        super().__init__()
        self._name = name
        self._lines = lines

    def abort(self) -> None:
        self._lines.cut.append(self._name)
        self._lines.changed.set()


@pytest.fixture
async def lines() -> Lines:
    return Lines()


async def test_more_of_a_header_does_not_put_the_alarm_off(lines: Lines) -> None:
    _, slow = lines.call("slow")
    lines.call("later")
    slow.data_received(b"X-Half: ")
    await lines.until_cut("later")
    assert lines.cut == ["slow", "later"]


async def test_a_body_may_take_longer_than_a_header(lines: Lines) -> None:
    line, asking = lines.call("asking")
    with lines.connections.serving(line, is_whole=lambda: False):
        asking.data_received(b"more of the body")
        lines.call("later")
        await lines.until_cut("later")
    assert lines.cut == ["later"]


async def test_whoever_has_gone_is_not_counted(lines: Lines) -> None:
    _, gone = lines.call("gone")
    lines.call("there")
    assert len(lines.connections) == 2
    gone.connection_lost(None)
    assert len(lines.connections) == 1
    await lines.until_cut("there")
    assert lines.cut == ["there"]
    assert len(lines.connections) == 0
