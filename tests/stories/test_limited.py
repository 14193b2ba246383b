"""Consent mode `limited`: the bot grants what a policy lets it grant, and `doctor` proves it."""

import asyncio
import os
import shutil
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from bot.app import App
from bot.doctor.live import trials
from bot.playground.stage import Stage
from bot.playground.tenant import Credential, Tenant
from bot.playground.tenant.faults import Hold
from bot.playground.tenant.permissions import role_id, scopes
from graph import consent_policy
from graph.consent_policy import INCLUDES
from graph.errors import Forbidden
from graph.permissions import CATALOGUE as ALL_ALLOWED
from graph.permissions import Kind, lookup
from graph.probe import FORBIDDEN
from tests.support import az_rest, doctor_cli
from tests.support.cli import PROGRAM, begun, ended, typed
from tests.support.database import changed
from tests.support.doctor_cli import Told
from tests.support.graph_caller import Asking
from tests.support.limited_consent import (
    CATALOGUE,
    HELD,
    assign,
    limited_bot,
    made,
    replace_includes,
    role_administrator,
)
from tests.support.rotation_story import rotated, seen
from tests.support.running_bot import Bot, why_not_started
from tests.support.settings_env import signing_in_as
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

GRANTING = {
    *("AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"),
    *("Application.ReadWrite.All", "RoleManagement.ReadWrite.Directory"),
}
ROLES, SCOPES = {"Directory.Read.All", "User.Read.All"}, {"User.Read.All"}


def app_id(story: Story) -> str:
    return str(story.tenant.applications[-1]["appId"])


async def test_from_the_form_to_the_mask_without_a_right_to_grant(story: Story, app: App) -> None:
    id = await story.ask()
    assert "this bot gives it, limited by the policy “aad-setup”" in story.card()
    whole = await story.details(id)
    assert "by this bot, limited by the tenant's policy “aad-setup”" in whole
    for words in (story.card(), whole):
        assert "Global Administrator." not in words.replace("or a Global Administrator", "")
    await story.approve(id)
    assert story.tenant.roles_of(app_id(story)) == ROLES
    assert story.tenant.scopes_of(app_id(story)) == SCOPES
    shown = await story.revealed(id)
    assert any(secret in shown for secret in story.tenant.minted)
    await story.workspace.click("rosa", "Mask now", on=story.workspace.ephemerals("rosa")[-1])
    assert not any(secret in story.whispers("rosa") for secret in story.tenant.minted)
    assert {it.path for it in story.tenant.log if it.status == 403} <= {
        "/v1.0/policies/defaultAppManagementPolicy"
    }  # the test
    token = await app.services.tenant.tokens.token()
    held = set(jwt.decode(token.access, options={"verify_signature": False})["roles"])
    assert held == HELD
    assert not held & GRANTING


async def test_entra_itself_refuses_what_the_policy_leaves_out(story: Story, app: App) -> None:
    await story.ready()
    graph = app.services.tenant.graph
    principal = story.tenant.service_principals[-1]["id"]
    resource = await app.services.tenant.tenant_cache.resource()
    for name in ("RoleManagement.ReadWrite.Directory", "Group.Read.All"):
        grant = {"principalId": principal, "resourceId": resource.id, "appRoleId": role_id(name)}
        with pytest.raises(Forbidden):
            await graph.send(
                "POST", f"/servicePrincipals/{resource.id}/appRoleAssignedTo", body=grant
            )
    scopes = {
        "clientId": principal,
        "consentType": "AllPrincipals",
        "resourceId": resource.id,
        "scope": "Mail.Read",
    }
    with pytest.raises(Forbidden):
        await graph.send("POST", "/oauth2PermissionGrants", body=scopes)
    assert story.tenant.roles_of(app_id(story)) == ROLES


