"""Preflight and stages against the simulated tenant, over real sockets."""

import logging
from datetime import timedelta

import pytest

from bot.playground.tenant import Credential
from graph.errors import NotOurs, PolicyForbids, QuotaExceeded, RolesDiffer, TooMuchAllowed
from graph.plan import Plan, Refused
from tests.support.graph_bot import Bot, assert_complete, bot_of
from tests.support.graph_fakes import MemoryLedger, wish


async def test_a_registration_is_made_and_proven(bot: Bot, made: Plan) -> None:
    assert_complete(bot, made)
    application = bot.tenant.applications[0]
    assert application["signInAudience"] == "AzureADMyOrg"
    assert application["web"]["redirectUris"] == ["https://example.com/callback"]
    assert application["serviceManagementReference"] == "AAD-7K3F"
    assert "Rosa Diaz" in application["notes"]
    tested = bot.facts["directory"]
    assert tested["users"] == tested["users_read"] == 60
    assert tested["groups"] == 8
    assert tested["domain_ok"] is tested["refused"] is True
    assert 0 < tested["disabled"] < 60


async def test_a_run_makes_no_call_too_many(bot: Bot, plan: Plan) -> None:
    before = len(bot.tenant.log)
    await bot.carry_out(plan)
    made = [call for call in bot.tenant.log[before:] if call.kind != "batched"]
    assert sorted(f"{call.method} {call.path.rsplit('/', 1)[-1]}" for call in made) == sorted(
        [
            f"PATCH applications(uniqueName='{plan.key}')",
            f"PATCH servicePrincipals(appId='{bot.facts['application']['app_id']}')",
            "POST appRoleAssignedTo",
            "POST appRoleAssignedTo",
            "POST oauth2PermissionGrants",
            "POST addPassword",
            "POST token",
            "POST $batch",
        ]
    )


async def test_facts_never_hold_the_secret(bot: Bot) -> None:
    await bot.carry_out(await bot.plan())
    assert bot.ledger.secret
    assert bot.ledger.secret not in repr((bot.facts, bot.ledger, bot.sign_in, bot.graph))


