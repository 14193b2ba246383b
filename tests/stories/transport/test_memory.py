"""What unsigned requests cost in memory, measured on a process of its own."""

import asyncio
from pathlib import Path

import pytest

from bot.playground.stage import Stage
from handlers.transport.bodies import LARGEST_BODY
from tests.support.http_endpoint import HttpEndpoint, stamped
from tests.support.serve_process import COLD, served

ROUNDS = 12
AT_ONCE = 250
MIB = 1024 * 1024
MOST_MB = 220

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured in Linux's /proc"),
]


@pytest.mark.parametrize("kind", ["unsigned", "forged"])
async def test_unsigned_bodies_do_not_grow_the_process(
    stage: Stage, door: HttpEndpoint, tmp_path: Path, kind: str
) -> None:
    """Forged ones have headers in order, so that their bodies are read before they are refused."""
    size = MIB if kind == "unsigned" else LARGEST_BODY
    headers = stamped("of-somebody-else", b"") if kind == "forged" else {}
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
