"""The playground's bot: the bot itself, with a clock that standard input moves.

Each line of the input holds seconds. The first says how far the clock is ahead from the start, each
later one moves it. The bot ends with its input, so it never outlives the page that started it.
"""

import asyncio
import os
import sys
from contextlib import suppress
from datetime import timedelta
from typing import NoReturn

from bot import app, logs
from bot.playground.clock import MovableClock
from bot.problems import Unusable
from bot.settings.settings import Settings

RUNNING = b"running\n"
"""The line that it prints when people can use it."""
STOP_SECONDS = 1.5
"""How long an end waits for running work, which otherwise is left as after a crash."""
INTERVALS = app.Intervals(storage=0.25, consent=0.25)
"""Short, because people look on."""


def main() -> None:
    """Run until the input ends. Problems of the settings or services are sentences."""
    os.umask(0o077)
    try:
        settings = Settings.read(os.environ)
        logs.set_up(settings.log_level)
        asyncio.run(_run_until_input_ends(settings))
    except Unusable as error:
        sys.exit(str(error))


async def _run_until_input_ends(settings: Settings) -> None:
    moves = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(moves), sys.stdin
    )
    clock = MovableClock(offset=_span(await moves.readline()))
    serving = asyncio.create_task(_serve(settings, clock))
    following = asyncio.create_task(_follow(clock, moves))
    await asyncio.wait((serving, following), return_when=asyncio.FIRST_COMPLETED)
    following.cancel()
    if serving.done():
        await serving
    serving.cancel()
    await asyncio.wait((serving,), timeout=STOP_SECONDS)
    _leave()


async def _serve(settings: Settings, clock: MovableClock) -> None:
    async with app.running(settings, clock, intervals=INTERVALS) as running:
        with suppress(BrokenPipeError):  # the page has ended, and so will this
            sys.stdout.buffer.write(RUNNING)
            sys.stdout.buffer.flush()
        await running.serve()


async def _follow(clock: MovableClock, moves: asyncio.StreamReader) -> None:
    while line := await moves.readline():
        clock.move(_span(line))


def _span(line: bytes) -> timedelta:
    return timedelta(seconds=float(line or 0))


def _leave() -> NoReturn:
    """End at once: Python waits for threads, and one that looks up a name can't be interrupted."""
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
