"""A handover and somebody else's act at the same moment: no secret for two, no vote of an owner."""

from collections.abc import Awaitable

import pytest

from bot.domain.registration import Status
from bot.playground.clock import MovableClock
from bot.storage import installation
from bot.storage.database import Database
from tests.support.concurrency import URL, all_at_once
from tests.support.factories import ADA, BEN, EVERYBODY, GRACE, ROSA, ids
from tests.support.registrar_env import RegistrarEnv, registrar_env

ROUNDS = 6


@pytest.fixture
async def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    """A registrar where everybody may ask, and two of Ada, Ben and Grace decide."""
    await database.write(installation.ensure_id, new="aaaabbbbcccc", now=clock.now())
    deciders = ids(ADA, BEN, GRACE)
    return registrar_env(
        database, clock, requesters=EVERYBODY, approvers=deciders, approvals_needed=2
    )


@pytest.mark.slow
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
        refused = await all_at_once(*acts)
        later = await all_at_once(
            verbs.secrets.reveal(id, by=ROSA, answer_to=URL),
            verbs.secrets.reveal(id, by=BEN, answer_to=URL),
        )
        may = [it is None for it in (refused[turn % 2], *later)]
        assert may in ([True, False, False], [False, False, True])
        assert (await env.found(id)).requester.key == BEN.key


@pytest.mark.slow
async def test_nobody_both_votes_and_takes_it_over(env: RegistrarEnv) -> None:
    verbs = env.registrar
    for turn in range(ROUNDS):
        id = await env.pending()
        await verbs.requests.handover(id, to=BEN, by=ROSA)
        acts: list[Awaitable[object]] = [env.confirm_handover(id, to=BEN, by=ADA)]
        acts.insert(turn % 2, verbs.approval.approve(id, by=BEN))
        assert (await all_at_once(*acts)).count(None) == 1
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
            refused = await all_at_once(
                verbs.approval.approve(id, by=each),
                verbs.approval.deny(id, by=each, reason="Not now"),
                verbs.approval.check_may_deny(id, by=each),
            )
            assert None not in refused
    await verbs.approval.approve(id, by=GRACE)
    looked_up = [verbs.approval.to_look_up(id, by=each) for each in (ADA, BEN)]
    assert None not in await all_at_once(*looked_up)
    found = await env.found(id)
    assert (found.status, len(found.approvals())) == (Status.PENDING, 1)
