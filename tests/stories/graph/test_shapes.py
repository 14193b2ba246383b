"""Answers of another shape end in a GraphError with the call and the request id, never in another.

Each call of the main road is answered once with one part of its answer missing, null or of another
type, for every part that it has.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import graph
from graph.calls import Json, filled, identifier, misfit, moment
from graph.clouds import PUBLIC
from graph.drift import look
from graph.errors import GraphError, UnexpectedAnswer
from graph.grants import grants
from graph.orphans import find_by_id, find_deleted, find_lone_principals, find_tagged, principal_of
from graph.permissions import CATALOGUE, MICROSOFT_GRAPH, Kind, lookup
from graph.plan import Plan, Refused, preflight
from graph.removal import purge
from graph.rights import ConsentMode, rights
from graph.signin import SignIn
from graph.step_context import StepContext
from graph.steps import DIRECTORY, SECRET, remove_strays, stages
from graph.tenant_cache import TenantCache
from tests.support import graph_fakes
from tests.support.graph_bot import Bot
from tests.support.graph_fakes import Tokens, jwt, plan, wish

pytestmark = pytest.mark.slow

NOW = "2026-01-01T00:00:00Z"
TENANT = "11111111-1111-1111-1111-111111111111"
ODD: tuple[Any, ...] = (None, 7, True, "", "\u0000 odd/../", [], ["odd"], [None], {}, {"odd": 1})
GONE = object()

PLAN = plan(
    roles=(lookup("Directory.Read.All", Kind.ROLE),), scopes=(lookup("User.Read", Kind.SCOPE),)
)
FACTS = {
    "application": {"object_id": "o1", "app_id": "a1", "created_at": "2026-01-01T00:00:00+00:00"},
    "service_principal": {"object_id": "p1", "created_at": "2026-01-01T00:00:00+00:00"},
    "secret": {"sealed_id": "s1", "key_id": "k1", "made_at": "2026-01-01T00:00:00+00:00"},
}
SECRET_THERE = {
    "keyId": "k1",
    "hint": "hun",
    "startDateTime": NOW,
    "displayName": "Key · AAD-7K3F · n",
    "endDateTime": NOW,
}
ORGANIZATION = {
    "id": TENANT,
    "displayName": "Contoso",
    "verifiedDomains": [{"name": "contoso.example", "isDefault": True}],
}
_BOTH = {"appId": "a1", "displayName": PLAN.name, "tags": [*PLAN.tags], "deletedDateTime": NOW}
APPLICATION = graph_fakes.application_of(
    PLAN,
    id="o1",
    uniqueName=PLAN.key,
    createdByAppId="bot",
    identifierUris=["api://a1"],
    appRoles=[{"id": "r2", "displayName": "Admin", "value": "Admin"}],
    api={
        "oauth2PermissionScopes": [{"id": "s2", "value": "Relay"}],
        "preAuthorizedApplications": [{"appId": "a2"}],
    },
    requiredResourceAccess=[
        {"resourceAppId": MICROSOFT_GRAPH, "resourceAccess": [{"id": "r1", "type": "Role"}]}
    ],
    passwordCredentials=[SECRET_THERE],
    keyCredentials=[{"keyId": "c1", "displayName": None, "endDateTime": NOW}],
    **_BOTH,
)
PRINCIPAL = graph_fakes.principal_of(id="p1", **_BOTH)
ROLE = {"id": "g1", "appRoleId": PLAN.roles[0].id, "resourceId": PLAN.resource_id}
GRANT = {
    "id": "g2",
    "scope": "User.Read",
    "resourceId": PLAN.resource_id,
    "consentType": "AllPrincipals",
}
POLICY = {
    "isEnabled": True,
    "applicationRestrictions": {
        "passwordCredentials": [
            {
                "restrictionType": "passwordLifetime",
                "state": "enabled",
                "restrictForAppsCreatedAfterDateTime": "2020-01-01T00:00:00Z",
                "maxLifetime": "P365D",
            }
        ],
        "redirectUris": {"uriWithBlockedDomain": {"blockedDomains": ["evil.example"]}},
        "audiences": {"azureAdMultipleOrgs": {"state": "enabled"}},
    },
}


def permissions(kind: Kind) -> list[Json]:
    wanted = [*PLAN.roles, *PLAN.scopes]
    return [
        {"value": each.name, "id": each.id, "isEnabled": True}
        for each in CATALOGUE.values()
        if each.kind is kind and each in wanted
    ]


RESOURCE = {
    "id": PLAN.resource_id,
    "appRoles": permissions(Kind.ROLE),
    "oauth2PermissionScopes": permissions(Kind.SCOPE),
}


USUAL: dict[str, Any] = {
    "GET /organization": {"value": [ORGANIZATION]},
    "GET /policies/defaultAppManagementPolicy": POLICY,
    "GET /oauth2PermissionGrants": {"value": [GRANT]},
    "GET /users": {"value": [{"id": "u", "mail": "a@b.example"}], "@odata.count": 1},
    "GET /groups": {"value": [{"id": "g"}], "@odata.count": 1},
    "POST .*/addPassword": {"keyId": "k1", "secretText": "hunter2", "hint": "hun"},
    f".*{MICROSOFT_GRAPH}.*": RESOURCE,
    "GET .*/appRoleAssignments": {"value": [ROLE]},
    "GET .*/owners": {"value": [{"id": "b1", "displayName": "aad-setup"}]},
    "GET .*/federatedIdentityCredentials": {
        "value": [{"name": "f", "issuer": "i", "subject": "s"}]
    },
    "GET (/applications|/directory/deletedItems/microsoft.graph.application)": {
        "value": [APPLICATION]
    },
    "GET /servicePrincipals": {"value": [PRINCIPAL]},
    ".* /(applications|directory).*": APPLICATION,
    ".* /servicePrincipals.*": PRINCIPAL,
}
"""What Graph answers to a call, as far as it is read: the first that fits counts."""


class Odd:
    """A Graph that answers as usual, but for one part of one kind of call."""

    def __init__(self, change: Callable[[str, Any], Any]) -> None:
        self._change = change

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.raw_path.decode().removeprefix("/v1.0")
        headers = {"request-id": "r1"}
        if path == "/$batch":
            parts = [self._part(each) for each in json.loads(request.content)["requests"]]
            body = self._change("POST /$batch", {"responses": parts})
            return httpx.Response(200, json=body, headers=headers)
        if request.method == "DELETE" or path.endswith("/removePassword"):
            return httpx.Response(204, headers=headers)
        status = 201 if request.method == "PATCH" else 200
        body = self._answer(request.method, path)
        return httpx.Response(status, json=body, headers=headers)

    def _answer(self, method: str, path: str) -> Any:
        call = f"{method} {path.partition('?')[0]}"
        usual = next(body for asked, body in USUAL.items() if re.fullmatch(asked, call))
        return self._change(call, deepcopy(usual))

    def _part(self, asked: Json) -> Json:
        if asked["url"].startswith("/policies"):
            return {"id": asked["id"], "status": 403, "headers": {}, "body": {}}
        body = self._answer(asked["method"], asked["url"])
        return {"id": asked["id"], "status": 200, "headers": {"request-id": "r1"}, "body": body}


@asynccontextmanager
async def site_of(handler: Odd) -> AsyncIterator[StepContext]:
    tokens = Tokens(*rights(ConsentMode.AUTONOMOUS), tenant_id=TENANT)
    async with graph_fakes.site(handler, plan=PLAN, facts=FACTS, tokens=tokens) as site:
        site.sign_in.hold("a1", await tokens.token())
        yield site


async def plan_it(site: StepContext) -> Plan:
    knowledge = TenantCache(graph=site.graph, clock=site.clock)
    wanted = wish(
        roles=("Directory.Read.All",), scopes=("User.Read",), redirect="https://vendor.example/"
    )
    return await preflight(wanted, graph=site.graph, tenant_cache=knowledge, clock=site.clock)


async def register(site: StepContext) -> None:
    application, principal = stages(site.plan)[0][0], stages(site.plan)[1][0]
    await application.do(site)
    await principal.do(site)


async def make_secret(site: StepContext) -> None:
    await SECRET.do(site)


async def clean_up(site: StepContext) -> None:
    await remove_strays(site, frozenset())


async def revoke(site: StepContext) -> None:
    for step in grants(site.plan):
        assert step.undo is not None
        await step.undo(site)


async def read_directory(site: StepContext) -> None:
    await DIRECTORY.do(site)


async def check(site: StepContext) -> None:
    knowledge = TenantCache(graph=site.graph, clock=site.clock)
    await look(site, tenant_cache=knowledge, secrets={"k1": datetime(2027, 1, 1, tzinfo=UTC)})


async def purge_it(site: StepContext) -> None:
    await purge(site, step="application", object_id="o1", app_id="a1", deleted_at=site.clock.now())


async def find_orphans(site: StepContext) -> None:
    await find_tagged(site.graph, installation="one")
    await find_lone_principals(site.graph, installation="one", known=())
    await find_deleted(site.graph, installation="one")
    await find_by_id(site.graph, "o1", registration="AAD-7K3F")
    await principal_of(site.graph, "a1")


WAYS = (
    *(plan_it, register, make_secret, clean_up, revoke, read_directory, purge_it),
    *(check, find_orphans),
)


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each part of a value stands, itself first."""
    yield before
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*before, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*before, 0))


