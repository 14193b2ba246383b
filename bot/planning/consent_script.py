"""The calls that set up the app consent policy and the directory role, for a shell to carry out.

Microsoft Graph PowerShell and `az rest`. Nothing foreign is in them: ids, and words of our own.
"""

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from graph.calls import Json
from graph.clouds import PUBLIC
from graph.consent_policy import (
    ACTION,
    INCLUDES,
    POLICIES,
    POLICY_ID,
    ROLE_ASSIGNMENTS,
    ROLE_DEFINITIONS,
    SET_UP_RIGHTS,
    WHOLE_TENANT,
    condition_sets,
    policy,
    role,
    role_assignment,
)
from graph.permissions import Permission

_ENVIRONMENTS = {
    "public": "Global",
    "usgov": "USGov",
    "usgov-dod": "USGovDoD",
    "china": "China",
}
"""What Microsoft Graph PowerShell calls the clouds."""
_AZ_CLOUDS = {
    "usgov": "AzureUSGovernment",
    "usgov-dod": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}
"""What az calls those that it does not begin with."""
_AZ_OTHER_GRAPH = frozenset({"usgov-dod"})
"""Where az knows another address of Microsoft Graph, and so must be told for what its token is."""

WHO = "As a Privileged Role Administrator, in a tenant with Entra ID P1"
ONCE = "Once: the policy, what it includes, the role, and the role for the bot"
AGAIN = "Instead, after the profiles have changed: what the policy includes, replaced"


@dataclass(frozen=True, kw_only=True)
class ConsentScript:
    """What the calls are about."""

    permissions: tuple[Permission, ...]
    tenant_id: str
    client_id: str
    """The bot's own application."""
    graph_url: str
    cloud: str = PUBLIC.name

    @property
    def condition_sets(self) -> list[Json]:
        return condition_sets(self.permissions, self.tenant_id)


def powershell(script: ConsentScript) -> Iterator[str]:
    """Yield the lines for Microsoft Graph PowerShell."""
    made, defined = policy(), role()
    includes = [_cmdlet(each) for each in script.condition_sets]
    yield f"# {WHO}."
    where = f"-Environment {_ENVIRONMENTS[script.cloud]} -TenantId {script.tenant_id}"
    yield "# Once on this machine: Install-Module Microsoft.Graph"
    yield f"Connect-MgGraph {where} -Scopes {', '.join(SET_UP_RIGHTS)}"
    yield f"# {ONCE}."
    yield (
        f'New-MgPolicyPermissionGrantPolicy -Id {POLICY_ID} -DisplayName "{made["displayName"]}"'
        f' -Description "{made["description"]}"'
    )
    yield from includes
    yield (
        "$role = New-MgRoleManagementDirectoryRoleDefinition"
        f' -DisplayName "{defined["displayName"]}"'
        f' -Description "{defined["description"]}" -IsEnabled'
        f' -RolePermissions @(@{{ AllowedResourceActions = @("{ACTION}") }})'
    )
    yield f"$bot = Get-MgServicePrincipal -Filter \"appId eq '{script.client_id}'\""
    yield (
        "New-MgRoleManagementDirectoryRoleAssignment -PrincipalId $bot.Id"
        f' -RoleDefinitionId $role.Id -DirectoryScopeId "{WHOLE_TENANT}"'
    )
    yield f"# {AGAIN}."
    named = f"-PermissionGrantPolicyId {POLICY_ID}"
    yield (
        f"Get-MgPolicyPermissionGrantPolicyInclude {named} | ForEach-Object {{"
        f" Remove-MgPolicyPermissionGrantPolicyInclude {named}"
        " -PermissionGrantConditionSetId $_.Id }"
    )
    yield from includes


def az_rest(script: ConsentScript) -> tuple[list[str], list[str]]:
    """Return the lines for `az rest` in a POSIX shell: those for once, and those for later."""
    host = script.graph_url.rstrip("/")
    graph = f"{host}/v1.0"
    az = partial(_az, resource=host if script.cloud in _AZ_OTHER_GRAPH else "")
    includes = [az("POST", graph + INCLUDES, body=_quoted(each)) for each in script.condition_sets]
    bot = f"{graph}/servicePrincipals(appId='{script.client_id}')"
    held = json.dumps(role_assignment("$BOT", "$ROLE")).replace('"', '\\"')
    once = [
        az("POST", graph + POLICIES, body=_quoted(policy())),
        *includes,
        f"ROLE=$({az('POST', graph + ROLE_DEFINITIONS, body=_quoted(role()), ids='id')})",
        f"BOT=$({az('GET', bot, ids='id')})",
        az("POST", graph + ROLE_ASSIGNMENTS, body=f'"{held}"'),
    ]
    listed = az("GET", graph + INCLUDES, ids="value[].id")
    removed = az("DELETE", f"{graph}{INCLUDES}/$SET")
    return once, [f"for SET in $({listed}); do {removed}; done", *includes]


def az_lines(script: ConsentScript) -> Iterator[str]:
    """Yield the lines for `az rest`, with what they are for."""
    once, again = az_rest(script)
    yield f"# {WHO}:"
    if name := _AZ_CLOUDS.get(script.cloud):
        yield f"# az cloud set --name {name}"
    yield f"# az login --tenant {script.tenant_id}"
    yield "# If a call is refused with 403, use PowerShell: az's token may lack one of"
    yield f"# {', '.join(SET_UP_RIGHTS)}."
    yield f"# {ONCE}."
    yield from once
    yield f"# {AGAIN}."
    yield from again


def _cmdlet(conditions: Json) -> str:
    return (
        f"New-MgPolicyPermissionGrantPolicyInclude -PermissionGrantPolicyId {POLICY_ID}"
        f" -PermissionType {conditions['permissionType']}"
        f" -ResourceApplication {conditions['resourceApplication']}"
        f" -Permissions {_array(conditions['permissions'])}"
        f" -ClientApplicationTenantIds {_array(conditions['clientApplicationTenantIds'])}"
    )


def _array(texts: Iterable[str]) -> str:
    return "@({})".format(", ".join(f'"{each}"' for each in texts))


def _az(method: str, url: str, *, resource: str, body: str = "", ids: str = "") -> str:
    """Return a call; `ids` is the query whose results it prints. The shell fills in `$NAME`s."""
    call = f'az rest --method {method} --url "{url}"'
    if resource:
        call += f" --resource {resource}"
    if body:
        call += f" --body {body}"
    return f"{call} --query {shlex.quote(ids)} --output tsv" if ids else call


def _quoted(body: Json) -> str:
    return shlex.quote(json.dumps(body))
