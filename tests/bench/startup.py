"""How long the command line takes to begin, here and in another checkout, in turn.

    python -m tests.bench.startup [OTHER] [--rounds 5]

Help is compared with importing typer and rich, serve (from exec to *running*, with a database that
exists) with that of OTHER, such as a worktree of an older commit. Ratios are of the same round.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bot.playground.stage import Stage
from tests.bench.readiness import bench_stage

HERE = Path(__file__).parents[2]


def report(name: str, ours: Sequence[float], others: Sequence[float]) -> None:
    ratio = statistics.median(a / b for a, b in zip(ours, others, strict=True))
    took, beside = statistics.median(ours), statistics.median(others)
    print(f"{name}: {took:.2f} s to {beside:.2f} s, ratio {ratio:.2f}")


def run(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=HERE, check=True, capture_output=True)
    return time.perf_counter() - start


async def serve(stage: Stage, checkout: Path) -> float:
    """Return the seconds from exec to the log line *running*."""
    url = f"sqlite+aiosqlite:///{stage.folder / str(abs(hash(checkout)))}.db"
    environ = {**os.environ, **stage.environ(DATABASE_URL=url), "PYTHONPATH": str(checkout)}
    start = time.perf_counter()
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve"),
        cwd=checkout,
        env=environ,
        stderr=asyncio.subprocess.STDOUT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert bot.stdout is not None
    await bot.stdout.readuntil(b"event=running")
    took = time.perf_counter() - start
    bot.terminate()
    await bot.communicate()
    return took


async def bench(other: Path | None, rounds: int) -> None:
    imports = ("-c", "import typer, rich")
    pairs = [(run("-m", "bot", "--help"), run(*imports)) for _ in range(rounds + 1)]
    report("help to import typer, rich", *zip(*pairs[1:], strict=True))
    async with bench_stage() as stage:
        each = [HERE, other or HERE]
        times = [[await serve(stage, it) for it in each] for _ in range(rounds + 1)]
    report(f"serve to {each[1]}", *zip(*times[1:], strict=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("other", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(bench(arguments.other, arguments.rounds))
