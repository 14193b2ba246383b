"""What was made is removed, all of it and nothing else."""

import pytest

from graph.errors import (
    GraphError,
)
from graph.steps import remove_secret, sweep
from tests.graph.bots import Bot


@pytest.mark.parametrize("window", [0.0, 2.0])
async def test_undo_leaves_nothing(bot: Bot, window: float) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    bot.tenant.faults.conflict_window = window
    app_id = bot.facts["application"]["app_id"]
    await bot.take_back(plan)
    assert bot.tenant.applications == bot.tenant.service_principals == bot.tenant.grants == []
    with pytest.raises(GraphError):
        await bot.sign_in.token(app_id, bot.ledger.secret)


async def test_undo_can_be_repeated(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    await bot.take_back(plan)
    await bot.take_back(plan)
    assert bot.tenant.applications == []


@pytest.mark.parametrize("lag", [0.0, 60.0])
async def test_undo_of_a_run_that_failed_early_finds_what_it_made(bot: Bot, lag: float) -> None:
    plan = await bot.plan()
    bot.tenant.faults.lag = lag
    bot.tenant.faults.reset("POST", "/appRoleAssignedTo", times=99)
    with pytest.raises(GraphError):
        await bot.carry_out(plan)
    await bot.take_back(plan)
    assert bot.tenant.applications == bot.tenant.service_principals == []


async def test_undo_finds_an_application_whose_answer_was_lost(bot: Bot) -> None:
    plan = await bot.plan()
    bot.tenant.faults.reset("PATCH", "/applications", times=99, when="after_effect")
    with pytest.raises(GraphError):
        await bot.carry_out(plan)
    assert len(bot.tenant.applications) == 1
    await bot.take_back(plan)
    assert bot.tenant.applications == []


async def test_undo_of_nothing_does_nothing(bot: Bot) -> None:
    await bot.take_back(await bot.plan())
    assert bot.tenant.calls("DELETE") == []


async def test_a_removed_secret_is_removed_again_without_a_fuss(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    key_id = bot.facts["secret"]["key_id"]
    await remove_secret(bot.site(plan), key_id)
    await remove_secret(bot.site(plan), key_id)
    assert bot.tenant.live_secrets(bot.facts["application"]["app_id"]) == []


async def test_a_sweep_removes_strays_of_ours_and_nothing_else(bot: Bot) -> None:
    plan = await bot.plan()
    bot.tenant.faults.reset("POST", "/addPassword", times=2, when="after_effect")
    await bot.carry_out(plan)
    application = f"/applications/{bot.facts['application']['object_id']}"
    by_hand = await bot.graph.send(
        "POST",
        f"{application}/addPassword",
        body={"passwordCredential": {"displayName": "by hand"}},
        repeatable=False,
    )
    ours = bot.facts["secret"]["key_id"]
    removed = await sweep(bot.site(plan), frozenset({ours}))
    left = bot.tenant.live_secrets(bot.facts["application"]["app_id"])
    assert len(removed) == 2
    assert {each["keyId"] for each in left} == {ours, by_hand.body["keyId"]}
