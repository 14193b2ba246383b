"""Replication lag only takes time, until it is too much; and signing in."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from bot.playground.tenant import Credential
from graph.calls import Json
from graph.clouds import PUBLIC
from graph.errors import GraphError, RolesMissing
from graph.plan import Plan
from graph.signin import SignIn
from graph.signin_errors import SecretNotThereYet, TenantUnknown
from tests.support.graph_bot import Bot, assert_complete, bot_of


@pytest.mark.slow
@pytest.mark.parametrize(
    "lags",
    [
        *({"lag": 5.0}, {"lag": 60.0}, {"lag": 600.0}, {"lag": (0.0, 300.0)}),
        *({"secret_lag": seconds, "role_lag": seconds} for seconds in (30.0, 300.0)),
    ],
    ids=str,
)
async def test_replication_lag_only_takes_time(bot: Bot, lags: Json, plan: Plan) -> None:
    for name, seconds in lags.items():
        setattr(bot.tenant.faults, name, seconds)
    await bot.carry_out(plan)
    assert_complete(bot, plan)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
async def test_each_kind_of_object_may_lag_by_its_own(bot: Bot, seed: int, plan: Plan) -> None:
    random = Random(seed)
    kinds = ("application", "service_principal", "app_role_assignment", "permission_grant")
    bot.tenant.faults.lag = {kind: (0.0, random.choice([1.0, 60.0, 600.0])) for kind in kinds}
    bot.tenant.faults.secret_lag = bot.tenant.faults.role_lag = (30.0, 300.0)
    await bot.carry_out(plan)
    assert_complete(bot, plan)


@pytest.mark.slow
async def test_lag_without_end_fails_with_both_causes(bot: Bot, plan: Plan) -> None:
    bot.tenant.faults.lag = 3600.0
    start = bot.clock.now()
    with pytest.raises(GraphError, match="servicePrincipals") as caught:
        await bot.carry_out(plan)
    assert "replicated, or " in caught.value.sentence
    assert timedelta(minutes=15) <= bot.clock.now() - start < timedelta(minutes=16)


@pytest.mark.slow
async def test_a_secret_that_never_arrives_fails_with_both_causes(bot: Bot, plan: Plan) -> None:
    bot.tenant.faults.secret_lag = 3600.0
    with pytest.raises(SecretNotThereYet, match="AADSTS7000215") as caught:
        await bot.carry_out(plan)
    assert "it is wrong, or it has not replicated" in caught.value.sentence


@pytest.mark.slow
async def test_a_grant_that_never_arrives_fails_with_both_causes(bot: Bot, plan: Plan) -> None:
    bot.tenant.faults.role_lag = 3600.0
    with pytest.raises(RolesMissing) as caught:
        await bot.carry_out(plan)
    assert "or they were removed" in caught.value.sentence
    assert "Missing: Directory.Read.All, User.Read.All." in caught.value.sentence


@pytest.mark.slow
async def test_discovery_and_the_bots_token_are_fetched_once_for_many(bot: Bot) -> None:
    plans = await asyncio.gather(*(bot.plan() for _ in range(20)))
    assert len({plan.digest for plan in plans}) == 1
    assert len([call for call in bot.tenant.log if call.kind == "discovery"]) == 1
    assert len([call for call in bot.tenant.log if call.kind == "token"]) == 1


async def test_a_wrong_tenant_and_a_wrong_secret_are_told_apart(bot: Bot) -> None:
    with pytest.raises(SecretNotThereYet):
        await bot.sign_in.token(bot.client_id, "wrong")
    elsewhere = SignIn(
        authority=f"{bot.tenant.url}/00000000-0000-4000-8000-000000000000",
        cloud=PUBLIC,
        ca_bundle=bot.tenant.ca_file,
    )
    with pytest.raises(TenantUnknown):
        await elsewhere.token(bot.client_id, "any")
    elsewhere.close()


async def test_the_bots_own_failing_sign_in_is_told_as_its_own(bot: Bot) -> None:
    wrong = Credential(client_id=bot.client_id, client_secret="wrong")
    async with bot_of(bot.tenant, bot.clock, wrong) as stranger:
        with pytest.raises(SecretNotThereYet) as caught:
            await stranger.plan()
    assert caught.value.sentence.startswith("The bot itself could not sign in.")