def with_part(value: Any, place: tuple[Any, ...], part: Any) -> Any:
    """Return the value with another part at that place, or without it."""
    if not place:
        return {} if part is GONE else part
    inner = value
    for key in place[:-1]:
        inner = inner[key]
    if part is GONE:
        del inner[place[-1]]
    else:
        inner[place[-1]] = deepcopy(part)
    return value


async def told(way: Callable[[StepContext], Any]) -> Json:
    """Return what a way is answered, by call."""
    answers: Json = {}

    def keep(call: str, body: Any) -> Any:
        answers[call] = deepcopy(body)
        return body

    async with site_of(Odd(keep)) as site:
        await way(site)
    return answers


async def outcome(way: Callable[[StepContext], Any], handler: Odd) -> BaseException | None:
    """Go a way; return what it raised, if it did."""
    ended: list[Any] = []
    async with site_of(handler) as site:
        ended += await asyncio.gather(way(site), return_exceptions=True)
    return ended[0] if isinstance(ended[0], BaseException) else None


def odd_at(call: str, place: tuple[Any, ...], part: Any) -> Odd:
    def change(asked: str, body: Any) -> Any:
        return with_part(body, place, part) if asked == call else body

    return Odd(change)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_an_answer_of_any_shape_is_survived_or_told_as_a_graph_error(
    way: Callable[[StepContext], Any],
) -> None:
    answers, refused = await told(way), 0
    for call, body in answers.items():
        for place in places(body):
            for part in (GONE, *ODD):
                error = await outcome(way, odd_at(call, place, part))
                where = f"{call} {place} {part!r}"
                assert error is None or isinstance(error, GraphError | Refused), where
                if isinstance(error, UnexpectedAnswer):
                    refused += 1
                    assert (error.request_id, bool(error.call)) == ("r1", True), where
                    assert "hunter2" not in f"{error} {error.sentence}"
    assert refused > 0


