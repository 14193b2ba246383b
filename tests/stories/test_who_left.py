"""A requester who left, told to the approvers: once, whatever crashes between telling and giving
up what nobody can be told.
"""

import pytest

from bot.domain.events import Subject
from bot.domain.secrets import Stage
from bot.storage import history
from bot.storage.message_queue import stale
from bot.storage.messages import MessageKind
from tests.support.factories import ROSA
from tests.support.registrar_env import RegistrarEnv


async def _told(registrar_env: RegistrarEnv, id: str) -> tuple[list[MessageKind], int]:
    """Return what the approvers are told, and how often history says that the requester left."""
    async with registrar_env.database.reading() as tx:
        now = registrar_env.clock.now()
        found = await stale(tx, now, drawn_before=now, limit=9999)
        written = [each.what for each in await history.read(tx, id)]
    kinds = [it.message.kind for it in found if it.message.registration == id]
    about: list[MessageKind] = [it for it in kinds if it in (MessageKind.LEFT, MessageKind.EXPIRY)]
    return about, written.count("requester left")


async def test_that_values_were_sent_to_nobody_is_told_once_of_each_message(
    registrar_envs: tuple[RegistrarEnv, RegistrarEnv],
) -> None:
    one, other = registrar_envs
    id = await one.ready()
    for each in (one, other):  # which carries on after a crash
        await each.registrar.deliveries.requester_left(id, who=ROSA.user_id, message="m1")
    assert await _told(one, id) == ([MessageKind.LEFT], 1)
    await one.registrar.deliveries.requester_left(
        id, who=ROSA.user_id, message="m2"
    )  # of another secret
    assert await _told(one, id) == ([MessageKind.LEFT, MessageKind.LEFT], 2)


@pytest.mark.parametrize("stage", [Stage.DAY, Stage.OVER])
async def test_that_nobody_heard_of_an_expiry_is_told_once(
    registrar_envs: tuple[RegistrarEnv, RegistrarEnv], stage: Stage
) -> None:
    one, other = registrar_envs
    id = await one.ready()
    expiry = Subject(secret="s1", stage=stage)
    for each in (one, other):
        await each.registrar.deliveries.requester_left(
            id, who=ROSA.user_id, message="m1", expiry=expiry
        )
    assert await _told(one, id) == ([MessageKind.EXPIRY], 1)


async def test_nothing_is_told_of_somebody_who_is_not_the_requester(env: RegistrarEnv) -> None:
    id = await env.ready()
    await env.registrar.deliveries.requester_left(id, who="U0BEFORE", message="m1")
    expiry = Subject(secret="s1", stage=Stage.DAY)
    await env.registrar.deliveries.requester_left(id, who="U0BEFORE", message="m1", expiry=expiry)
    assert await _told(env, id) == ([], 0)
