"""`aad-setup demo` as people start it: a process that prints an address, and ends when asked."""

import asyncio
import os
import re
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.playground.page.bot_process import Status
from tests.support.cli import SECONDS, Ended, ended
from tests.support.page_window import window
from tests.support.simulator_process import command

pytestmark = pytest.mark.slow

UNUSABLE = 2


@asynccontextmanager
async def demo(folder: Path, *arguments: str) -> AsyncIterator[tuple[Process, str]]:
    """Start the demo; return it with the address that it prints first."""
    process = await command("demo", *arguments, folder=folder)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            told = (await process.stdout.readline()).decode()
        found = re.fullmatch(r"The demo is at (http://127\.0\.0\.1:\d+/[\w-]{20,}/)\n", told)
        assert found, told or (await ended(process)).err
        yield process, found[1]
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def stopped(process: Process, number: signal.Signals = signal.SIGINT) -> Ended:
    process.send_signal(number)
    return await ended(process)


def children(pid: int) -> list[int]:
    return [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def ends(process: int) -> None:
    """Wait until a process ends that is no child of ours, by its file descriptor."""
    end = asyncio.Event()
    asyncio.get_running_loop().add_reader(process, end.set)
    async with asyncio.timeout(SECONDS):
        await end.wait()
    asyncio.get_running_loop().remove_reader(process)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_prints_the_address_and_ends_with_its_bot(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with demo(tmp_path) as (process, url), window(url, "rosa") as rosa:
        await rosa.until(lambda: rosa.shown["now"]["bot"] == Status.RUNNING)
        [bot] = children(process.pid)
        end = await stopped(process, number)
    assert (end.status, end.err) == (0, "")
    assert not is_there(bot)
    assert os.listdir(tmp_path) == []


async def test_it_ends_also_before_the_bot_runs(tmp_path: Path) -> None:
    async with demo(tmp_path) as (process, _):
        end = await stopped(process)
    assert (end.status, end.err) == (0, "")
    assert os.listdir(tmp_path) == []


async def test_the_bot_does_not_outlive_a_page_that_is_killed(tmp_path: Path) -> None:
    async with demo(tmp_path) as (process, url):
        async with window(url, "rosa") as rosa:
            await rosa.until(lambda: rosa.shown["now"]["bot"] == Status.RUNNING)
            [pid] = children(process.pid)
            bot = os.pidfd_open(pid)
            process.kill()
        await ends(bot)
        os.close(bot)


async def test_what_is_kept_can_be_checked_and_not_gone_on_with(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    async with demo(tmp_path, "--keep", str(kept)) as (process, url):
        async with window(url, "rosa") as rosa:
            await rosa.until(lambda: rosa.shown["now"]["bot"] == Status.RUNNING)
        end = await stopped(process)
    assert end.status == 0, end.err
    assert f"kept in {kept}" in end.out
    assert {"aad-setup.db", "bot.log", ".env"} <= set(os.listdir(kept))
    assert not [it for it in kept.iterdir() if it.stat().st_mode & 0o077]
    checked = await ended(await command("audit", "verify", folder=kept))
    assert checked.status == 0, checked.err
    again = await ended(await command("demo", "--keep", str(kept), folder=tmp_path))
    assert (again.status, again.out) == (UNUSABLE, "")
    assert "is not empty" in again.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--plain",), "--plain is for the text of --story."),
        (("--story", "--open"), "--open and --keep are for the page: leave out --story."),
        (("--keep", "/proc/x"), "--keep: /proc/x cannot be used: No such file or directory."),
    ],
)
async def test_options_that_do_not_fit_are_refused(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    end = await ended(await command("demo", *arguments, folder=tmp_path))
    assert (end.status, end.out, end.err) == (UNUSABLE, "", f"{sentence}\n")