@pytest.mark.parametrize(
    "organizations", [[], [{**ORGANIZATION, "id": "another"}], [{"id": "another"}, {"id": TENANT}]]
)
async def test_without_the_organization_of_the_token_s_tenant_there_is_no_plan(
    organizations: list[Json],
) -> None:
    error = await outcome(plan_it, odd_at("GET /organization", ("value",), organizations))
    assert isinstance(error, UnexpectedAnswer)
    assert error.call == "GET /organization"


async def test_the_organization_of_the_token_s_tenant_is_taken_and_not_the_first() -> None:
    stranger = {"id": "another", "displayName": None}
    both = [stranger, {**ORGANIZATION, "id": TENANT.upper()}]
    assert await outcome(plan_it, odd_at("GET /organization", ("value",), both)) is None
    async with site_of(odd_at("GET /organization", ("value",), both)) as site:
        found = await TenantCache(graph=site.graph, clock=site.clock).organization()
    assert found.name == "Contoso"


@pytest.mark.parametrize(
    ("place", "part"),
    [
        (("passwordCredentials", 0, "maxLifetime"), "a year"),
        (("passwordCredentials", 0, "maxLifetime"), "P99999999999D"),
        (("passwordCredentials", 0, "maxLifetime"), "P"),
        (("passwordCredentials", 0, "restrictForAppsCreatedAfterDateTime"), "soon"),
        (("passwordCredentials", 0), "text"),
        (("redirectUris", "uriWithBlockedDomain", "blockedDomains"), 5),
        ((), "text"),
    ],
)
async def test_a_policy_that_cannot_be_read_is_a_doubt_in_the_plan(
    place: tuple[Any, ...], part: Any
) -> None:
    where = ("applicationRestrictions", *place)
    odd = odd_at("GET /policies/defaultAppManagementPolicy", where, part)
    async with site_of(odd) as site:
        made = await plan_it(site)
    [doubt] = [each for each in made.warnings if "cannot read the tenant's policy" in each]
    assert "applicationRestrictions" in doubt


