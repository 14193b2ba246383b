"""The table of the bot's own rights has no holes, and the simulated tenant enforces the same."""

import json

import pytest
from typer.testing import CliRunner

from bot.__main__ import main
from bot.playground.tenant import tenant
from bot.playground.tenant.operations import OPERATIONS
from bot.playground.tenant.permissions import app_roles
from graph.rights import (
    BOT_RIGHTS,
    ConsentMode,
    Verb,
    excess,
    missing,
    rights,
    table,
    too_wide,
    unread,
)

GRANTS = {"AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"}
FOUR = {
    *("Application.ReadWrite.OwnedBy", "Application.Read.All"),
    *("Organization.Read.All", "Policy.Read.All"),
}
SEES_SCOPES = "DelegatedPermissionGrant.Read.All"

_REMOVALS = (
    *("DELETE servicePrincipals/{}", "DELETE applications/{}"),
    *("GET servicePrincipals/{}", "GET directory/deletedItems/{}"),
)
_TAKES_BACK = (
    "DELETE servicePrincipals/{}/appRoleAssignedTo/{}",
    "DELETE oauth2PermissionGrants/{}",
)
_SECRETS = (
    *("POST applications/{}/addPassword", "POST applications/{}/removePassword"),
    "GET servicePrincipals/{}",
)
_SEES = ("GET servicePrincipals/{}/appRoleAssignments", "GET oauth2PermissionGrants")
_MAKES = (
    *("POST servicePrincipals/{}/appRoleAssignedTo", "POST oauth2PermissionGrants"),
    "PATCH oauth2PermissionGrants/{}",
)
CALLS = {
    Verb.PLAN: (
        *("GET applications", "GET organization", "GET servicePrincipals/{}"),
        "GET policies/defaultAppManagementPolicy",
    ),
    Verb.REGISTER: (
        *("PATCH applications/{}", "PATCH servicePrincipals/{}", "GET applications/{}"),
        *_SECRETS,
    ),
    Verb.CONSENT: _SEES,
    Verb.ROTATE: _SECRETS,
    Verb.CHECK: (
        *("GET applications/{}", "GET applications/{}/owners", "GET servicePrincipals/{}/owners"),
        *("GET applications/{}/federatedIdentityCredentials", *_SEES),
    ),
    Verb.UNDO: _REMOVALS,
    Verb.REVOKE: _REMOVALS,
    Verb.PURGE: ("GET directory/deletedItems/{}", "DELETE directory/deletedItems/{}"),
    Verb.DOCTOR: (),
}
"""What each verb asks of the tenant in every mode."""
MORE_CALLS: dict[tuple[ConsentMode, Verb], tuple[str, ...]] = {
    # Where the bot holds the rights to grant.
    (ConsentMode.AUTONOMOUS, Verb.CONSENT): _MAKES,
    (ConsentMode.AUTONOMOUS, Verb.UNDO): _TAKES_BACK,
    (ConsentMode.AUTONOMOUS, Verb.REVOKE): _TAKES_BACK,
    (ConsentMode.LIMITED, Verb.DOCTOR): (
        "GET policies/permissionGrantPolicies/{}/includes",
        "GET roleManagement/directory/roleAssignments",
        "GET roleManagement/directory/roleDefinitions/{}",
    ),
}
"""And besides in some."""


def refused(mode: ConsentMode, verb: Verb, held: frozenset[str]) -> list[str]:
    """Return the calls of a verb that the simulated tenant refuses to a bot with these rights."""
    calls = (*CALLS[verb], *MORE_CALLS.get((mode, verb), ()))
    rules = {f"{method} {path}": it.rule for (method, path), it in OPERATIONS.items()}
    return [each for each in calls if not all(held & enough for enough in rules[each])]


@pytest.mark.parametrize("mode", ConsentMode)
@pytest.mark.parametrize("verb", Verb)
def test_the_simulated_tenant_lets_each_verb_do_its_work_with_its_rights(
    mode: ConsentMode, verb: Verb
) -> None:
    assert refused(mode, verb, rights(mode, verb)) == []


@pytest.mark.parametrize("mode", ConsentMode)
def test_the_simulated_tenant_refuses_something_without_any_one_of_them(mode: ConsentMode) -> None:
    for right in table(mode):
        held = rights(mode) - {right.name}
        assert any(refused(mode, verb, held) for verb in Verb), right.name


