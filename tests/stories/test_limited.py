"""Consent mode `limited`: the bot grants what Entra lets it grant by a policy, and nothing else."""

import os
import sys
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from bot.app import App
from bot.playground.stage import Stage
from bot.playground.tenant import Credential
from bot.playground.tenant.permissions import role_id
from graph.consent_policy import INCLUDES
from graph.errors import Forbidden
from tests.support import az_rest
from tests.support.cli import begun, ended, typed
from tests.support.graph_caller import Asking
from tests.support.limited_consent import (
    CATALOGUE,
    HELD,
    limited_bot,
    replace_includes,
    role_administrator,
)
from tests.support.rotation_story import rotated, seen
from tests.support.running_bot import Bot, why_not_started
from tests.support.story import Story

GRANTING = {
    *("AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"),
    *("Application.ReadWrite.All", "RoleManagement.ReadWrite.Directory"),
}
ROLES, SCOPES = {"Directory.Read.All", "User.Read.All"}, {"User.Read.All"}


@pytest.fixture
async def settings(stage: Stage) -> dict[str, str]:
    return await limited_bot(stage.tenant)


def app_id(story: Story) -> str:
    return str(story.tenant.applications[-1]["appId"])


def refused(story: Story) -> list[str]:
    """Return the calls that the tenant refused to the bot."""
    calls = [each for each in story.tenant.log if each.status == 403]
    return [f"{each.method} {each.path}" for each in calls]


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
    assert set(refused(story)) <= {"GET /v1.0/policies/defaultAppManagementPolicy"}  # the test
    token = await app.services.tenant.tokens.token()
    held = set(jwt.decode(token.access, options={"verify_signature": False})["roles"])
    assert held == HELD
    assert not held & GRANTING


async def test_entra_itself_refuses_what_the_policy_does_not_include(
    story: Story, app: App, stage: Stage
) -> None:
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


@pytest.mark.slow
async def test_a_policy_changed_under_the_bot_fails_with_its_name_and_a_retry_goes_on(
    story: Story,
) -> None:
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


@pytest.mark.slow
async def test_an_undo_leaves_no_grant_and_asks_for_none_to_be_removed(story: Story) -> None:
    story.tenant.faults.refuse("POST", "batch")
    id = await story.fails()
    await story.click_when_idle("ada", "Undo", story.card_of(id))
    await story.until(lambda: f"{id} was undone" in story.card())
    nothing_is_left(story)


@pytest.mark.slow
async def test_a_secret_is_rotated_checked_and_everything_revoked(story: Story) -> None:
    id = await story.ready()
    await seen(story, id)
    await rotated(story, id)
    await story.check(id)
    await story.until(lambda: f"{id} matches what was approved" in story.direct("rosa"))
    assert "Entra refused" not in story.direct("rosa")
    await story.click_when_idle("grace", "Revoke", story.card_of(id))
    await story.until(lambda: f"{id} was revoked" in story.card(id))
    nothing_is_left(story)


def nothing_is_left(story: Story) -> None:
    assert story.tenant.applications == story.tenant.service_principals == []
    assert story.tenant.grants == []
    held = {each["principalDisplayName"] for each in story.tenant.assignments}
    assert held <= {"aad-setup"}  # the administrators' own
    assert not story.tenant.calls("DELETE", "appRoleAssign")
    assert not story.tenant.calls("DELETE", "oauth2PermissionGrants")


async def test_beside_wider_rights_the_policy_limits_nothing_so_the_start_is_refused(
    bot: Bot, stage: Stage
) -> None:
    settings = await limited_bot(stage.tenant, *GRANTING)
    said = await why_not_started(bot, **settings)
    assert [right for right in GRANTING if right not in said] == []


async def test_a_plan_is_refused_once_the_bot_holds_a_wider_right(
    story: Story, settings: dict[str, str]
) -> None:
    bot = Credential(client_id=settings["ENTRA_CLIENT_ID"], client_secret="")
    story.tenant.allow(bot, "AppRoleAssignment.ReadWrite.All")
    story.clock.move(timedelta(hours=2))  # the bot's token of before does not carry it
    await story.fill_and_send()
    await story.until(lambda: "can't be created" in story.direct("rosa"))
    assert "because it also holds AppRoleAssignment.ReadWrite.All" in story.direct("rosa")


@pytest.mark.slow
async def test_the_printed_calls_set_up_what_the_bot_needs_and_replace_what_has_changed(
    bot: Bot, stage: Stage, tmp_path: Path
) -> None:
    """The lines for `az rest`, as a shell carries them out."""
    who = stage.tenant.add_administrator(HELD)
    settings = {
        "ENTRA_CLIENT_ID": who.client_id,
        "ENTRA_CLIENT_SECRET": who.client_secret,
        "CONSENT_MODE": "limited",
    }
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
