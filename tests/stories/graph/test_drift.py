"""Each difference of a tenant from the plan, and what is no difference. Without a tenant."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.application import LONGEST_NOTES
from graph.calls import Json
from graph.drift import PORTAL_EXTRAS, Drift, Expected, compare
from graph.drift import snapshot as parts
from graph.drift.snapshot import Snapshot
from graph.permissions import Kind, lookup
from tests.support.graph_fakes import application_of, plan, principal_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROLE = lookup("User.Read.All", Kind.ROLE)
SCOPE = lookup("User.Read", Kind.SCOPE)
PLAN = plan(roles=(ROLE,), scopes=(SCOPE,), redirect="https://vendor.example/cb")
EXPECTED = Expected(
    plan=PLAN, secrets={"key-1": NOW + timedelta(days=90)}, now=NOW, names={"mail": "Mail.Read"}
)

APP = parts.APPLICATION
Parts = dict[str, Json]
Change = Callable[[Parts], object]


def untouched() -> Parts:
    """Return the tenant as the bot has left it."""
    return {
        APP: application_of(
            PLAN,
            passwordCredentials=[credential("key-1", "Mimecast Key · AAD-7K3F · 0123")],
            notes=f"Approved by Ada Lovelace (U2 in T1). {PLAN.notes}",
        ),
        parts.FEDERATED: {"value": []},
        parts.STANDING: {"id": "sp"},
        parts.PRINCIPAL: principal_of(),
        parts.OWNERS: {"value": [{"id": "bot", "displayName": "aad-setup"}]},
        parts.PRINCIPAL_OWNERS: {"value": [{"id": "bot", "displayName": "aad-setup"}]},
        parts.ROLES: {"value": [role(ROLE.id)]},
        parts.SCOPES: {"value": [grant("User.Read")]},
        parts.BOT: {"id": "bot"},
    }


def credential(key_id: str, name: str | None, end: str = "2027-02-21T12:00:00Z") -> Json:
    return {"keyId": key_id, "displayName": name, "endDateTime": end}


def role(id: str, resource: str = PLAN.resource_id, name: str = "Microsoft Graph") -> Any:
    return {"appRoleId": id, "resourceId": resource, "resourceDisplayName": name}


def grant(scope: str, resource: str = PLAN.resource_id, kind: str = "AllPrincipals") -> Any:
    return {"scope": scope, "resourceId": resource, "consentType": kind}


def federated(**more: Any) -> Json:
    return {"name": "ci", "issuer": "https://issuer.example", **more}


def put(*place: Any, **values: Any) -> Change:
    return lambda it: at(it, place or (APP,)).update(values)


def add(item: Any, *place: Any) -> Change:
    return lambda it: at(it, place).append(item)


def clear(*place: Any) -> Change:
    return lambda it: at(it, place).clear()


def drop(number: int, *place: Any) -> Change:
    return lambda it: at(it, place).pop(number)


def at(tenant: Parts, place: Sequence[Any]) -> Any:
    found: Any = tenant
    for name in place:
        found = found[name]
    return found


def drift(change: Change, **seen: Any) -> Drift:
    tenant = untouched()
    change(tenant)
    return compare(EXPECTED, Snapshot(parts=tenant, **seen))


ADDED = "Granted and not in the plan:"
BLOCKED = "Sign-in is disabled for the service principal. The connector cannot sign in."
DISABLED = "The application is disabled. The connector cannot sign in."
FEDERATED = "A federated credential was added by hand (“ci”): https://issuer.example lets"
ASKED = (APP, "requiredResourceAccess", 0, "resourceAccess")
IMPLICIT = (APP, "web", "implicitGrantSettings")
MARKED = "Mimecast Key · AAD-7K3F · 9999"
NOTES = "The notes were changed: they said who asked for the application, and why."
PAYROLL = {"id": "r", "displayName": "Payroll admin"}
SECRETS = (APP, "passwordCredentials")
VIOLATION = "DisabledDueToViolationOfServicesAgreement"

TABLE: dict[str, Change] = {
    "The application was renamed to “payroll”.": put(displayName="payroll"),
    "The application now accepts other accounts than this directory's (AzureADMultipleOrgs).": put(
        signInAudience="AzureADMultipleOrgs"
    ),
    DISABLED: put(isDisabled=True),
    BLOCKED: put(parts.PRINCIPAL, accountEnabled=False),
    "A redirect URL was added: https://evil.example": add(
        "https://evil.example", APP, "spa", "redirectUris"
    ),
    "The redirect URL was removed: https://vendor.example/cb": clear(APP, "web", "redirectUris"),
    (
        "Public client flows were allowed: anybody can sign in through the application without its"
        " secret."
    ): put(isFallbackPublicClient=True),
    "The implicit grant was enabled: access tokens are issued to browsers.": put(
        *IMPLICIT, enableAccessTokenIssuance=True
    ),
    "The implicit grant was enabled: ID tokens are issued to browsers.": put(
        *IMPLICIT, enableIdTokenIssuance=True
    ),
    "An application ID URI was added: api://payroll": add("api://payroll", APP, "identifierUris"),
    "An app role was added: “Payroll admin” (Payroll.Admin).": add(
        {**PAYROLL, "value": "Payroll.Admin"}, APP, "appRoles"
    ),
    "An app role was added: “Payroll admin” (r).": add({**PAYROLL, "value": None}, APP, "appRoles"),
    "A scope was added that other applications can ask for: Mail.Relay": add(
        {"id": "s", "value": "Mail.Relay"}, APP, "api", "oauth2PermissionScopes"
    ),
    "A client application was pre-authorized, so that no user is asked for consent: mallory": add(
        {"appId": "mallory"}, APP, "api", "preAuthorizedApplications"
    ),
    (
        "The application now also asks for Mail.Read (application):"
        " the next admin consent would grant it."
    ): add({"id": "mail", "type": "Role"}, *ASKED),
    (
        "The application now also asks for x (delegated) of the API other:"
        " the next admin consent would grant it."
    ): add(
        {"resourceAppId": "other", "resourceAccess": [{"id": "x", "type": "Scope"}]}, *ASKED[:2]
    ),
    "The application no longer asks for User.Read.All (application).": drop(0, *ASKED),
    "The secret is gone (key id key-1). The connector can no longer sign in with it.": clear(
        *SECRETS
    ),
    "A secret was added by hand “backup”, key id key-2, works until 2027-02-21.": add(
        credential("key-2", "backup"), *SECRETS
    ),
    "A secret was added by hand without a name, key id key-2, expired on 2026-11-01.": add(
        credential("key-2", None, "2026-11-01T00:00:00Z"), *SECRETS
    ),
    (
        "A secret carries this registration's id and is not known: a leftover"
        f" “{MARKED}”, key id key-2, works until 2027-02-21."
    ): add(credential("key-2", MARKED), *SECRETS),
    "A certificate was added by hand “CN=x”, works until 2027-02-21.": add(
        credential("key-3", "CN=x"), APP, "keyCredentials"
    ),
    (
        f"{FEDERATED} “repo:evil/evil:ref:refs/heads/main” sign in as this application, without a"
        " secret."
    ): add(federated(subject="repo:evil/evil:ref:refs/heads/main"), parts.FEDERATED, "value"),
    f"{FEDERATED} “claims['sub'] is '*'” sign in as this application, without a secret.": add(
        federated(subject=None, claimsMatchingExpression={"value": "claims['sub'] is '*'"}),
        *(parts.FEDERATED, "value"),
    ),
    "A tag was added: HideApp": add("HideApp", APP, "tags"),
    "A tag was removed, by which the bot knows its own: aad-setup:one:AAD-7K3F": drop(
        -1, APP, "tags"
    ),
    NOTES: put(notes=None),
    "The service management reference was changed to “CMDB-1”.": put(
        serviceManagementReference="CMDB-1"
    ),
    "A credential was added to the service principal by hand “y”.": add(
        credential("key-4", "y"), parts.PRINCIPAL, "passwordCredentials"
    ),
    f"{ADDED} Mail.Read (application).": add(role("mail"), parts.ROLES, "value"),
    f"{ADDED} Group.Read.All (application).": add(
        role(lookup("Group.Read.All", Kind.ROLE).id), parts.ROLES, "value"
    ),
    f"{ADDED} a permission of Exchange Online (application).": add(
        role(ROLE.id, "other", "Exchange Online"), parts.ROLES, "value"
    ),
    "No longer granted: User.Read.All (application).": clear(parts.ROLES, "value"),
    f"{ADDED} Mail.Send (delegated).": put(parts.SCOPES, value=[grant("User.Read Mail.Send")]),
    f"{ADDED} Mail.Read for one person (delegated).": add(
        grant(" Mail.Read ", kind="Principal"), parts.SCOPES, "value"
    ),
    f"{ADDED} full_access of another API (delegated).": add(
        grant("full_access", "other"), parts.SCOPES, "value"
    ),
    "No longer granted: User.Read (delegated).": clear(parts.SCOPES, "value"),
    "An owner was added to the application: Mallory.": add(
        {"id": "u1", "displayName": "Mallory"}, parts.OWNERS, "value"
    ),
    "An owner was added to the service principal: u1.": add(
        {"id": "u1", "displayName": None}, parts.PRINCIPAL_OWNERS, "value"
    ),
    "This bot no longer owns the application, so it can neither renew nor undo.": clear(
        parts.OWNERS, "value"
    ),
}
ALSO: list[tuple[str, Change]] = [
    (DISABLED, put(disabledByMicrosoftStatus=VIOLATION)),
    (BLOCKED, put(parts.PRINCIPAL, isDisabled=True)),
    (NOTES, put(notes=f"{PLAN.notes} Call Mallory.")),
    (NOTES, put(notes=f"Mallory's. {PLAN.notes}")),
]
"""Other changes that are told in the same words."""
CASES = [*TABLE.items(), *ALSO]


@pytest.mark.parametrize(("sentence", "change"), CASES, ids=[told for told, _ in CASES])
def test_each_change_is_told_in_one_sentence(sentence: str, change: Change) -> None:
    assert drift(change) == Drift(differences=(sentence,))


def test_an_untouched_tenant_does_not_differ() -> None:
    assert drift(lambda it: None) == Drift()


def test_our_own_secret_that_has_expired_is_named() -> None:
    ended = Expected(plan=PLAN, secrets={"key-1": NOW - timedelta(days=1)}, now=NOW)
    told = compare(ended, Snapshot(parts=untouched()))
    assert told.differences == ("The secret expired on 2026-11-22 (key id key-1).",)


def test_a_secret_that_is_closed_waits_for_its_removal_and_is_no_leftover() -> None:
    tenant = untouched()
    add(credential("key-2", MARKED), *SECRETS)(tenant)
    told = compare(replace(EXPECTED, closing=frozenset({"key-2", "gone"})), Snapshot(parts=tenant))
    assert told == Drift(
        tolerated=(
            f"A secret of ours “{MARKED}” is closed and waits for its removal (key id key-2).",
        )
    )


@pytest.mark.parametrize("approvers", ["", "Ada Lovelace (U2 in T1)", "Ada and others " * 40])
def test_the_notes_are_known_with_any_approvers_and_cut_where_entra_cuts(approvers: str) -> None:
    long = replace(PLAN, notes="Registered by aad-setup for Rosa. Reason: " + "x" * 900)
    tenant = untouched()
    written = f"Approved by {approvers}. {long.notes}" if approvers else long.notes
    tenant[APP]["notes"] = written[:LONGEST_NOTES]
    assert compare(replace(EXPECTED, plan=long), Snapshot(parts=tenant)) == Drift()


def test_notes_cut_by_hand_are_a_difference() -> None:
    long = replace(PLAN, notes="Registered by aad-setup for Rosa. Reason: " + "x" * 90)
    tenant = untouched()
    tenant[APP]["notes"] = long.notes[:60]
    (told,) = compare(replace(EXPECTED, plan=long), Snapshot(parts=tenant)).differences
    assert told.startswith("The notes were changed")


def test_a_service_principal_made_anew_by_hand_is_not_called_deleted() -> None:
    told = drift(clear(parts.ROLES, "value"), remade="another")
    assert told.differences == (
        "The service principal was deleted and made again by hand (object id another)."
        " Grants do not come back by themselves.",
        "No longer granted: User.Read.All (application).",
    )


def test_what_the_portal_adds_is_named_and_no_difference() -> None:
    def consent(tenant: Parts) -> None:
        tenant[parts.SCOPES]["value"] = [grant("User.Read openid profile offline_access")]
        add({"id": PORTAL_EXTRAS["openid"], "type": "Scope"}, *ASKED)(tenant)

    words = "Added by Entra for sign-in, no action needed: offline_access, openid, profile"
    assert drift(consent) == Drift(tolerated=(f"{words} (delegated).",))


def test_a_bot_that_may_change_every_application_never_owned_any() -> None:
    def disown(tenant: Parts) -> None:
        for part in (parts.OWNERS, parts.PRINCIPAL_OWNERS):
            clear(part, "value")(tenant)

    assert drift(disown, must_own=False) == Drift()
    assert len(drift(disown, must_own=True).differences) == 2


def test_what_is_deleted_is_told_with_its_day_and_nothing_beside_it() -> None:
    everything = frozenset({APP, parts.PRINCIPAL, parts.OWNERS, parts.ROLES})

    def bury(tenant: Parts) -> None:
        for name in everything | {parts.PRINCIPAL_OWNERS}:
            del tenant[name]
        tenant[parts.SCOPES]["value"] = []

    deleted_at = {APP: "2026-11-20T10:00:00Z"}
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