async def test_a_policy_changed_under_the_bot_is_named_and_a_retry_goes_on(story: Story) -> None:
    id = await story.ask()
    async with role_administrator(story.tenant) as admin:
        await replace_includes(admin, [it for it in CATALOGUE if it.name != "Directory.Read.All"])
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: f"{id} failed" in story.card())
    assert "the app consent policy “aad-setup”" in story.card()
    assert "aad-setup consent-policy" in story.card()
    assert story.tenant.live_secrets(app_id(story)) == []
    assert story.tenant.roles_of(app_id(story)) == {"User.Read.All"}
    async with role_administrator(story.tenant) as admin:
        await replace_includes(admin, CATALOGUE)
    await story.click_when_idle("ada", "Retry", story.card_of(id))
    await story.until(lambda: story.is_announced(id))
    assert story.tenant.roles_of(app_id(story)) == ROLES


async def test_an_undo_leaves_no_grant_and_asks_for_none_to_be_removed(story: Story) -> None:
    story.tenant.faults.refuse("POST", "batch")
    id = await story.fails()
    await story.click_when_idle("ada", "Undo", story.card_of(id))
    await story.until(lambda: f"{id} was undone" in story.card())
    no_grant_was_removed(story)


async def test_a_secret_is_rotated_checked_and_everything_revoked(story: Story) -> None:
    id = await story.ready()
    await seen(story, id)
    await rotated(story, id)
    await story.check(id)
    await story.until(lambda: f"{id} matches what was approved" in story.direct("rosa"))
    assert "Entra refused" not in story.direct("rosa")
    await story.click_when_idle("grace", "Revoke", story.card_of(id))
    await story.until(lambda: f"{id} was revoked" in story.card(id))
    no_grant_was_removed(story)


def no_grant_was_removed(story: Story) -> None:
    nothing_is_left(story.tenant)
    held = {each["principalDisplayName"] for each in story.tenant.assignments}
    assert held <= {"aad-setup"}  # the administrators' own
    assert not story.tenant.calls("DELETE", "appRoleAssign")
    assert not story.tenant.calls("DELETE", "oauth2PermissionGrants")


@pytest.mark.quick
async def test_beside_wider_rights_the_policy_limits_nothing_so_the_start_is_refused(
    bot: Bot, stage: Stage
) -> None:
    settings = await limited_bot(stage.tenant, *GRANTING)
    said = await why_not_started(bot, **settings)
    assert [right for right in GRANTING if right not in said] == []


@pytest.mark.quick
async def test_a_plan_is_refused_once_the_bot_holds_a_wider_right(
    story: Story, settings: dict[str, str]
) -> None:
    bot = Credential(client_id=settings["ENTRA_CLIENT_ID"], client_secret="")
    story.tenant.allow(bot, "AppRoleAssignment.ReadWrite.All")
    story.clock.move(timedelta(hours=2))  # the bot's token of before does not carry it
    await story.fill_and_send()
    await story.until(lambda: "can't be created" in story.direct("rosa"))
    assert "because it also holds AppRoleAssignment.ReadWrite.All" in story.direct("rosa")


async def test_the_printed_calls_set_up_what_the_bot_needs_and_replace_what_has_changed(
    bot: Bot, stage: Stage, tmp_path: Path
) -> None:
    """The lines for `az rest`, as a shell carries them out."""
    who = stage.tenant.add_administrator(HELD)
    settings = signing_in_as(who, consent_mode="limited")
    unsigned = stage.environ(**{**settings, "ENTRA_CLIENT_SECRET": ""})
    told = await typed("consent-policy", environ=unsigned, folder=stage.folder)
    assert told.status == 0, told.err
    powershell, shell = told.out.split("# Or az rest, in a POSIX shell")
    once, again = shell.split("# Instead, after the profiles have changed")
    for permission in CATALOGUE:
        assert permission.id in powershell
    async with role_administrator(stage.tenant) as admin:
        await carry_out(once, admin, tmp_path)
        [application, delegated] = (await admin.get(INCLUDES)).json()["value"]
        assert application["clientApplicationTenantIds"] == [stage.tenant.id]
        assert delegated["permissionType"] == "delegated"
        async with bot(**settings):
            await Story(stage).ready()
        await replace_includes(admin, [])
        for _ in range(2):
            await carry_out(f"# {again}", admin, tmp_path)
        found = (await admin.get(INCLUDES)).json()["value"]
        ids = sorted(id for each in found for id in each["permissions"])
        assert ids == sorted(each.id for each in CATALOGUE)