DISCOVERY = "openid-configuration"


async def signed_in(bot: Bot, path: str, body: Any, *, status: int = 200) -> BaseException | None:
    """Sign in anew while this is what the sign-in service answers."""
    method = "GET" if path == DISCOVERY else "POST"
    bot.tenant.faults.answer(method, path, body, status=status)
    anew = SignIn(authority=bot.tenant.authority, cloud=PUBLIC, ca_bundle=bot.tenant.ca_file)
    who = bot.tenant.administrator
    signing_in = anew.token(who.client_id, who.client_secret)
    [result] = await asyncio.gather(signing_in, return_exceptions=True)
    anew.close()
    return result if isinstance(result, BaseException) else None


async def test_a_sign_in_answered_in_any_shape_is_survived_or_told_as_a_graph_error(
    bot: Bot,
) -> None:
    access = jwt({"exp": 1_900_000_000, "roles": ["A"], "tid": TENANT})
    token = {"access_token": access, "token_type": "Bearer", "expires_in": 3599}
    base = bot.tenant.authority
    document = {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "issuer": f"{base}/v2.0",
    }
    refusal = {"error": "invalid_client", "error_codes": [7000215], "trace_id": "t"}
    for path, body, status in (
        (DISCOVERY, document, 200),
        ("/token", token, 200),
        ("/token", refusal, 401),
    ):
        for place in places(body):
            for part in (GONE, *ODD):
                odd = with_part(deepcopy(body), place, part)
                error = await signed_in(bot, path, odd, status=status)
                assert error is None or isinstance(error, GraphError), (path, place, part)
                if status == 200 and place and part is GONE:
                    assert isinstance(error, UnexpectedAnswer), (path, place)
                    assert error.request_id == "r1"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://login.evil.example/t/oauth2/v2.0/token",
        "http://{host}/t/oauth2/v2.0/token",
        "https://{host}.evil.example/t/oauth2/v2.0/token",
        "https://{host}@evil.example/t/oauth2/v2.0/token",
        "https://{host}:1/t/oauth2/v2.0/token",
        "https://[/t",
    ],
)
async def test_no_credential_goes_to_a_token_endpoint_on_another_host(
    bot: Bot, endpoint: str
) -> None:
    host = bot.tenant.authority.split("/")[2]
    document = {
        "token_endpoint": endpoint.format(host=host),
        "authorization_endpoint": f"{bot.tenant.authority}/oauth2/v2.0/authorize",
        "issuer": bot.tenant.authority,
    }
    error = await signed_in(bot, DISCOVERY, document)
    assert isinstance(error, UnexpectedAnswer)
    assert [call for call in bot.tenant.log if call.kind == "token"] == []


def test_each_answer_is_read_by_its_shape() -> None:
    """A property taken straight from a body is one that nothing has looked at."""
    folder = Path(graph.__file__).parent
    readers = ("calls.py", "client.py", "signin.py")
    sources = [path for path in folder.rglob("*.py") if path.name not in readers]
    assert [path.name for path in sources if ".body" in path.read_text()] == []


@pytest.mark.parametrize(
    ("value", "shape", "where"),
    [
        ({"a": 1}, {"a": int, "b?": str}, None),
        ({"a": True}, {"a": int}, "a"),
        ({"a": True}, {"a": bool | None}, None),
        ({"a": None}, {"a": str}, "a"),
        ({"a": None}, {"a?": str}, None),
        ({"a": 7}, {"a?": str}, "a"),
        ({"a": [{"b": "x"}, {}]}, {"a": [{"b": filled}]}, "a[1].b"),
        ({"a": {"@odata.type": 7, "x": None, "y": 1}}, {"a": {str: int}}, None),
        ({"a": {"y": "1"}}, {"a": {str: int}}, "a.*"),
        ([], {}, "the whole"),
        ("../x", identifier, "the whole"),
        ("..", identifier, "the whole"),
        ("2026-01-01T00:00:00", moment, "the whole"),
        ("2026-01-01T00:00:00.1234567Z", moment, None),
        ("9999-12-31T00:00:00Z", moment, "the whole"),
    ],
)
def test_a_misfit_is_named_by_its_place(value: Any, shape: Any, where: str | None) -> None:
    assert misfit(value, shape) == where
