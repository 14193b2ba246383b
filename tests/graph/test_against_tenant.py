"""Preflight and stages against the simulated tenant, over real sockets, whatever Entra does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import NameOID

from bot.playground.clock import MovableClock
from bot.playground.tenant import Credential, Tenant, running
from graph.client import Client
from graph.errors import (
    Forbidden,
    GraphError,
    NotOurs,
    PolicyForbids,
    RolesDiffer,
    RolesMissing,
    SignInFailed,
    TooMuchAllowed,
    Unreachable,
)
from graph.plan import Plan
from graph.preflight import Knowledge, Refused, preflight
from graph.signin import BotTokens, Certificate, FederatedToken, SignIn
from graph.signin_errors import SecretNotThereYet, TenantUnknown
from graph.site import Site
from graph.steps import remove_secret, stages, sweep
from tests.graph.fakes import MemoryKeeper, wish

MIMECAST = wish(
    roles=("User.Read.All", "Directory.Read.All"),
    scopes=("User.Read.All", "User.Read"),
    redirect="https://example.com/callback",
)
WRITES = [
    ("PATCH", "/applications"),
    ("PATCH", "/servicePrincipals"),
    ("POST", "/appRoleAssignedTo"),
    ("POST", "/oauth2PermissionGrants"),
    ("POST", "/addPassword"),
]
CALLS = [*WRITES, ("POST", "/oauth2/v2.0/token"), ("POST", r"/\$batch")]


@dataclass(kw_only=True)
class Bot:
    """The bot's tenant side: signed in, with a keeper and the facts that a database would hold."""

    tenant: Tenant
    clock: MovableClock
    graph: Client
    sign_in: SignIn
    client_id: str
    keeper: MemoryKeeper = field(default_factory=MemoryKeeper)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def plan(self, wanted: Any = MIMECAST) -> Plan:
        knowledge = Knowledge(graph=self.graph, clock=self.clock)
        return await preflight(wanted, graph=self.graph, knowledge=knowledge, clock=self.clock)

    async def carry_out(self, plan: Plan) -> None:
        for stage in stages(plan):
            site = self.site(plan)
            todo = [each for each in stage if each.name not in self.facts]
            results = await asyncio.gather(
                *(self._take(each.name, each.do(site)) for each in todo), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def take_back(self, plan: Plan) -> None:
        for stage in reversed(stages(plan)):
            for each in stage:
                if each.undo is not None:
                    await each.undo(self.site(plan))

    def site(self, plan: Plan) -> Site:
        return Site(
            graph=self.graph,
            plan=plan,
            facts=dict(self.facts),
            clock=self.clock,
            keeper=self.keeper,
            sign_in=self.sign_in,
            bot_client_id=self.client_id,
        )

    async def _take(self, name: str, doing: Awaitable[dict[str, Any]]) -> None:
        self.facts[name] = await doing


@asynccontextmanager
async def bot_of(tenant: Tenant, clock: MovableClock, who: Credential) -> AsyncIterator[Bot]:
    sign_in = SignIn(
        authority=tenant.authority, graph_host=tenant.graph_url, ca_bundle=tenant.ca_file
    )
    tokens = BotTokens(
        sign_in=sign_in, client_id=who.client_id, credential=who.client_secret, clock=clock
    )
    trust = ssl.create_default_context(cafile=tenant.ca_file)
    async with httpx.AsyncClient(verify=trust) as http:
        graph = Client(
            http=http,
            graph_url=tenant.graph_url,
            tokens=tokens,
            clock=clock,
            jitter=Random(1).random,
        )
        yield Bot(tenant=tenant, clock=clock, graph=graph, sign_in=sign_in, client_id=who.client_id)
    sign_in.close()


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    clock = MovableClock(eager=True)
    async with (
        running(clock=clock, users=60, groups=8) as tenant,
        bot_of(tenant, clock, tenant.administrator) as made,
    ):
        yield made


async def test_a_registration_is_made_and_proven(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    assert_complete(bot, plan)
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


async def test_a_run_makes_no_call_too_many(bot: Bot) -> None:
    plan = await bot.plan()
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


async def test_discovery_and_the_bots_token_are_fetched_once_for_many(bot: Bot) -> None:
    plans = await asyncio.gather(*(bot.plan() for _ in range(20)))
    assert len({plan.digest for plan in plans}) == 1
    assert len([call for call in bot.tenant.log if call.kind == "discovery"]) == 1
    assert len([call for call in bot.tenant.log if call.kind == "token"]) == 1


async def test_facts_never_hold_the_secret(bot: Bot) -> None:
    await bot.carry_out(await bot.plan())
    assert bot.keeper.secret
    assert bot.keeper.secret not in repr((bot.facts, bot.keeper, bot.sign_in, bot.graph))


@pytest.mark.parametrize("lag", [5.0, 60.0, 600.0, (0.0, 300.0)])
async def test_replication_lag_only_takes_time(bot: Bot, lag: float | tuple[float, float]) -> None:
    plan = await bot.plan()
    bot.tenant.faults.lag = lag
    await bot.carry_out(plan)
    assert_complete(bot, plan)


@pytest.mark.parametrize("seed", range(5))
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
    assert "or somebody has removed them" in caught.value.sentence
    assert "Missing: Directory.Read.All, User.Read.All." in caught.value.sentence


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_lost_answer_makes_nothing_twice(bot: Bot, method: str, path: str) -> None:
    plan = await bot.plan()
    bot.tenant.faults.reset(method, path, when="after_effect")
    await bot.carry_out(plan)
    await sweep(bot.site(plan), frozenset({bot.facts["secret"]["key_id"]}))
    assert_complete(bot, plan)


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("lag", [0.0, 60.0])
async def test_a_run_killed_while_its_answer_is_held_goes_on_where_it_was(
    bot: Bot, method: str, path: str, lag: float
) -> None:
    plan = await bot.plan()
    bot.tenant.faults.lag = lag
    held = bot.tenant.faults.hold(method, path)
    first = asyncio.create_task(bot.carry_out(plan))
    await held.reached.wait()
    first.cancel()
    held.drop()
    await asyncio.gather(first, return_exceptions=True)
    await bot.carry_out(plan)
    bot.clock.move(timedelta(minutes=15))  # reads lag, so a sweep at once may not see the stray
    await sweep(bot.site(plan), frozenset({bot.facts["secret"]["key_id"]}))
    assert_complete(bot, plan)


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429, "code": "TooManyRequests", "headers": {"Retry-After": "20"}},
        {"status": 429, "code": "TooManyRequests"},
        {"status": 503, "headers": {"Retry-After": "20"}},
        {"status": 503},
        {"status": 504, "when": "after_effect"},
        {"status": 500, "when": "after_effect"},
    ],
    ids=lambda fault: "-".join(str(each) for each in fault.values()),
)
async def test_an_outage_only_takes_time(
    bot: Bot, method: str, path: str, fault: dict[str, Any]
) -> None:
    plan = await bot.plan()
    bot.tenant.faults.fail(method, path, times=2, **fault)
    await bot.carry_out(plan)
    await sweep(bot.site(plan), frozenset({bot.facts["secret"]["key_id"]}))
    assert_complete(bot, plan)


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_page_where_json_should_be_only_takes_time(
    bot: Bot, method: str, path: str
) -> None:
    plan = await bot.plan()
    bot.tenant.faults.html(method, path, times=2)
    await bot.carry_out(plan)
    assert_complete(bot, plan)


