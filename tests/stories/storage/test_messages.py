"""Messages: claimed by one, shown as of the version claimed, owed until they are shown."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.checks import SLACK_SECONDS
from bot.domain.registration import Status
from bot.storage import message_queue, messages, registrations
from bot.storage.database import Database
from bot.storage.message_queue import CLAIM
from bot.storage.messages import Message, MessageKind
from tests.support.factories import NOON
from tests.support.registrar_env import RegistrarEnv


async def _card(env: RegistrarEnv) -> str:
    """Return the id of a registration that owes one card."""
    id = await env.pending()
    await env.database.write(messages.add, id, MessageKind.CARD)
    return id


async def _stale(tx: AsyncConnection, now: datetime = NOON) -> list[Message]:
    """Return the stale cards."""
    drawn_before = now - timedelta(seconds=3)
    found = await message_queue.stale(tx, now, drawn_before=drawn_before, limit=20)
    return [it.message for it in found if it.message.kind is MessageKind.CARD]


async def _claim(database: Database, now: datetime = NOON) -> Message | None:
    async with database.transaction() as tx:
        claimed = await message_queue.claim(tx, await _stale(tx, now), now)
        return claimed[0] if claimed else None


async def _claimed(env: RegistrarEnv) -> tuple[str, Message]:
    """Return the id of a registration, and its card, which is being drawn."""
    id, claimed = await _card(env), await _claim(env.database)
    assert claimed is not None
    return id, claimed


async def test_a_stale_message_is_claimed_by_one(env: RegistrarEnv) -> None:
    await _card(env)
    [message] = await env.database.read(_stale)

    async def claim() -> Sequence[Message]:
        return await env.database.write(message_queue.claim, [message], NOON)

    claims = await asyncio.gather(*(claim() for _ in range(5)))
    assert sum(len(claim) for claim in claims) == 1


async def test_messages_are_claimed_together(env: RegistrarEnv) -> None:
    ids = {await _card(env), await _card(env)}
    async with env.database.transaction() as tx:
        claimed = await message_queue.claim(tx, await _stale(tx), NOON)
        assert {each.registration for each in claimed} == ids
        assert await message_queue.claim(tx, claimed, NOON) == []


async def test_a_claim_lapses(env: RegistrarEnv) -> None:
    await _card(env)
    assert await _claim(env.database) is not None
    assert await _claim(env.database, NOON + CLAIM - timedelta(seconds=1)) is None
    again = await _claim(env.database, NOON + CLAIM)
    assert again is not None
    assert again.tries == 2


def test_a_claim_outlasts_the_call_that_it_is_made_for() -> None:
    assert timedelta(seconds=SLACK_SECONDS) < CLAIM


async def test_a_posted_message_is_not_stale_until_its_registration_changes(
    env: RegistrarEnv,
) -> None:
    id, claimed = await _claimed(env)
    async with env.database.transaction() as tx:
        await messages.posted(tx, claimed, channel="C0APPROVE", ts="1.1", shows=Status.PENDING)
        assert await _stale(tx) == []
        await registrations.bump_version(tx, id)
        [message] = await _stale(tx)
    assert (message.channel, message.ts, message.tries) == ("C0APPROVE", "1.1", 0)


async def test_what_changes_while_it_is_drawn_is_drawn_again(env: RegistrarEnv) -> None:
    id, claimed = await _claimed(env)
    await env.database.write(registrations.bump_version, id)
    async with env.database.transaction() as tx:
        await messages.posted(tx, claimed, channel="C0APPROVE", ts="1.1", shows=Status.PENDING)
        [message] = await _stale(tx)
    assert message.shown < message.wanted


async def test_a_released_message_is_left_alone_for_a_while(env: RegistrarEnv) -> None:
    _, claimed = await _claimed(env)
    later = NOON + timedelta(minutes=5)
    await env.database.write(messages.release, claimed, until=later)
    assert await _claim(env.database, later - timedelta(seconds=1)) is None
    assert await _claim(env.database, later) is not None


async def test_a_message_given_up_is_owed_no_longer(env: RegistrarEnv) -> None:
    _, claimed = await _claimed(env)
    async with env.database.transaction() as tx:
        await messages.give_up(tx, claimed)
        assert await _stale(tx) == []


async def test_an_event_is_news_once_in_ten_minutes(env: RegistrarEnv) -> None:
    registrar = env.registrar
    news = await asyncio.gather(*(registrar.deliveries.is_news("Ev1") for _ in range(8)))
    assert sorted(news) == [False] * 7 + [True]
    assert await registrar.deliveries.is_news("Ev2")
    env.clock.move(timedelta(minutes=11))
    assert await registrar.deliveries.is_news("Ev1")


async def test_what_is_gone_is_stale_no_more(env: RegistrarEnv) -> None:
    id, claimed = await _claimed(env)
    async with env.database.transaction() as tx:
        await messages.give_up(tx, claimed, gone=True)
        await registrations.bump_version(tx, id)
    assert await env.database.read(_stale, NOON + 2 * CLAIM) == []
