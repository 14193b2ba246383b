"""The preflight reads the tenant, and makes a plan or gives every reason against it at once."""

import json
import re
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from graph.calls import Json
from graph.errors import Unavailable
from graph.permissions import CATALOGUE, Kind, lookup
from graph.plan import Plan, PlanRequest, Refused, preflight
from graph.rights import ConsentMode, rights
from graph.tenant_cache import TenantCache
from tests.support.graph_fakes import Tokens, answer, client, plan, refusal, wish
from tests.support.still_clock import StillClock

AUTONOMOUS = tuple(sorted(rights(ConsentMode.AUTONOMOUS)))


class Tenant:
    """A Graph that answers the preflight's four reads from what the test puts into it."""

    def __init__(self) -> None:
        self.namesakes: list[Json] = []
        self.policy: httpx.Response = answer(200, {"isEnabled": False})
        self.published = {(each.name, each.kind): each.id for each in CATALOGUE.values()}
        self.organization: Json = ORGANIZATION
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path.removeprefix("/v1.0"))
        match self.asked[-1]:
            case "/organization":
                return answer(200, {"value": [self.organization]})
            case "/applications":
                self.filter = request.url.params["$filter"]
                return answer(200, {"value": self.namesakes})
            case "/policies/defaultAppManagementPolicy":
                return self.policy
            case _:
                return answer(200, self.resource())

    def resource(self) -> Json:
        def of(kind: Kind) -> list[Json]:
            return [
                {"value": name, "id": id, "isEnabled": True}
                for (name, each), id in self.published.items()
                if each is kind
            ]

        return {"id": "sp", "appRoles": of(Kind.ROLE), "oauth2PermissionScopes": of(Kind.SCOPE)}


ORGANIZATION = {
    "id": "t1",
    "displayName": "Contoso",
    "verifiedDomains": [
        {"name": "contoso.onmicrosoft.com", "isDefault": False},
        {"name": "contoso.example", "isDefault": True},
    ],
}


@pytest.fixture
def tenant() -> Tenant:
    return Tenant()


async def test_a_wish_becomes_a_plan(tenant: Tenant) -> None:
    made = await make(tenant, wish(scopes=("User.Read",), redirect="https://example.com/"))
    assert (made.tenant_id, made.tenant_name, made.domain) == ("t1", "Contoso", "contoso.example")
    assert made.resource_id == "sp"
    assert [each.name for each in made.roles] == ["User.Read.All"]
    assert [each.name for each in made.scopes] == ["User.Read"]
    assert (made.secret_days, made.secret_limited_by) == (90, "requester")
    assert "Rosa Diaz" in made.notes
    assert made.warnings == ()


async def test_a_name_wished_twice_is_granted_once(tenant: Tenant) -> None:
    made = await make(tenant, wish(roles=("User.Read.All", "Group.Read.All", "User.Read.All")))
    assert [each.name for each in made.roles] == ["Group.Read.All", "User.Read.All"]


async def test_with_fresh_knowledge_one_call_is_enough(tenant: Tenant) -> None:
    clock = StillClock()
    async with client(tenant, tokens=Tokens(*AUTONOMOUS), clock=clock) as graph:
        knowledge = TenantCache(graph=graph, clock=clock)
        await preflight(wish(), graph=graph, tenant_cache=knowledge, clock=clock)
        assert len(tenant.asked) == 4
        await preflight(wish(), graph=graph, tenant_cache=knowledge, clock=clock)
        assert tenant.asked[4:] == ["/applications"]
        clock.move(timedelta(minutes=6))
        await preflight(wish(), graph=graph, tenant_cache=knowledge, clock=clock)
        assert len(tenant.asked) == 9


async def test_a_namesake_is_shown_and_left_alone(tenant: Tenant) -> None:
    tenant.namesakes = [{"appId": "a1", "uniqueName": None}]
    made = await make(tenant, wish(name="O'Hara's sync"))
    assert tenant.filter == "displayName eq 'O''Hara''s sync'"
    assert "a1" in made.warnings[0]


async def test_of_a_hundred_namesakes_a_few_are_named_because_a_card_holds_only_so_much(
    tenant: Tenant,
) -> None:
    tenant.namesakes = [{"appId": f"a{number}", "uniqueName": None} for number in range(100)]
    [warning] = (await make(tenant)).warnings
    assert warning.endswith("a8, a9 and 90 more.")


