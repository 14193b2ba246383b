"""Every way in which a tenant can differ from the plan, one by one, and what is no difference."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from bot.playground.clock import MovableClock
from graph.application import LONGEST_NOTES
from graph.calls import Answer, Call
from graph.drift import PORTAL_EXTRAS, Drift, Expected, compare, look
from graph.drift import snapshot as parts
from graph.drift.snapshot import Snapshot
from graph.errors import Forbidden, NotFound
from graph.permissions import MICROSOFT_GRAPH, Kind, lookup
from graph.plan import Plan
from graph.tenant_cache import TenantCache
from tests.support.graph_bot import Bot
from tests.support.graph_fakes import Script, answer, client, plan

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROLE = lookup("User.Read.All", Kind.ROLE)
SCOPE = lookup("User.Read", Kind.SCOPE)
PLAN = plan(roles=(ROLE,), scopes=(SCOPE,), redirect="https://vendor.example/cb")
EXPECTED = Expected(
    plan=PLAN, secrets={"key-1": NOW + timedelta(days=90)}, now=NOW, names={"mail": "Mail.Read"}
)

Parts = dict[str, dict[str, Any]]
Change = Callable[[Parts], object]


def untouched() -> Parts:
    """Return the tenant as the bot has left it."""
    return {
        parts.APPLICATION: {
            "displayName": PLAN.name,
            "signInAudience": "AzureADMyOrg",
            "isDisabled": None,
            "disabledByMicrosoftStatus": None,
            "isFallbackPublicClient": None,
            "web": {
                "redirectUris": [PLAN.redirect],
                "implicitGrantSettings": {
                    "enableAccessTokenIssuance": False,
                    "enableIdTokenIssuance": False,
                },
            },
            "identifierUris": [],
            "appRoles": [],
            "api": {"oauth2PermissionScopes": [], "preAuthorizedApplications": []},
            "spa": {"redirectUris": []},
            "publicClient": {"redirectUris": []},
            "requiredResourceAccess": [
                {
                    "resourceAppId": MICROSOFT_GRAPH,
                    "resourceAccess": [
                        {"id": ROLE.id, "type": "Role"},
                        {"id": SCOPE.id, "type": "Scope"},
                    ],
                }
            ],
            "passwordCredentials": [credential("key-1", "Mimecast Key · AAD-7K3F · 0123")],
            "keyCredentials": [],
            "tags": [*PLAN.tags],
            "notes": f"Approved by Ada Lovelace (U2 in T1). {PLAN.notes}",
            "serviceManagementReference": PLAN.registration,
        },
        parts.FEDERATED: {"value": []},
        parts.STANDING: {"id": "sp"},
        parts.PRINCIPAL: {
            "accountEnabled": True,
            "isDisabled": None,
            "disabledByMicrosoftStatus": None,
            "passwordCredentials": [],
            "keyCredentials": [],
        },
        parts.OWNERS: {"value": [{"id": "bot", "displayName": "aad-setup"}]},
        parts.PRINCIPAL_OWNERS: {"value": [{"id": "bot", "displayName": "aad-setup"}]},
        parts.ROLES: {"value": [role(ROLE.id)]},
        parts.SCOPES: {"value": [grant("User.Read")]},
        parts.BOT: {"id": "bot"},
    }


def credential(key_id: str, name: str | None, end: str = "2027-02-21T12:00:00Z") -> dict[str, Any]:
    return {"keyId": key_id, "displayName": name, "endDateTime": end}


def role(id: str, resource: str = PLAN.resource_id, name: str = "Microsoft Graph") -> Any:
    return {"appRoleId": id, "resourceId": resource, "resourceDisplayName": name}


def grant(scope: str, resource: str = PLAN.resource_id, kind: str = "AllPrincipals") -> Any:
    return {"scope": scope, "resourceId": resource, "consentType": kind}


def federated(**more: Any) -> dict[str, Any]:
    return {"name": "ci", "issuer": "https://issuer.example", **more}


def secrets(tenant: Parts) -> list[Any]:
    found: list[Any] = tenant[parts.APPLICATION]["passwordCredentials"]
    return found


def access(tenant: Parts) -> list[Any]:
    found: list[Any] = tenant[parts.APPLICATION]["requiredResourceAccess"]
    return found


def implicit(tenant: Parts) -> dict[str, Any]:
    found: dict[str, Any] = tenant[parts.APPLICATION]["web"]["implicitGrantSettings"]
    return found


def api(tenant: Parts) -> dict[str, Any]:
    found: dict[str, Any] = tenant[parts.APPLICATION]["api"]
    return found


def drift(change: Change, **seen: Any) -> Drift:
    tenant = deepcopy(untouched())
    change(tenant)
    return compare(EXPECTED, Snapshot(parts=tenant, **seen))


TABLE: dict[str, tuple[Change, str]] = {
    "renamed": (
        lambda it: it[parts.APPLICATION].update(displayName="payroll"),
        "The application was renamed to “payroll”.",
    ),
    "audience": (
        lambda it: it[parts.APPLICATION].update(signInAudience="AzureADMultipleOrgs"),
        "The application now accepts other accounts than this directory's (AzureADMultipleOrgs).",
    ),
    "disabled": (
        lambda it: it[parts.APPLICATION].update(isDisabled=True),
        "The application is disabled. The connector cannot sign in.",
    ),
    "disabled by Microsoft": (
        lambda it: it[parts.APPLICATION].update(
            disabledByMicrosoftStatus="DisabledDueToViolationOfServicesAgreement"
        ),
        "The application is disabled. The connector cannot sign in.",
    ),
    "sign-in disabled": (
        lambda it: it[parts.PRINCIPAL].update(accountEnabled=False),
        "Sign-in is disabled for the service principal. The connector cannot sign in.",
    ),
    "redirect added": (
        lambda it: it[parts.APPLICATION]["spa"]["redirectUris"].append("https://evil.example"),
        "A redirect URL was added: https://evil.example",
    ),
    "redirect removed": (
        lambda it: it[parts.APPLICATION]["web"]["redirectUris"].clear(),
        "The redirect URL was removed: https://vendor.example/cb",
    ),
    "public client": (
        lambda it: it[parts.APPLICATION].update(isFallbackPublicClient=True),
        "Public client flows were allowed: anybody can sign in through the application without its"
        " secret.",
    ),
    "implicit access tokens": (
        lambda it: implicit(it).update(enableAccessTokenIssuance=True),
        "The implicit grant was enabled: access tokens are issued to browsers.",
    ),
    "implicit ID tokens": (
        lambda it: implicit(it).update(enableIdTokenIssuance=True),
        "The implicit grant was enabled: ID tokens are issued to browsers.",
    ),
    "identifier URI": (
        lambda it: it[parts.APPLICATION]["identifierUris"].append("api://payroll"),
        "An application ID URI was added: api://payroll",
    ),
    "app role": (
        lambda it: it[parts.APPLICATION]["appRoles"].append(
            {"id": "r", "displayName": "Payroll admin", "value": "Payroll.Admin"}
        ),
        "An app role was added: “Payroll admin” (Payroll.Admin).",
    ),
    "app role without a value": (
        lambda it: it[parts.APPLICATION]["appRoles"].append(
            {"id": "r", "displayName": "Payroll admin", "value": None}
        ),
        "An app role was added: “Payroll admin” (r).",
    ),
    "scope exposed": (
        lambda it: api(it)["oauth2PermissionScopes"].append({"id": "s", "value": "Mail.Relay"}),
        "A scope was added that other applications can ask for: Mail.Relay",
    ),
    "client pre-authorized": (
        lambda it: api(it)["preAuthorizedApplications"].append({"appId": "mallory"}),
        "A client application was pre-authorized, so that no user is asked for consent: mallory",
    ),
    "asks for more": (
        lambda it: access(it)[0]["resourceAccess"].append({"id": "mail", "type": "Role"}),
        "The application now also asks for Mail.Read (application):"
        " the next admin consent would grant it.",
    ),
    "asks another API": (
        lambda it: access(it).append(
            {"resourceAppId": "other", "resourceAccess": [{"id": "x", "type": "Scope"}]}
        ),
        "The application now also asks for x (delegated) of the API other:"
        " the next admin consent would grant it.",
    ),
    "asks for less": (
        lambda it: access(it)[0]["resourceAccess"].pop(0),
        "The application no longer asks for User.Read.All (application).",
    ),
    "secret gone": (
        lambda it: secrets(it).clear(),
        "The secret is gone (key id key-1). The connector can no longer sign in with it.",
    ),
    "secret by hand": (
        lambda it: secrets(it).append(credential("key-2", "backup")),
        "A secret was added by hand “backup”, key id key-2, works until 2027-02-21.",
    ),
    "secret by hand, expired, nameless": (
        lambda it: secrets(it).append(credential("key-2", None, "2026-11-01T00:00:00Z")),
        "A secret was added by hand without a name, key id key-2, expired on 2026-11-01.",
    ),
    "leftover": (
        lambda it: secrets(it).append(credential("key-2", "Mimecast Key · AAD-7K3F · 9999")),
        "A secret carries this registration's id and is not known: a leftover"
        " “Mimecast Key · AAD-7K3F · 9999”, key id key-2, works until 2027-02-21.",
    ),
    "certificate": (
        lambda it: it[parts.APPLICATION]["keyCredentials"].append(credential("key-3", "CN=x")),
        "A certificate was added by hand “CN=x”, works until 2027-02-21.",
    ),
    "federated credential": (
        lambda it: it[parts.FEDERATED]["value"].append(
            federated(subject="repo:evil/evil:ref:refs/heads/main")
        ),
        "A federated credential was added by hand (“ci”): https://issuer.example lets"
        " “repo:evil/evil:ref:refs/heads/main” sign in as this application, without a secret.",
    ),
    "flexible federated credential": (
        lambda it: it[parts.FEDERATED]["value"].append(
            federated(subject=None, claimsMatchingExpression={"value": "claims['sub'] matches '*'"})
        ),
        "A federated credential was added by hand (“ci”): https://issuer.example lets"
        " “claims['sub'] matches '*'” sign in as this application, without a secret.",
    ),
    "tag added": (
        lambda it: it[parts.APPLICATION]["tags"].append("HideApp"),
        "A tag was added: HideApp",
    ),
    "tag removed": (
        lambda it: it[parts.APPLICATION]["tags"].pop(),
        "A tag was removed, by which the bot knows its own: aad-setup:one:AAD-7K3F",
    ),
    "notes emptied": (
        lambda it: it[parts.APPLICATION].update(notes=None),
        "The notes were changed: they said who asked for the application, and why.",
    ),
    "notes lengthened": (
        lambda it: it[parts.APPLICATION].update(notes=f"{PLAN.notes} Call Mallory."),
        "The notes were changed: they said who asked for the application, and why.",
    ),
    "notes with something before them": (
        lambda it: it[parts.APPLICATION].update(notes=f"Mallory's. {PLAN.notes}"),
        "The notes were changed: they said who asked for the application, and why.",
    ),
    "reference": (
        lambda it: it[parts.APPLICATION].update(serviceManagementReference="CMDB-1"),
        "The service management reference was changed to “CMDB-1”.",
    ),
    "service principal disabled as a whole": (
        lambda it: it[parts.PRINCIPAL].update(isDisabled=True),
        "Sign-in is disabled for the service principal. The connector cannot sign in.",
    ),
    "credential of the service principal": (
        lambda it: it[parts.PRINCIPAL]["passwordCredentials"].append(credential("key-4", "y")),
        "A credential was added to the service principal by hand “y”.",
    ),
    "role added": (
        lambda it: it[parts.ROLES]["value"].append(role("mail")),
        "Granted and not in the plan: Mail.Read (application).",
    ),
    "role of the catalogue added": (
        lambda it: it[parts.ROLES]["value"].append(role(lookup("Group.Read.All", Kind.ROLE).id)),
        "Granted and not in the plan: Group.Read.All (application).",
    ),
    "role of another API": (
        lambda it: it[parts.ROLES]["value"].append(role(ROLE.id, "other", "Exchange Online")),
        "Granted and not in the plan: a permission of Exchange Online (application).",
    ),
    "role removed": (
        lambda it: it[parts.ROLES]["value"].clear(),
        "No longer granted: User.Read.All (application).",
    ),
    "scope added": (
        lambda it: it[parts.SCOPES].update(value=[grant("User.Read Mail.Send")]),
        "Granted and not in the plan: Mail.Send (delegated).",
    ),
    "scope for one person": (
        lambda it: it[parts.SCOPES]["value"].append(grant(" Mail.Read ", kind="Principal")),
        "Granted and not in the plan: Mail.Read for one person (delegated).",
    ),
    "scope of another API": (
        lambda it: it[parts.SCOPES]["value"].append(grant("full_access", "other")),
        "Granted and not in the plan: full_access of another API (delegated).",
    ),
    "scope removed": (
        lambda it: it[parts.SCOPES]["value"].clear(),
        "No longer granted: User.Read (delegated).",
    ),
    "owner added": (
        lambda it: it[parts.OWNERS]["value"].append({"id": "u1", "displayName": "Mallory"}),
        "An owner was added to the application: Mallory.",
    ),
    "owner whose name is not told": (
        lambda it: it[parts.PRINCIPAL_OWNERS]["value"].append({"id": "u1", "displayName": None}),
        "An owner was added to the service principal: u1.",
    ),
    "bot no longer owner": (
        lambda it: it[parts.OWNERS]["value"].clear(),
        "This bot no longer owns the application, so it can neither renew nor undo.",
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_change_is_told_in_one_sentence(name: str) -> None:
    change, sentence = TABLE[name]
    assert drift(change) == Drift(differences=(sentence,))


def test_an_untouched_tenant_does_not_differ() -> None:
    assert drift(lambda it: None) == Drift()


def test_our_own_secret_that_has_expired_is_named() -> None:
    ended = Expected(plan=PLAN, secrets={"key-1": NOW - timedelta(days=1)}, now=NOW)
    told = compare(ended, Snapshot(parts=untouched()))
    assert told.differences == ("The secret expired on 2026-11-22 (key id key-1).",)


def test_a_secret_that_is_closed_waits_for_its_removal_and_is_no_leftover() -> None:
    tenant = deepcopy(untouched())
    secrets(tenant).append(credential("key-2", "Mimecast Key · AAD-7K3F · 9999"))
    told = compare(replace(EXPECTED, closing=frozenset({"key-2", "gone"})), Snapshot(parts=tenant))
    assert told == Drift(
        tolerated=(
            "A secret of ours “Mimecast Key · AAD-7K3F · 9999” is closed and waits for its removal"
            " (key id key-2).",
        )
    )


@pytest.mark.parametrize("approvers", ["", "Ada Lovelace (U2 in T1)", "Ada and others " * 40])
def test_the_notes_are_known_with_any_approvers_and_cut_where_entra_cuts(approvers: str) -> None:
    long = replace(PLAN, notes="Registered by aad-setup for Rosa. Reason: " + "x" * 900)
    tenant = deepcopy(untouched())
    written = f"Approved by {approvers}. {long.notes}" if approvers else long.notes
    tenant[parts.APPLICATION]["notes"] = written[:LONGEST_NOTES]
    assert compare(replace(EXPECTED, plan=long), Snapshot(parts=tenant)) == Drift()


def test_notes_cut_by_hand_are_a_difference() -> None:
    long = replace(PLAN, notes="Registered by aad-setup for Rosa. Reason: " + "x" * 90)
    tenant = deepcopy(untouched())
    tenant[parts.APPLICATION]["notes"] = long.notes[:60]
    (told,) = compare(replace(EXPECTED, plan=long), Snapshot(parts=tenant)).differences
    assert told.startswith("The notes were changed")


def test_a_service_principal_made_anew_by_hand_is_not_called_deleted() -> None:
    def remake(tenant: Parts) -> None:
        tenant[parts.ROLES]["value"] = []

    told = drift(remake, remade="another")
    assert told.differences == (
        "The service principal was deleted and made again by hand (object id another)."
        " Grants do not come back by themselves.",
        "No longer granted: User.Read.All (application).",
    )


def test_what_the_portal_adds_is_named_and_no_difference() -> None:
    def consent(tenant: Parts) -> None:
        tenant[parts.SCOPES]["value"] = [grant("User.Read openid profile offline_access")]
        extra = {"id": PORTAL_EXTRAS["openid"], "type": "Scope"}
        access(tenant)[0]["resourceAccess"].append(extra)

    words = "Added by Entra for sign-in, no action needed: offline_access, openid, profile"
    assert drift(consent) == Drift(tolerated=(f"{words} (delegated).",))


def test_a_bot_that_may_change_every_application_never_owned_any() -> None:
    def nobody(tenant: Parts) -> None:
        tenant[parts.OWNERS]["value"] = []
        tenant[parts.PRINCIPAL_OWNERS]["value"] = []

    assert drift(nobody, must_own=False) == Drift()
    assert len(drift(nobody, must_own=True).differences) == 2


def test_what_is_deleted_is_told_with_its_day_and_nothing_beside_it() -> None:
    everything = frozenset({parts.APPLICATION, parts.PRINCIPAL, parts.OWNERS, parts.ROLES})

    def bury(tenant: Parts) -> None:
        for name in everything | {parts.PRINCIPAL_OWNERS}:
            del tenant[name]
        tenant[parts.SCOPES]["value"] = []

    deleted_at = {parts.APPLICATION: "2026-11-20T10:00:00Z"}
    (told,) = drift(bury, gone=everything, deleted_at=deleted_at).differences
    assert told.startswith("The application was deleted on 2026-11-20. Entra keeps it for 30 days")
    (told,) = drift(bury, gone=everything).differences
    assert told.startswith("The application is gone from the tenant for good.")


def test_what_was_refused_is_no_difference_and_is_named() -> None:
    def blind(tenant: Parts) -> None:
        for name in (parts.ROLES, parts.SCOPES, parts.BOT):
            del tenant[name]

    told = drift(blind, refused=frozenset({parts.ROLES, parts.SCOPES, parts.BOT}))
    assert told.differences == ()
    assert [each.split(":")[0] for each in told.unseen] == [
        "The application permissions",
        "The delegated permissions",
        "Who owns it",
    ]


async def made(bot: Bot) -> Plan:
    made = await bot.plan()
    await bot.carry_out(made)
    return made


async def looked(bot: Bot, plan: Plan) -> Drift:
    knowledge = TenantCache(graph=bot.graph, clock=bot.clock)
    known = {bot.facts["secret"]["key_id"]: bot.clock.now() + timedelta(days=90)}
    bot.tenant.log.clear()
    return await look(bot.site(plan), tenant_cache=knowledge, secrets=known)


def graph_calls(bot: Bot) -> list[str]:
    return [
        f"{each.method} {each.path.removeprefix('/v1.0')}"
        for each in bot.tenant.log
        if each.kind == "graph"
    ]


async def test_a_check_of_what_is_untouched_is_one_call(bot: Bot) -> None:
    plan = await made(bot)
    assert await looked(bot, plan) == Drift()
    assert graph_calls(bot) == ["POST /$batch"]


async def test_an_application_opened_to_others_costs_no_call(bot: Bot) -> None:
    plan = await made(bot)
    [application] = bot.tenant.applications
    path, scope, role = f"/applications/{application['id']}", str(uuid4()), str(uuid4())
    exposed = {"id": scope, "value": "Mail.Relay", "type": "Admin", "isEnabled": True}
    words = {"adminConsentDisplayName": "Relay", "adminConsentDescription": "Relays mail"}
    offered = {"id": role, "value": "Payroll.Admin", "isEnabled": True, "displayName": "Admin"}
    client = str(uuid4())
    for body in (
        {"isFallbackPublicClient": True},
        {"web": {"implicitGrantSettings": {"enableAccessTokenIssuance": True}}},
        {"web": {"implicitGrantSettings": {"enableIdTokenIssuance": True}}},
        {"identifierUris": [f"api://{application['appId']}"]},
        {"appRoles": [{**offered, "description": "All", "allowedMemberTypes": ["User"]}]},
        {"api": {"oauth2PermissionScopes": [{**exposed, **words}]}},
        {
            "api": {
                "preAuthorizedApplications": [{"appId": client, "delegatedPermissionIds": [scope]}]
            }
        },
        {"spa": {"redirectUris": ["https://evil.example/spa"]}},
        {"publicClient": {"redirectUris": ["http://localhost"]}},
    ):
        await bot.graph.send("PATCH", path, body=body)
    told = await looked(bot, plan)
    assert graph_calls(bot) == ["POST /$batch"]
    assert told.alarming == told.differences
    assert [each for each in told.differences if "redirect URL" in each] == [
        "A redirect URL was added: http://localhost",
        "A redirect URL was added: https://evil.example/spa",
    ]
    for word in ("Public client", "access tokens", "ID tokens", "api://", "Payroll", "Relay"):
        assert [each for each in told.differences if word in each], word
    assert [each for each in told.differences if each.endswith(f" consent: {client}")]
    assert len(told.differences) == 9


async def test_a_permission_that_the_bot_never_grants_costs_one_call_for_its_name(bot: Bot) -> None:
    plan = await made(bot)
    [principal] = bot.tenant.service_principals
    sensitive = "9492366f-7969-46a4-8d15-ed1a20078fff"  # Sites.ReadWrite.All
    body = {"principalId": principal["id"], "resourceId": plan.resource_id, "appRoleId": sensitive}
    path = f"/servicePrincipals/{plan.resource_id}/appRoleAssignedTo"
    await bot.graph.send("POST", path, body=body)
    told = await looked(bot, plan)
    assert told.differences == ("Granted and not in the plan: Sites.ReadWrite.All (application).",)
    assert len(graph_calls(bot)) == 2


async def test_a_deleted_application_costs_one_call_more(bot: Bot) -> None:
    plan = await made(bot)
    [application] = bot.tenant.applications
    await bot.graph.send("DELETE", f"/applications/{application['id']}")
    (told,) = (await looked(bot, plan)).differences
    assert "it can be restored until then" in told
    assert graph_calls(bot) == ["POST /$batch", "POST /$batch"]


async def test_a_federated_credential_is_somebody_s_way_in_and_costs_no_call(bot: Bot) -> None:
    plan = await made(bot)
    [application] = bot.tenant.applications
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    body = {
        "name": "build",
        "issuer": "https://token.actions.example",
        "subject": "repo:mallory/x:ref:refs/heads/main",
        "audiences": ["api://AzureADTokenExchange"],
    }
    await bot.graph.send("POST", path, body=body)
    (told,) = (await looked(bot, plan)).differences
    assert told == (
        "A federated credential was added by hand (“build”): https://token.actions.example lets"
        " “repo:mallory/x:ref:refs/heads/main” sign in as this application, without a secret."
    )
    assert graph_calls(bot) == ["POST /$batch"]


async def test_a_service_principal_made_anew_is_looked_at_in_the_place_of_ours(bot: Bot) -> None:
    plan = await made(bot)
    [principal] = bot.tenant.service_principals
    await bot.graph.send("DELETE", f"/servicePrincipals/{principal['id']}")
    body = {"appId": principal["appId"]}
    new = (await bot.graph.send("POST", "/servicePrincipals", body=body)).body
    granted = {
        "principalId": new["id"],
        "resourceId": plan.resource_id,
        "appRoleId": lookup("Group.Read.All", Kind.ROLE).id,
    }
    path = f"/servicePrincipals/{plan.resource_id}/appRoleAssignedTo"
    await bot.graph.send("POST", path, body=granted)
    bot.clock.move(timedelta(hours=1))
    told = (await looked(bot, plan)).differences
    assert told == (
        f"The service principal was deleted and made again by hand (object id {new['id']})."
        " Grants do not come back by themselves.",
        "Granted and not in the plan: Group.Read.All (application).",
        "No longer granted: Directory.Read.All (application).",
        "No longer granted: User.Read.All (application).",
        "No longer granted: User.Read (delegated).",
        "No longer granted: User.Read.All (delegated).",
    )
    assert graph_calls(bot) == ["POST /$batch", "POST /$batch"]


async def test_a_service_principal_that_both_is_there_and_is_not_is_a_lagging_replica(
    bot: Bot,
) -> None:
    plan = await made(bot)
    [principal] = bot.tenant.service_principals
    path = f"/servicePrincipals/{principal['id']}"
    bot.tenant.faults.fail("GET", path, status=404, code="Request_ResourceNotFound", times=4)
    with pytest.raises(NotFound):
        await parts.read(bot.site(plan))


async def test_a_bot_that_lost_its_rights_asks_once_more_with_a_new_token(bot: Bot) -> None:
    plan = await made(bot)
    bot.tenant.deny(bot.tenant.administrator, "Application.Read.All")
    bot.clock.move(timedelta(hours=2))
    told = await looked(bot, plan)
    assert told.differences == ()
    assert "The application permissions: Entra refused (insufficient privileges)." in told.unseen
    assert len(graph_calls(bot)) == 2  # the batch, and once more with a new token


async def test_a_right_granted_since_the_token_was_made_is_used(bot: Bot) -> None:
    plan = await made(bot)
    bot.tenant.deny(bot.tenant.administrator, "Application.Read.All")
    bot.clock.move(timedelta(hours=2))
    await bot.graph.roles()
    bot.tenant.allow(bot.tenant.administrator, "Application.Read.All")
    assert await looked(bot, plan) == Drift()
    assert len(graph_calls(bot)) == 2


async def test_a_bot_that_may_see_nothing_fails(bot: Bot) -> None:
    plan = await made(bot)
    bot.tenant.faults.fail(
        "GET", ".*", status=403, code="Authorization_RequestDenied", times=10_000
    )
    site = bot.site(plan)
    with pytest.raises(Forbidden):
        await parts.read(site)


async def test_a_part_that_is_missing_while_its_whole_is_there_is_not_believed(bot: Bot) -> None:
    plan = await made(bot)
    bot.tenant.faults.fail("GET", "/owners", status=404, code="Request_ResourceNotFound", times=1)
    with pytest.raises(NotFound):
        await parts.read(bot.site(plan))


async def test_a_collection_of_several_pages_is_read_whole() -> None:
    def page(*ids: str, **more: Any) -> httpx.Response:
        return answer(200, {"value": [{"id": id} for id in ids], **more})

    following = "https://graph.test/v1.0/x?$skiptoken=2"
    script = Script([page("a", **{"@odata.nextLink": following}), page("b")])
    first = {"value": [{"id": "a"}], "@odata.nextLink": following}
    async with client(script, clock=MovableClock(eager=True)) as graph:
        call = Call(method="GET", path="/x")
        whole = await parts.whole(graph, call, Answer(status=200, body=first, request_id=""))
    assert [each["id"] for each in whole["value"]] == ["a", "b"]