def test_only_the_autonomous_mode_holds_rights_to_grant() -> None:
    assert rights(ConsentMode.AUTONOMOUS) == FOUR | GRANTS
    assert set(tenant.AUTONOMOUS) == rights(ConsentMode.AUTONOMOUS)
    for mode in (ConsentMode.PORTAL, ConsentMode.SIGNED_IN):
        assert rights(mode) == FOUR | {SEES_SCOPES}
        assert excess(mode, rights(ConsentMode.AUTONOMOUS)) == GRANTS
    limits = {"Policy.Read.PermissionGrant", "RoleManagement.Read.Directory"}
    assert rights(ConsentMode.LIMITED) == FOUR | {SEES_SCOPES} | limits


@pytest.mark.parametrize("mode", ConsentMode)
def test_rights_for_delegated_permissions_are_needed_only_where_there_are_some(
    mode: ConsentMode,
) -> None:
    held = rights(mode) - {SEES_SCOPES, "DelegatedPermissionGrant.ReadWrite.All"}
    assert missing(mode, held, scopes=()) == []
    [lacking] = missing(mode, held, scopes=("User.Read",))
    assert lacking.is_only_for_scopes


def test_a_stronger_right_is_enough_but_is_too_much() -> None:
    held = rights(ConsentMode.PORTAL) - {"Application.ReadWrite.OwnedBy"}
    held |= {"Application.ReadWrite.All"}
    assert missing(ConsentMode.PORTAL, held, scopes=()) == []
    assert excess(ConsentMode.PORTAL, held) == {"Application.ReadWrite.All"}


def test_only_the_limited_mode_bears_no_wider_right() -> None:
    wide = {"AppRoleAssignment.ReadWrite.All", "RoleManagement.ReadWrite.Directory"}
    held = rights(ConsentMode.LIMITED) | wide
    assert too_wide(ConsentMode.LIMITED, held) == sorted(wide)
    assert too_wide(ConsentMode.LIMITED, rights(ConsentMode.LIMITED)) == []
    assert too_wide(ConsentMode.AUTONOMOUS, held) == []


def test_beside_its_own_the_limited_mode_bears_only_rights_that_read() -> None:
    published = frozenset(str(role["value"]) for role in app_roles())
    wide = set(too_wide(ConsentMode.LIMITED, published))
    assert wide.isdisjoint(rights(ConsentMode.LIMITED))
    assert wide > {
        *("EntitlementManagement.ReadWrite.All", "UserAuthenticationMethod.ReadWrite.All"),
        *("PrivilegedAssignmentSchedule.ReadWrite.AzureADGroup", "Domain.ReadWrite.All"),
        *("DeviceManagementManagedDevices.PrivilegedOperations.All", "Mail.Send"),
    }
    assert published - wide > {"Directory.Read.All", "Mail.Read", "Channel.ReadBasic.All"}


def test_what_only_helps_is_not_missing() -> None:
    held = rights(ConsentMode.PORTAL) - {"Policy.Read.All"}
    assert missing(ConsentMode.PORTAL, held, scopes=("User.Read",)) == []
    assert [each.name for each in unread(ConsentMode.PORTAL, held)] == ["Policy.Read.All"]


def test_each_right_is_one_row_with_a_reason() -> None:
    assert len({right.name for right in BOT_RIGHTS}) == len(BOT_RIGHTS)
    assert all(right.needed_to and right.verbs and right.modes for right in BOT_RIGHTS)


def test_the_command_prints_the_table_for_people_and_for_programs() -> None:
    told = CliRunner().invoke(main, ["rights"])
    assert told.exit_code == 0
    for mode in ConsentMode:
        assert f"CONSENT_MODE={mode}:" in told.stdout
    alone = CliRunner().invoke(main, ["rights", "--mode", "portal"]).stdout
    assert "CONSENT_MODE=portal:" in alone
    assert "limited" not in alone
    for right in table(ConsentMode.PORTAL):
        assert right.name in alone
        assert right.needed_to in alone
    data = json.loads(CliRunner().invoke(main, ["rights", "--json"]).stdout)
    shown = {mode: [row["right"] for row in rows] for mode, rows in data.items()}
    assert shown == {mode: [right.name for right in table(mode)] for mode in ConsentMode}
    wrong = CliRunner().invoke(main, ["rights", "--mode", "everything"])
    assert wrong.exit_code == 2
