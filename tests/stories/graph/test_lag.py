"""Replication lag only takes time, until it is too much: then both causes are named."""

from datetime import timedelta
from random import Random

import pytest

from graph.errors import GraphError, RolesMissing
from graph.signin_errors import SecretNotThereYet
from tests.support.graph_bot import Bot, assert_complete
from tests.support.marks import slow


@pytest.mark.parametrize("lag", [5.0, 60.0, slow(600.0), slow((0.0, 300.0))])
async def test_replication_lag_only_takes_time(bot: Bot, lag: float | tuple[float, float]) -> None:
    plan = await bot.plan()
    bot.tenant.faults.lag = lag
    await bot.carry_out(plan)
    assert_complete(bot, plan)


@pytest.mark.parametrize("seed", [0, *(slow(seed) for seed in range(1, 5))])
async def test_each_kind_of_object_may_lag_by_its_own(bot: Bot, seed: int) -> None:
    plan = await bot.plan()
    random = Random(seed)
    kinds = ("application", "service_principal", "app_role_assignment", "permission_grant")
    bot.tenant.faults.lag = {kind: (0.0, random.choice([1.0, 60.0, 600.0])) for kind in kinds}
    bot.tenant.faults.secret_lag = bot.tenant.faults.role_lag = (30.0, 300.0)
    await bot.carry_out(plan)
    assert_complete(bot, plan)


@pytest.mark.parametrize("seconds", [30.0, 300.0])
async def test_secret_and_role_lag_only_take_time(bot: Bot, seconds: float) -> None:
    plan = await bot.plan()
    bot.tenant.faults.secret_lag = bot.tenant.faults.role_lag = seconds
    await bot.carry_out(plan)
    assert_complete(bot, plan)


async def test_lag_without_end_fails_with_both_causes(bot: Bot) -> None:
    plan = await bot.plan()
    bot.tenant.faults.lag = 3600.0
    start = bot.clock.now()
    with pytest.raises(GraphError, match="servicePrincipals") as caught:
        await bot.carry_out(plan)
    assert "replicated, or " in caught.value.sentence
    assert timedelta(minutes=15) <= bot.clock.now() - start < timedelta(minutes=16)


async def test_a_secret_that_never_arrives_fails_with_both_causes(bot: Bot) -> None:
    plan = await bot.plan()
    bot.tenant.faults.secret_lag = 3600.0
    with pytest.raises(SecretNotThereYet, match="AADSTS7000215") as caught:
        await bot.carry_out(plan)
    assert "it is wrong, or it has not replicated" in caught.value.sentence


async def test_a_grant_that_never_arrives_fails_with_both_causes(bot: Bot) -> None:
    plan = await bot.plan()
    bot.tenant.faults.role_lag = 3600.0
    with pytest.raises(RolesMissing) as caught:
        await bot.carry_out(plan)
    assert "or they were removed" in caught.value.sentence
    assert "Missing: Directory.Read.All, User.Read.All." in caught.value.sentence