async def test_our_own_earlier_attempt_is_no_namesake(tenant: Tenant) -> None:
    tenant.namesakes = [{"appId": "a1", "uniqueName": wish().key}]
    assert (await make(tenant)).warnings == ()


async def test_the_tenants_policy_limits_the_secret(tenant: Tenant) -> None:
    tenant.policy = answer(200, secret_policy("passwordLifetime", maxLifetime="P60D"))
    made = await make(tenant)
    assert (made.secret_days, made.secret_limited_by) == (59, "tenant")


async def test_a_policy_that_bans_secrets_refuses(tenant: Tenant) -> None:
    tenant.policy = answer(200, secret_policy("passwordAddition"))
    assert await reasons(tenant) == (
        "The tenant's policy does not allow client secrets for new applications."
        " To continue, ask for an exemption under “Application policies” in the Entra"
        " admin centre.",
    )


async def test_a_ban_that_exempts_some_is_a_warning_because_the_bot_may_be_exempt(
    tenant: Tenant,
) -> None:
    exempt = {"customSecurityAttributes": [{"id": "a_b", "operator": "equals", "value": "c"}]}
    tenant.policy = answer(200, secret_policy("passwordAddition", excludeActors=exempt))
    [warning] = (await make(tenant)).warnings
    assert warning == (
        "The tenant's policy does not allow client secrets for new applications."
        " Some callers are exempt, and the bot cannot see whether it is one."
    )
    nobody: dict[str, list[str]] = {"customSecurityAttributes": []}
    tenant.policy = answer(200, secret_policy("passwordAddition", excludeActors=nobody))
    assert len(await reasons(tenant)) == 1


async def test_a_redirect_url_that_the_policy_forbids_refuses_beside_the_other_reasons(
    tenant: Tenant,
) -> None:
    tenant.policy = answer(
        200,
        {
            "isEnabled": True,
            "applicationRestrictions": {
                "passwordCredentials": [{"restrictionType": "passwordAddition"}],
                "redirectUris": {"uriWithoutAllowedDomain": {"allowedDomains": ["a.example"]}},
            },
        },
    )
    given = await reasons(tenant, wish(redirect="https://vendor.example/"))
    assert [("secrets" in each, "a.example" in each) for each in given] == [
        (True, False),
        (False, True),
    ]


async def test_what_the_policy_holds_and_nobody_knows_is_a_warning_in_the_same_calls(
    tenant: Tenant,
) -> None:
    tenant.policy = answer(200, secret_policy("passwordMoonPhase"))
    [warning] = (await make(tenant)).warnings
    assert "passwordCredentials.passwordMoonPhase" in warning
    assert len(tenant.asked) == 4


@pytest.mark.parametrize(
    ("quota", "warnings", "refusals"),
    [
        (None, 0, 0),
        ({"used": 211, "total": 300_000}, 0, 0),
        ({"used": 270_000, "total": 300_000}, 1, 0),
        ({"used": 299_998, "total": 300_000}, 1, 0),
        ({"used": 299_999, "total": 300_000}, 0, 1),
        ({"used": 300_007, "total": 300_000}, 0, 1),
        ({"used": 5, "total": 0}, 0, 0),
        ("much", 0, 0),
    ],
)
async def test_a_quota_that_is_told_warns_when_almost_full_and_refuses_when_full(
    tenant: Tenant, quota: Any, warnings: int, refusals: int
) -> None:
    tenant.organization = {**ORGANIZATION, "directorySizeQuota": quota}
    if refusals:
        (reason,) = await reasons(tenant)
        assert reason.startswith(f"The directory is full: {quota['used']} of 300000 objects.")
        assert "Purge deleted objects" in reason
        return
    made = await make(tenant)
    assert len(made.warnings) == warnings
    assert all("almost full" in warning for warning in made.warnings)
    assert len(tenant.asked) == 4


async def test_a_policy_that_allows_hours_refuses(tenant: Tenant) -> None:
    tenant.policy = answer(200, secret_policy("passwordLifetime", maxLifetime="PT12H"))
    assert "even for one day" in (await reasons(tenant))[0]


async def test_a_policy_that_cannot_be_read_is_a_warning(tenant: Tenant) -> None:
    tenant.policy = refusal(403, "Authorization_RequestDenied", "Insufficient privileges")
    assert "Policy.Read.All" in (await make(tenant)).warnings[0]


