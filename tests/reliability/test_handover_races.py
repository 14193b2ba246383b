"""A handover and somebody else's act at the same moment: no secret for two, no vote of an owner."""

import asyncio
from collections.abc import Awaitable

import pytest

from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.playground.clock import MovableClock
from bot.storage import installation
from bot.storage.database import Database
from tests.support.factories import ADA, BEN, EVERYBODY, GRACE, ROSA, ids
from tests.support.registrar_env import RegistrarEnv, registrar_env

ROUNDS = 6
URL = "https://hooks.slack.com/actions/x"


@pytest.fixture
async def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    """A registrar where everybody may ask, and two of Ada, Ben and Grace decide."""
    await database.write(installation.ensure_id, new="aaaabbbbcccc", now=clock.now())
    deciders = ids(ADA, BEN, GRACE)
    return registrar_env(
        database, clock, requesters=EVERYBODY, approvers=deciders, approvals_needed=2
    )


async def _all(*acts: Awaitable[object]) -> list[bool]:
    """Do everything at once; return what was not refused."""
    done = await asyncio.gather(*acts, return_exceptions=True)
    for each in done:
        if isinstance(each, BaseException) and not isinstance(each, Refusal):
            raise each
    return [not isinstance(each, Refusal) for each in done]


async def test_a_secret_is_shown_to_the_old_requester_or_to_the_new_one(env: RegistrarEnv) -> None:
    verbs = env.registrar
    for turn in range(ROUNDS):
        id = await env.pending()
        await verbs.approval.approve(id, by=ADA)
        await verbs.approval.approve(id, by=GRACE)
        await env.make_ready(id)
        await verbs.requests.handover(id, to=BEN, by=ROSA)
        acts: list[Awaitable[object]] = [env.confirm_handover(id, to=BEN, by=ADA)]
        acts.insert(turn % 2, verbs.secrets.reveal(id, by=ROSA, answer_to=URL))
        done = await _all(*acts)
        later = await _all(
            verbs.secrets.reveal(id, by=ROSA, answer_to=URL),
            verbs.secrets.reveal(id, by=BEN, answer_to=URL),
        )
        was_first = done[turn % 2]
        assert (was_first, later) in ((True, [False, False]), (False, [False, True]))
        assert (await env.found(id)).requester.key == BEN.key


@pytest.mark.slow
async def test_nobody_both_votes_and_takes_it_over(env: RegistrarEnv) -> None:
    verbs = env.registrar
    for turn in range(ROUNDS):
        id = await env.pending()
        await verbs.requests.handover(id, to=BEN, by=ROSA)
        acts: list[Awaitable[object]] = [env.confirm_handover(id, to=BEN, by=ADA)]
        acts.insert(turn % 2, verbs.approval.approve(id, by=BEN))
        assert (await _all(*acts)).count(True) == 1
        found = await env.found(id)
        assert (not found.has_voted(BEN)) is (found.requester.key == BEN.key)


async def test_neither_to_an_accomplice_nor_back_does_it_become_ones_own_to_approve(
    env: RegistrarEnv,
) -> None:
    verbs = env.registrar
    id = await env.make_pending(await env.submitted(by=ADA))
    for heir, owner in ((BEN, ADA), (ADA, BEN)):
        await verbs.requests.handover(id, to=heir, by=owner)
        await env.confirm_handover(id, to=heir, by=GRACE)
        for each in (ADA, BEN):
            assert (
                await _all(
                    verbs.approval.approve(id, by=each),
                    verbs.approval.deny(id, by=each, reason="Not now"),
                    verbs.approval.check_may_deny(id, by=each),
                )
                == [False] * 3
            )
    await verbs.approval.approve(id, by=GRACE)
    looked_up = [verbs.approval.to_look_up(id, by=each) for each in (ADA, BEN)]
    assert await _all(*looked_up) == [False, False]
    found = await env.found(id)
    assert (found.status, len(found.approvals())) == (Status.PENDING, 1)
