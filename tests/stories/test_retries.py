"""Retries: every message is tried again less and less often, and ends; the end is told."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import structlog.testing

from bot.playground.clock import MovableClock
from bot.storage import message_queue, messages, queries, registrations
from bot.storage.messages import Message, MessageKind
from handlers.outbox.outcomes import LONGEST_WAIT, OUR_TRIES, SLACK_TRIES, Outcomes
from tests.support.registrar_env import RegistrarEnv, opened, registrar_env


@pytest.fixture
async def env(tmp_path: Path, clock: MovableClock) -> AsyncIterator[RegistrarEnv]:
    async with opened(f"sqlite+aiosqlite:///{tmp_path / 'aad-setup.db'}") as database:
        yield registrar_env(database, clock)


async def with_card(env: RegistrarEnv) -> str:
    id = await env.pending()
    await env.database.write(messages.add, id, MessageKind.CARD)
    return id


async def claimed(env: RegistrarEnv) -> Message | None:
    """Claim the card if it may be tried now."""
    async with env.database.transaction() as tx:
        now = env.clock.now()
        found = await message_queue.stale(tx, now, drawn_before=now, limit=20)
        cards = [it.message for it in found if it.message.kind is MessageKind.CARD]
        return next(iter(await message_queue.claim(tx, cards, now)), None)


async def fail_until_it_ends(env: RegistrarEnv, *, most: int) -> list[datetime]:
    """Fail at each try; return when they were made."""
    outcomes = Outcomes(env.services, env.registrar)
    tries = []
    for _ in range(most + 5):
        message = await claimed(env)
        if message is not None:
            tries.append(env.clock.now())
            await outcomes.later(message, why="bug_1a2b3c4d", most=most)
        env.clock.move(LONGEST_WAIT)
    return tries


async def test_what_fails_for_ever_ends_after_so_many_tries_and_is_told(env: RegistrarEnv) -> None:
    id = await with_card(env)
    with structlog.testing.capture_logs() as logged:
        assert len(await fail_until_it_ends(env, most=OUR_TRIES)) == OUR_TRIES
    [said] = [it for it in logged if it["log_level"] == "error"]
    assert said["event"] == "message given up"
    assert (said["registration"], said["why"]) == (id, "bug_1a2b3c4d")
    async with env.database.reading() as tx:
        assert "bug_1a2b3c4d" in [it.code for it in await queries.unshown(tx)]


async def test_the_next_change_begins_anew(env: RegistrarEnv) -> None:
    id = await with_card(env)
    await fail_until_it_ends(env, most=2)
    assert await claimed(env) is None
    await env.database.write(registrations.bump_version, id)
    message = await claimed(env)
    assert message is not None
    assert message.tries == 1


def test_slack_gets_a_day_and_the_bot_half_an_hour() -> None:
    assert SLACK_TRIES * LONGEST_WAIT / timedelta(hours=1) == 25
    assert timedelta(hours=1) >= OUR_TRIES * LONGEST_WAIT
