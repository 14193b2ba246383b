"""Run the bot until it is asked to stop."""

import asyncio
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import NoReturn

import structlog

from bot import app, logs
from bot.checks import exposures
from bot.cli.process import STOPS, environment, in_sentences, keep_private
from bot.settings.settings import Settings
from graph.clock import SystemClock

STOP_SECONDS = 1.5
"""How long a stop waits for running work: the whole stop must take at most two seconds."""
AT_LAST_SECONDS = 1.8
"""After how long a stop ends the process even if the loop is blocked and does not come to it."""

log = structlog.get_logger()


def serve() -> None:
    with in_sentences():
        settings = Settings.read(environment())
        logs.set_up(settings.log_level, settings.log_format)
        keep_private()
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)  # in every thread: one waits for them
        asyncio.run(_serve_until_stopped(settings))


async def _serve_until_stopped(settings: Settings) -> None:
    """Serve; at any moment, also of the start, end when the process is asked to.

    Work that does not end in time is left as after a crash, and continues at the next start.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    tell = partial(loop.call_soon_threadsafe, stop.set)
    threading.Thread(target=_obey, args=(tell,), name="stop", daemon=True).start()
    serving = asyncio.create_task(_serve(settings))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not serving.done():
        log.info("stopping")
        # Abandoned work continues at the next start, so its end here is not reported.
        loop.set_exception_handler(lambda *_: None)
        serving.cancel()  # only once: how it ends must not be interrupted
        await asyncio.wait((serving,), timeout=STOP_SECONDS)
    if serving.done():
        with suppress(asyncio.CancelledError):
            await serving
    else:
        log.info("unfinished work is left for the next start")
    log.info("stopped")
    _leave()


def _obey(tell: Callable[[], object]) -> None:
    """Wait for the signal to stop, and see that it is obeyed.

    This takes a thread: whatever blocks the loop, such as a locked file, keeps signal handlers
    waiting, too.
    """
    signal.sigwait(STOPS)
    with suppress(RuntimeError):  # the loop is closed: the process is ending
        tell()
    time.sleep(AT_LAST_SECONDS)
    os._exit(0)


async def _serve(settings: Settings) -> None:
    version = metadata.version("aad-setup")
    log.info("starting", version=version, python=platform.python_version())
    async with app.running(settings, SystemClock()) as running:
        for exposure in exposures(settings, os.environ, Path()):
            log.warning("exposed", what=exposure)
        await running.serve()


def _leave() -> NoReturn:
    """End the process at once.

    Python waits for every thread, and one that looks up a name or connects to a host that does not
    answer cannot be interrupted for half a minute.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