async def test_rights_that_are_missing_are_all_named_and_nothing_is_asked(tenant: Tenant) -> None:
    given = await reasons(tenant, wish(scopes=("User.Read",)), held=("Organization.Read.All",))
    named = re.findall(r"([\w.]+\.\w+), to ", given[0])
    assert named == [
        *("AppRoleAssignment.ReadWrite.All", "Application.Read.All"),
        *("Application.ReadWrite.OwnedBy", "DelegatedPermissionGrant.ReadWrite.All"),
    ]
    assert tenant.asked == []


@pytest.mark.parametrize("mode", [it for it in ConsentMode if it != "autonomous"])
async def test_a_bot_that_cannot_see_delegated_grants_plans_none(
    tenant: Tenant, mode: ConsentMode
) -> None:
    held = tuple(rights(mode) - {"DelegatedPermissionGrant.Read.All"})
    asked = wish(consent_mode=str(mode), scopes=("User.Read",))
    [sentence] = [it for it in await reasons(tenant, asked, held=held) if "lacks rights" in it]
    assert "DelegatedPermissionGrant.Read.All, to see which delegated permissions" in sentence
    told = await reasons(tenant, wish(consent_mode=str(mode), roles=("Mail.Read",)), held=held)
    assert not any("lacks rights" in it for it in told)


async def test_rights_that_are_too_much_are_a_warning(tenant: Tenant) -> None:
    strong = ("RoleManagement.ReadWrite.Directory", "Application.ReadWrite.All")
    made = await make(tenant, held=(*AUTONOMOUS, *strong))
    assert made.warnings == (
        "The bot's own application holds rights that it never uses: "
        "Application.ReadWrite.All, RoleManagement.ReadWrite.Directory.",
    )


async def test_all_reasons_come_at_once(tenant: Tenant) -> None:
    del tenant.published["Group.Read.All", Kind.ROLE]
    tenant.published["User.Read.All", Kind.ROLE] = "another-id"
    given = await reasons(
        tenant,
        wish(
            name=" ",
            redirect="http://example.com",
            secret_days=0,
            roles=("Mail.ReadWrite", "Group.Read.All", "User.Read.All"),
        ),
    )
    words = ("name", "https://", "one day", "Mail.ReadWrite", "does not offer", "another id")
    assert len(given) == len(words)
    for reason, word in zip(given, words, strict=True):
        assert word in reason


async def test_an_outage_is_a_failure_and_not_a_refusal(tenant: Tenant) -> None:
    tenant.policy = answer(503)
    with pytest.raises(Unavailable):
        await make(tenant)


async def make(
    tenant: Tenant, wanted: PlanRequest | None = None, held: tuple[str, ...] = AUTONOMOUS
) -> Plan:
    clock = StillClock(eager=True)
    async with client(tenant, tokens=Tokens(*held), clock=clock) as graph:
        knowledge = TenantCache(graph=graph, clock=clock)
        return await preflight(wanted or wish(), graph=graph, tenant_cache=knowledge, clock=clock)


async def reasons(
    tenant: Tenant, wanted: PlanRequest | None = None, held: tuple[str, ...] = AUTONOMOUS
) -> tuple[str, ...]:
    with pytest.raises(Refused) as refused:
        await make(tenant, wanted, held)
    return refused.value.reasons


def secret_policy(kind: str, **changes: Any) -> Json:
    restriction = {"restrictionType": kind, "state": "enabled", **changes}
    return {"isEnabled": True, "applicationRestrictions": {"passwordCredentials": [restriction]}}


FULL = plan(
    redirect="https://example.com/callback",
    scopes=(lookup("User.Read", Kind.SCOPE),),
    warnings=("Mind “this”.",),
)


def test_a_plan_survives_being_stored() -> None:
    stored = json.dumps(FULL.to_json())
    assert Plan.from_json(json.loads(stored)) == FULL
    assert Plan.from_json(json.loads(stored)).digest == FULL.digest


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    turned = dict(reversed(FULL.to_json().items()))
    assert Plan.from_json(turned).digest == FULL.digest


def test_the_digest_is_the_same_tomorrow() -> None:
    assert plan().digest == "fd5ced45da6885462a496868b782f9517c80b5e1537b9e3ebdea2d51c54ef0e5"


@pytest.mark.parametrize("name", [field.name for field in fields(Plan)])
def test_the_digest_changes_with_every_field(name: str) -> None:
    others: Json = dict.fromkeys(("roles", "scopes", "tags", "warnings"), ())
    others |= {"secret_days": 1, "secret_limited_by": "tenant"}
    other: Any = others.get(name, "other")
    assert replace(FULL, **{name: other}).digest != FULL.digest