async def test_no_log_holds_a_secret_or_a_token(bot: Bot, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await bot.carry_out(await bot.plan())
    token = await bot.sign_in.token(bot.facts["application"]["app_id"], bot.ledger.secret)
    assert "addPassword: 200" in caplog.text
    assert bot.ledger.secret not in caplog.text
    assert bot.tenant.administrator.client_secret not in caplog.text
    assert token.access.split(".")[0] not in caplog.text  # every token begins with this header


async def test_two_installations_never_touch_each_other(bot: Bot) -> None:
    other = bot.tenant.add_administrator(await bot.graph.roles())
    plan = await bot.plan()
    await bot.carry_out(plan)
    async with bot_of(bot.tenant, bot.clock, other) as second:
        second_plan = await second.plan(wish(installation="two", key="aad-setup-two-" + "f" * 32))
        assert "already has an application of this name" in second_plan.warnings[-1]
        await second.carry_out(second_plan)
        assert len(bot.tenant.applications_named(plan.name)) == 2
        await second.take_back(second_plan)
    assert_complete(bot, plan)


async def test_a_key_that_is_taken_is_never_adopted(bot: Bot, made: Plan) -> None:
    bot.facts, bot.ledger = {}, MemoryLedger()
    with pytest.raises(NotOurs):
        await bot.carry_out(made)


async def test_somebody_elses_application_under_our_key_is_never_adopted(bot: Bot) -> None:
    other = bot.tenant.add_administrator([*await bot.graph.roles(), "Application.ReadWrite.All"])
    plan = await bot.plan()
    await bot.ledger.record_intent("application")
    await bot.carry_out(plan)
    async with bot_of(bot.tenant, bot.clock, other) as copy:
        await copy.ledger.record_intent("application")
        with pytest.raises(NotOurs):
            await copy.carry_out(plan)


async def test_a_grant_made_by_hand_is_widened_and_not_replaced(bot: Bot, made: Plan) -> None:
    grant = bot.tenant.grants[0]
    path = f"/oauth2PermissionGrants/{grant['id']}"
    await bot.graph.send("PATCH", path, body={"scope": "openid User.Read"})
    del bot.facts["scopes"]
    await bot.carry_out(made)
    scopes = bot.tenant.scopes_of(bot.facts["application"]["app_id"])
    assert scopes == {"openid", "User.Read", "User.Read.All"}


async def test_a_grant_that_nobody_approved_stops_the_run(bot: Bot, made: Plan) -> None:
    narrow = await bot.plan(wish())
    del bot.facts["sign_in"]
    with pytest.raises(RolesDiffer, match="RolesDiffer") as caught:
        await bot.carry_out(narrow)
    assert "Not in the plan: Directory.Read.All." in caught.value.sentence


async def test_a_read_that_no_plan_allows_stops_the_run(bot: Bot, made: Plan) -> None:
    app = Credential(client_id=bot.facts["application"]["app_id"], client_secret="")
    token = await bot.sign_in.token(app.client_id, bot.ledger.secret)
    bot.tenant.allow(app, "Policy.Read.All")
    extended = await bot.sign_in.token(app.client_id, bot.ledger.secret)
    assert extended.roles - token.roles == {"Policy.Read.All"}
    bot.sign_in.hold(app.client_id, extended)
    del bot.facts["directory"]
    with pytest.raises(TooMuchAllowed):
        await bot.carry_out(made)


async def test_a_directory_test_after_a_crash_signs_in_anew(bot: Bot, made: Plan) -> None:
    del bot.facts["directory"]
    await bot.carry_out(made)
    assert bot.facts["directory"]["refused"] is True


async def test_a_policy_that_changed_since_the_plan_fails_with_advice(bot: Bot, plan: Plan) -> None:
    bot.tenant.set_policy(longest_secret=timedelta(days=30))
    with pytest.raises(PolicyForbids) as caught:
        await bot.carry_out(plan)
    assert "shorter life" in caught.value.advice


async def test_the_tenants_policy_is_seen_before_anybody_is_asked(bot: Bot) -> None:
    bot.tenant.set_policy(longest_secret=timedelta(days=30))
    plan = await bot.plan()
    assert (plan.secret_days, plan.secret_limited_by) == (29, "tenant")
    await bot.carry_out(plan)
    bot.tenant.set_policy(secrets_banned=True)
    with pytest.raises(Refused, match="does not allow client secrets"):
        await bot.plan()


async def test_a_redirect_url_that_the_policy_forbids_is_refused_where_v1_0_tells_it(
    bot: Bot,
) -> None:
    bot.tenant.set_policy(redirect_domains=["intranet.example"], tells_beta=True)
    with pytest.raises(Refused, match=r"on example.com, only on intranet.example"):
        await bot.plan()
    assert not bot.tenant.applications


async def test_where_v1_0_does_not_tell_it_the_plan_says_so_and_entra_refuses(bot: Bot) -> None:
    bot.tenant.set_policy(redirect_domains=["intranet.example"])
    plan = await bot.plan()
    (warning,) = plan.warnings
    assert warning.startswith("The bot cannot see whether the tenant's policy on applications")
    with pytest.raises(PolicyForbids) as caught:
        await bot.carry_out(plan)
    assert "Application policies" in caught.value.advice
    assert not bot.tenant.applications


async def test_restrictions_that_do_not_concern_the_bot_are_no_warning_and_stop_nothing(
    bot: Bot,
) -> None:
    bot.tenant.set_policy(
        audiences_banned=["azureAdMultipleOrgs", "personalMicrosoftAccount"],
        identifier_uris_checked=True,
        longest_certificate=timedelta(days=90),
        reference_required=True,
        redirect_domains=["EXAMPLE.com"],
        tells_beta=True,
    )
    plan = await bot.plan()
    assert plan.warnings == ()
    await bot.carry_out(plan)
    assert_complete(bot, plan)


async def test_a_directory_without_room_for_two_objects_is_seen_before_anybody_is_asked(
    bot: Bot,
) -> None:
    bot.tenant.set_quota(used=98, total=100)
    plan = await bot.plan()
    assert plan.warnings == ("The directory is almost full: 98 of 100 objects.",)
    bot.tenant.set_quota(used=99, total=100)
    with pytest.raises(QuotaExceeded):
        await bot.carry_out(plan)
    with pytest.raises(Refused, match="The directory is full: 100 of 100 objects"):
        await bot.plan()