async def carry_out(script: str, admin: Asking, folder: Path) -> None:
    """Let a shell do these lines, with `az` signed in as the administrator."""
    az = folder / "az"
    az.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{az_rest.__file__}" "$@"\n')
    az.chmod(0o700)
    environ = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "AZ_TOKEN": admin.http.headers["Authorization"].removeprefix("Bearer "),
        "AZ_CA": str(admin.tenant.ca_file),
    }
    told = await ended(await begun("sh", "-euc", script, environ=environ, folder=folder))
    assert told.status == 0, told.err


OTHER = lookup("Group.Read.All", Kind.ROLE)
READERS = ("Policy.Read.PermissionGrant", "RoleManagement.Read.Directory")


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """`aad-setup doctor` for a bot that has given itself an id, which its start does first."""

    stage: Stage
    settings: dict[str, str]

    @property
    def tenant(self) -> Tenant:
        return self.stage.tenant

    @property
    def bot(self) -> Credential:
        return Credential(client_id=self.settings["ENTRA_CLIENT_ID"], client_secret="")

    async def call(self, *arguments: str) -> Told:
        return await doctor_cli.call(self.stage, *arguments, **self.settings)


@pytest.fixture
async def doctor(stage: Stage, settings: dict[str, str], empty_databases: Path) -> Doctor:
    shutil.copytree(empty_databases, stage.folder, dirs_exist_ok=True)
    now = stage.clock.now().isoformat()
    columns = "id, only, created_at, searched_at"
    statement = f"INSERT INTO installation ({columns}) VALUES ('aaaabbbbcccc', true, ?, ?)"
    await changed(stage, statement, now, now)
    return Doctor(stage=stage, settings=settings)


async def give_role(admin: Asking, doctor: Doctor, name: str, action: str) -> None:
    """Give the bot another role, which allows this."""
    actions = [{"allowedResourceActions": [action]}]
    role = {"displayName": name, "isEnabled": True, "rolePermissions": actions}
    id = await made(admin, consent_policy.ROLE_DEFINITIONS, role)
    await assign(admin, doctor.bot, id)


@pytest.fixture
async def settings(stage: Stage) -> dict[str, str]:
    return await limited_bot(stage.tenant)


def nothing_is_left(tenant: Tenant) -> None:
    assert tenant.applications == tenant.service_principals == tenant.grants == []


async def test_policy_and_role_as_printed_are_well(doctor: Doctor) -> None:
    told = await doctor.call()
    assert told.status == 0, told.text
    assert "✔ Rights: enough for CONSENT_MODE=limited, and none too many." in told.text
    assert "✔ Consent policy: aad-setup allows what the profiles ask for" in told.text
    assert "✔ Consent role: assigned to the bot, and no other role directly." in told.text


async def test_a_policy_that_differs_is_told_permission_by_permission(doctor: Doctor) -> None:
    others = [it for it in CATALOGUE if it.name != "Directory.Read.All"]
    async with role_administrator(doctor.tenant) as admin:
        await replace_includes(admin, [*others, OTHER])
        odd = {"permissionType": "application", "clientApplicationIds": [doctor.tenant.id]}
        id = await made(admin, consent_policy.INCLUDES, odd)
    told = await doctor.call()
    assert told.status == 1
    policy = [line for line in told.wrong if "Consent policy" in line]
    assert len(policy) == 3
    for words in (
        f"The condition set {id} has other conditions",
        "It does not allow Directory.Read.All",
        "It also allows Group.Read.All (application).",
    ):
        assert any(words in line for line in policy), told.text
    assert all("aad-setup consent-policy" in line for line in policy)