@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_a_missing_right_fails_with_advice(bot: Bot, method: str, path: str) -> None:
    plan = await bot.plan()
    text = "Insufficient privileges to complete the operation."
    bot.tenant.faults.fail(
        method, path, status=403, code="Authorization_RequestDenied", message=text, times=9
    )
    with pytest.raises(Forbidden) as caught:
        await bot.carry_out(plan)
    assert "Grant the bot's own application the rights" in caught.value.advice
    assert caught.value.request_id


async def test_a_token_that_expires_on_the_way_is_replaced(bot: Bot) -> None:
    plan = await bot.plan()
    bot.clock.move(timedelta(hours=2))
    await bot.carry_out(plan)
    assert_complete(bot, plan)


async def test_grants_that_collide_go_one_after_another(bot: Bot) -> None:
    plan = await bot.plan()
    bot.tenant.faults.conflict_window = 2.0
    await bot.carry_out(plan)
    assert_complete(bot, plan)


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


async def test_a_key_that_is_taken_is_never_adopted(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    bot.facts, bot.keeper = {}, MemoryKeeper()
    with pytest.raises(NotOurs):
        await bot.carry_out(plan)


async def test_somebody_elses_application_under_our_key_is_never_adopted(bot: Bot) -> None:
    other = bot.tenant.add_administrator([*await bot.graph.roles(), "Application.ReadWrite.All"])
    plan = await bot.plan()
    await bot.keeper.intend("application")
    await bot.carry_out(plan)
    async with bot_of(bot.tenant, bot.clock, other) as copy:
        await copy.keeper.intend("application")
        with pytest.raises(NotOurs):
            await copy.carry_out(plan)


async def test_a_secret_sealed_before_a_crash_is_used_and_not_made_again(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    for name in ("secret", "sign_in", "directory"):
        del bot.facts[name]
    await bot.carry_out(plan)
    assert len(bot.tenant.calls("POST", "addPassword")) == 1


async def test_a_grant_made_by_hand_is_widened_and_not_replaced(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    grant = bot.tenant.grants[0]
    path = f"/oauth2PermissionGrants/{grant['id']}"
    await bot.graph.send("PATCH", path, body={"scope": "openid User.Read"})
    del bot.facts["scopes"]
    await bot.carry_out(plan)
    scopes = bot.tenant.scopes_of(bot.facts["application"]["app_id"])
    assert scopes == {"openid", "User.Read", "User.Read.All"}


async def test_a_grant_that_nobody_approved_stops_the_run(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    narrow = await bot.plan(wish())
    del bot.facts["sign_in"]
    with pytest.raises(RolesDiffer, match="RolesDiffer") as caught:
        await bot.carry_out(narrow)
    assert "Not in the plan: Directory.Read.All." in caught.value.sentence


async def test_a_read_that_no_plan_allows_stops_the_run(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    app = Credential(client_id=bot.facts["application"]["app_id"], client_secret="")
    token = await bot.sign_in.token(app.client_id, bot.keeper.secret)
    bot.tenant.allow(app, "Policy.Read.All")
    extended = await bot.sign_in.token(app.client_id, bot.keeper.secret)
    assert extended.roles - token.roles == {"Policy.Read.All"}
    bot.sign_in.hold(app.client_id, extended)
    del bot.facts["directory"]
    with pytest.raises(TooMuchAllowed):
        await bot.carry_out(plan)


async def test_a_directory_test_after_a_crash_signs_in_anew(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    del bot.facts["directory"]
    await bot.carry_out(plan)
    assert bot.facts["directory"]["refused"] is True


async def test_undo_leaves_nothing(bot: Bot) -> None:
    plan = await bot.plan()
    await bot.carry_out(plan)
    app_id = bot.facts["application"]["app_id"]
    await bot.take_back(plan)
    assert bot.tenant.applications == bot.tenant.service_principals == bot.tenant.grants == []
    with pytest.raises(GraphError):
        await bot.sign_in.token(app_id, bot.keeper.secret)


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


async def test_a_tenant_that_cannot_be_reached_is_told_in_a_sentence(bot: Bot) -> None:
    plan = await bot.plan()
    bot.tenant.faults.unreachable = True
    with pytest.raises(GraphError) as caught:
        await bot.carry_out(plan)
    assert caught.value.sentence
    nowhere = SignIn(authority="https://127.0.0.1:1/t", graph_host="https://127.0.0.1:1")
    with pytest.raises(Unreachable):
        await nowhere.token("a", "b")
    nowhere.close()


async def test_a_policy_that_changed_since_the_plan_fails_with_advice(bot: Bot) -> None:
    plan = await bot.plan()
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


async def test_a_wrong_tenant_and_a_wrong_secret_are_told_apart(bot: Bot) -> None:
    with pytest.raises(SecretNotThereYet):
        await bot.sign_in.token(bot.client_id, "wrong")
    elsewhere = SignIn(
        authority=f"{bot.tenant.url}/00000000-0000-4000-8000-000000000000",
        graph_host=bot.tenant.graph_url,
        ca_bundle=bot.tenant.ca_file,
    )
    with pytest.raises(TenantUnknown):
        await elsewhere.token(bot.client_id, "any")
    elsewhere.close()


async def test_certificates_and_federated_tokens_sign_in_without_a_secret(
    bot: Bot, tmp_path: Path
) -> None:
    assertion, pfx = tmp_path / "token", tmp_path / "bot.pfx"
    assertion.write_text("another issuer's token\n")
    pfx.write_bytes(certificate(b"word"))
    for credential in (FederatedToken(path=assertion), Certificate(path=pfx, passphrase="word")):
        with pytest.raises(SignInFailed, match="AADSTS7000218"):  # this tenant only knows secrets
            await bot.sign_in.token(bot.client_id, credential)
        assert "word" not in repr(credential)


def certificate(passphrase: bytes) -> bytes:
    """Make a key with its certificate, in a PFX."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "aad-setup")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .sign(key, SHA256())
    )
    lock = BestAvailableEncryption(passphrase)
    return serialize_key_and_certificates(b"aad-setup", key, signed, None, lock)


def assert_complete(bot: Bot, plan: Plan) -> None:
    """One application, one service principal, each grant once, one live secret: the sealed one."""
    ours = [each for each in bot.tenant.applications if each["uniqueName"] == plan.key]
    assert [each["appId"] for each in ours] == [bot.facts["application"]["app_id"]]
    app_id = ours[0]["appId"]
    principals = [each for each in bot.tenant.service_principals if each["appId"] == app_id]
    assert [each["id"] for each in principals] == [bot.facts["service_principal"]["object_id"]]
    held = [each for each in bot.tenant.assignments if each["principalId"] == principals[0]["id"]]
    assert sorted(each["appRoleId"] for each in held) == sorted(each.id for each in plan.roles)
    assert bot.tenant.scopes_of(app_id) == {each.name for each in plan.scopes}
    live = bot.tenant.live_secrets(app_id)
    assert [each["keyId"] for each in live] == [bot.facts["secret"]["key_id"]]
    assert bot.facts["sign_in"]["roles"] == sorted(each.name for each in plan.roles)
    assert bot.facts["directory"]["refused"] is True