async def test_a_role_too_many_and_one_that_is_gone_are_told(doctor: Doctor) -> None:
    async with role_administrator(doctor.tenant) as admin:
        [held] = (await admin.get(consent_policy.ROLE_ASSIGNMENTS)).json()["value"]
        await admin.delete(f"{consent_policy.ROLE_ASSIGNMENTS}/{held['id']}")
        await give_role(admin, doctor, "Helpdesk", "microsoft.directory/users/password/update")
    told = await doctor.call()
    role_lines = [line for line in told.wrong if "Consent role" in line]
    assert len(role_lines) == 2
    assert "“Helpdesk”" in role_lines[0]
    assert consent_policy.ACTION in role_lines[1]


async def test_without_the_rights_to_compare_it_says_what_it_cannot(doctor: Doctor) -> None:
    doctor.tenant.deny(doctor.bot, *READERS)
    told = await doctor.call()
    assert told.status == 0, told.text
    for right in READERS:
        assert any(f"{right} (optional) is missing" in line for line in told.doubts), told.text
    assert "✔ Consent" not in told.text


async def test_what_entra_refuses_to_show_with_the_rights_held_is_a_doubt(doctor: Doctor) -> None:
    code = "AadPremiumLicenseRequired"
    for path in ("/includes", "/roleAssignments"):
        doctor.tenant.faults.fail("GET", path, status=403, code=code, times=2)
    told = await doctor.call()
    assert told.status == 0, told.text
    for name in ("policy", "role"):
        said = f"Consent {name}: could not be compared"
        assert any(said in it and code in it for it in told.doubts), told.text


async def test_a_role_with_the_further_action_is_a_doubt(doctor: Doctor) -> None:
    async with role_administrator(doctor.tenant) as admin:
        await give_role(admin, doctor, "More", consent_policy.APPLICATION_UPDATE)
    told = await doctor.call()
    assert told.status == 0, told.text
    allowed = f"“More” also allows {consent_policy.APPLICATION_UPDATE}"
    assert any(allowed in it for it in told.doubts)


async def test_a_policy_that_is_not_there_is_named(doctor: Doctor) -> None:
    async with role_administrator(doctor.tenant) as admin:
        await admin.delete(f"{consent_policy.POLICIES}/{consent_policy.POLICY_ID}")
    told = await doctor.call()
    assert any("“aad-setup” is not there" in line for line in told.wrong), told.text


async def test_beside_a_wider_right_the_mode_is_refused_and_nothing_proven(doctor: Doctor) -> None:
    wide = "EntitlementManagement.ReadWrite.All"
    doctor.tenant.allow(doctor.bot, wide)
    for arguments in ((), ("--live",)):
        told = await doctor.call(*arguments)
        assert told.status == 1
        assert any(f"{wide} must not be held with CONSENT_MODE=limited" in it for it in told.wrong)
        assert not any("never used" in line for line in told.doubts)
    nothing_is_left(doctor.tenant)


async def test_the_proof_grants_and_is_refused_each_kind_and_leaves_nothing(doctor: Doctor) -> None:
    told = await doctor.call("--live")
    assert told.status == 0, told.text
    [key] = [each["uniqueName"] for each in doctor.tenant.deleted if "uniqueName" in each]
    assert told.text.splitlines() == [
        f"✔ Probe: {key} is made now, and then removed.",
        "✔ Consent: Entra allowed the grant of Directory.Read.All (application), as it should.",
        "✔ Consent: Entra allowed the grant of User.Read.All (delegated), as it should.",
        "✔ Consent: Entra refused the grant of Application.Read.All (application), as it should.",
        "✔ Consent: Entra refused the grant of Application.Read.All (delegated), as it should.",
        "✔ The probe application was removed.",
    ]
    tried = [it for it in doctor.tenant.calls("POST") if "appRole" in it.path]
    assert {it.status for it in tried} == {201, 403}
    nothing_is_left(doctor.tenant)


async def test_a_policy_that_allows_too_little_or_too_much_is_found_out(doctor: Doctor) -> None:
    async with role_administrator(doctor.tenant) as admin:
        await replace_includes(admin, [])
        told = await doctor.call("--live")
        assert len([line for line in told.wrong if "refused to let the bot grant" in line]) == 2
        assert any(consent_policy.APPLICATION_UPDATE in line for line in told.wrong)
        nothing_is_left(doctor.tenant)
        await replace_includes(admin, [*CATALOGUE, *FORBIDDEN.values()])
        told = await doctor.call("--live")
        assert len([line for line in told.wrong if "which no profile asks for" in line]) == 2
        nothing_is_left(doctor.tenant)


async def test_the_probe_is_removed_after_an_error_or_else_an_orphan(doctor: Doctor) -> None:
    failing = doctor.tenant.faults.fail("POST", "appRoleAssignedTo", status=400, code="Odd")
    told = await doctor.call("--live")
    assert told.status == 1
    assert failing.times == 0
    nothing_is_left(doctor.tenant)
    doctor.tenant.faults.refuse("DELETE", "/servicePrincipals/", times=2)
    told = await doctor.call("--live")
    assert told.status == 0, told.text
    nothing_is_left(doctor.tenant)
    doctor.tenant.faults.refuse("DELETE", "/applications/", times=4)
    told = await doctor.call("--live")
    [line] = told.wrong
    assert "was not removed" in line
    assert "doctor --orphans" in line
    [left] = doctor.tenant.applications
    assert left["uniqueName"] in line
    assert left["passwordCredentials"] == []
    doctor.tenant.faults.failures.clear()
    orphans = await doctor.call("--orphans")
    assert any(left["appId"] in line for line in orphans.wrong), orphans.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("PATCH", "/applications"), ("PATCH", "/servicePrincipals")),
        *(("POST", "appRoleAssignedTo"), ("DELETE", "/servicePrincipals")),
    ],
)
async def test_the_probe_is_removed_however_often_the_command_is_stopped(
    doctor: Doctor, method: str, path: str
) -> None:
    await interrupted(doctor, doctor.tenant.faults.hold(method, path))
    nothing_is_left(doctor.tenant)
    assert doctor.tenant.deleted


async def test_after_ctrl_c_nothing_is_looked_for_that_was_never_made(doctor: Doctor) -> None:
    doctor.tenant.faults.fail("PATCH", "/applications", status=400, code="Odd")
    held = doctor.tenant.faults.hold("PATCH", "/applications", when="before_effect")
    await interrupted(doctor, held)
    assert not doctor.tenant.applications


async def interrupted(doctor: Doctor, held: Hold) -> None:
    """Ask in every way to stop while a call of the proof is under way, and wait for the end."""
    stage = doctor.stage
    environ = {"PYTHONUTF8": "1", **stage.environ(**doctor.settings)}
    process = await begun(*PROGRAM, "doctor", "--live", environ=environ, folder=stage.folder)
    async with asyncio.timeout(60):
        await held.reached.wait()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    held.release()
    told = await ended(process)
    assert told.status != 0
    assert "Traceback" not in told.err


async def test_there_is_nothing_to_prove_in_another_mode(stage: Stage) -> None:
    told = await doctor_cli.call(stage, "--live")
    assert told.status == 1
    assert "only for CONSENT_MODE=limited" in told.text
    assert (await doctor_cli.call(stage, "--live", "--orphans")).status == 2


def test_what_the_proof_must_be_refused_is_outside_every_catalogue() -> None:
    for kind, permission in FORBIDDEN.items():
        assert permission.kind is kind
        assert (permission.name, kind) not in ALL_ALLOWED
    assert FORBIDDEN[Kind.ROLE].id == role_id("Application.Read.All")
    [scope] = [it for it in scopes() if it["value"] == "Application.Read.All"]
    assert FORBIDDEN[Kind.SCOPE].id == scope["id"]


def test_forbidden_grants_of_both_kinds_are_tried_whatever_the_profiles_have_and_last() -> None:
    assert trials([OTHER, OTHER]) == [OTHER, *FORBIDDEN.values()]
