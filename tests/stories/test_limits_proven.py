"""`aad-setup doctor` and `doctor --live` for CONSENT_MODE=limited: is the bot limited, and how?"""

import asyncio
import shutil
import signal
from pathlib import Path

import pytest

from bot.doctor.live import trials
from bot.playground.stage import Stage
from bot.playground.tenant import Credential
from bot.playground.tenant.faults import Hold
from bot.playground.tenant.permissions import role_id, scopes
from graph import consent_policy
from graph.permissions import CATALOGUE as ALL_ALLOWED
from graph.permissions import Kind, lookup
from graph.probe import FORBIDDEN
from tests.support import doctor_cli
from tests.support.cli import PROGRAM, begun, ended
from tests.support.database import changed
from tests.support.doctor_cli import Told
from tests.support.limited_consent import (
    CATALOGUE,
    assign,
    limited_bot,
    made,
    replace_includes,
    role_administrator,
)

pytestmark = pytest.mark.slow

OTHER = lookup("Group.Read.All", Kind.ROLE)
READERS = ("Policy.Read.PermissionGrant", "RoleManagement.Read.Directory")


@pytest.fixture
async def settings(stage: Stage, empty_databases: Path) -> dict[str, str]:
    """The settings of a bot that has given itself an id, which its start does first."""
    shutil.copytree(empty_databases, stage.folder, dirs_exist_ok=True)
    now = stage.clock.now().isoformat()
    columns = "id, only, created_at, searched_at"
    statement = f"INSERT INTO installation ({columns}) VALUES ('aaaabbbbcccc', true, ?, ?)"
    await changed(stage, statement, now, now)
    return await limited_bot(stage.tenant)


def credential(settings: dict[str, str]) -> Credential:
    return Credential(client_id=settings["ENTRA_CLIENT_ID"], client_secret="")


async def doctor(stage: Stage, settings: dict[str, str], *arguments: str) -> Told:
    return await doctor_cli.call(stage, *arguments, **settings)


def nothing_is_left(stage: Stage) -> None:
    assert stage.tenant.applications == stage.tenant.service_principals == []
    assert stage.tenant.grants == []


async def test_policy_and_role_as_printed_are_well(stage: Stage, settings: dict[str, str]) -> None:
    told = await doctor(stage, settings)
    assert told.status == 0, told.text
    assert "✔ Rights: enough for CONSENT_MODE=limited, and none too many." in told.text
    assert "✔ Consent policy: aad-setup allows what the profiles ask for" in told.text
    assert "✔ Consent role: assigned to the bot, and no other role directly." in told.text


async def test_a_policy_that_differs_is_told_permission_by_permission(
    stage: Stage, settings: dict[str, str]
) -> None:
    others = [it for it in CATALOGUE if it.name != "Directory.Read.All"]
    async with role_administrator(stage.tenant) as admin:
        await replace_includes(admin, [*others, OTHER])
        odd = {"permissionType": "application", "clientApplicationIds": [stage.tenant.id]}
        id = await made(admin, consent_policy.INCLUDES, odd)
    told = await doctor(stage, settings)
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


async def test_a_role_too_many_and_one_that_is_gone_are_told(
    stage: Stage, settings: dict[str, str]
) -> None:
    async with role_administrator(stage.tenant) as admin:
        [held] = (await admin.get(consent_policy.ROLE_ASSIGNMENTS)).json()["value"]
        await admin.delete(f"{consent_policy.ROLE_ASSIGNMENTS}/{held['id']}")
        actions = [{"allowedResourceActions": ["microsoft.directory/users/password/update"]}]
        other = {"displayName": "Helpdesk", "isEnabled": True, "rolePermissions": actions}
        role = await made(admin, consent_policy.ROLE_DEFINITIONS, other)
        await assign(admin, credential(settings), role)
    told = await doctor(stage, settings)
    role_lines = [line for line in told.wrong if "Consent role" in line]
    assert len(role_lines) == 2
    assert "“Helpdesk”" in role_lines[0]
    assert consent_policy.ACTION in role_lines[1]


async def test_without_the_rights_to_compare_it_says_what_it_cannot(
    stage: Stage, settings: dict[str, str]
) -> None:
    stage.tenant.deny(credential(settings), *READERS)
    told = await doctor(stage, settings)
    assert told.status == 0, told.text
    for right in READERS:
        assert any(f"{right} (optional) is missing" in line for line in told.doubts), told.text
    assert "✔ Consent" not in told.text


async def test_what_entra_refuses_to_show_although_the_rights_are_held_is_a_doubt(
    stage: Stage, settings: dict[str, str]
) -> None:
    code = "AadPremiumLicenseRequired"
    for path in ("/includes", "/roleAssignments"):
        stage.tenant.faults.fail("GET", path, status=403, code=code, times=2)
    told = await doctor(stage, settings)
    assert told.status == 0, told.text
    for name in ("policy", "role"):
        said = f"Consent {name}: could not be compared"
        assert any(said in it and code in it for it in told.doubts), told.text


async def test_a_role_with_the_further_action_is_a_doubt(
    stage: Stage, settings: dict[str, str]
) -> None:
    async with role_administrator(stage.tenant) as admin:
        actions = [{"allowedResourceActions": [consent_policy.APPLICATION_UPDATE]}]
        more = {"displayName": "More", "isEnabled": True, "rolePermissions": actions}
        role = await made(admin, consent_policy.ROLE_DEFINITIONS, more)
        await assign(admin, credential(settings), role)
    told = await doctor(stage, settings)
    assert told.status == 0, told.text
    assert any(
        f"“More” also allows {actions[0]['allowedResourceActions'][0]}" in it for it in told.doubts
    )


async def test_a_policy_that_is_not_there_is_named(stage: Stage, settings: dict[str, str]) -> None:
    async with role_administrator(stage.tenant) as admin:
        await admin.delete(f"{consent_policy.POLICIES}/{consent_policy.POLICY_ID}")
    told = await doctor(stage, settings)
    assert any("“aad-setup” is not there" in line for line in told.wrong), told.text


async def test_beside_a_wider_right_doctor_refuses_the_mode_and_proves_nothing(
    stage: Stage, settings: dict[str, str]
) -> None:
    wide = "EntitlementManagement.ReadWrite.All"
    stage.tenant.allow(credential(settings), wide)
    for arguments in ((), ("--live",)):
        told = await doctor(stage, settings, *arguments)
        assert told.status == 1
        assert any(f"{wide} must not be held with CONSENT_MODE=limited" in it for it in told.wrong)
        assert not any("never used" in line for line in told.doubts)
    nothing_is_left(stage)


async def test_the_proof_grants_one_is_refused_one_of_each_kind_and_leaves_nothing(
    stage: Stage, settings: dict[str, str]
) -> None:
    told = await doctor(stage, settings, "--live")
    assert told.status == 0, told.text
    [key] = [each["uniqueName"] for each in stage.tenant.deleted if "uniqueName" in each]
    assert told.text.splitlines() == [
        f"✔ Probe: {key} is made now, and then removed.",
        "✔ Consent: Entra allowed the grant of Directory.Read.All (application), as it should.",
        "✔ Consent: Entra allowed the grant of User.Read.All (delegated), as it should.",
        "✔ Consent: Entra refused the grant of Application.Read.All (application), as it should.",
        "✔ Consent: Entra refused the grant of Application.Read.All (delegated), as it should.",
        "✔ The probe application was removed.",
    ]
    tried = [it for it in stage.tenant.calls("POST") if "appRole" in it.path]
    assert {it.status for it in tried} == {201, 403}
    nothing_is_left(stage)


async def test_a_policy_that_allows_too_little_or_too_much_is_found_out(
    stage: Stage, settings: dict[str, str]
) -> None:
    async with role_administrator(stage.tenant) as admin:
        await replace_includes(admin, [])
        told = await doctor(stage, settings, "--live")
        assert len([line for line in told.wrong if "refused to let the bot grant" in line]) == 2
        assert any(consent_policy.APPLICATION_UPDATE in line for line in told.wrong)
        nothing_is_left(stage)
        await replace_includes(admin, [*CATALOGUE, *FORBIDDEN.values()])
        told = await doctor(stage, settings, "--live")
        assert len([line for line in told.wrong if "which no profile asks for" in line]) == 2
        nothing_is_left(stage)


async def test_the_probe_is_removed_after_an_error_and_one_that_stays_is_an_orphan(
    stage: Stage, settings: dict[str, str]
) -> None:
    failing = stage.tenant.faults.fail("POST", "appRoleAssignedTo", status=400, code="Odd")
    told = await doctor(stage, settings, "--live")
    assert told.status == 1
    assert failing.times == 0
    nothing_is_left(stage)
    stage.tenant.faults.refuse("DELETE", "/servicePrincipals/", times=2)
    told = await doctor(stage, settings, "--live")
    assert told.status == 0, told.text
    nothing_is_left(stage)
    stage.tenant.faults.refuse("DELETE", "/applications/", times=4)
    told = await doctor(stage, settings, "--live")
    [line] = told.wrong
    assert "was not removed" in line
    assert "doctor --orphans" in line
    [left] = stage.tenant.applications
    assert left["uniqueName"] in line
    assert left["passwordCredentials"] == []
    stage.tenant.faults.failures.clear()
    orphans = await doctor(stage, settings, "--orphans")
    assert any(left["appId"] in line for line in orphans.wrong), orphans.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("PATCH", "/applications"), ("PATCH", "/servicePrincipals")),
        *(("POST", "appRoleAssignedTo"), ("DELETE", "/servicePrincipals")),
    ],
)
async def test_the_probe_is_removed_however_often_the_command_is_stopped(
    stage: Stage, settings: dict[str, str], method: str, path: str
) -> None:
    await interrupted(stage, settings, stage.tenant.faults.hold(method, path))
    nothing_is_left(stage)
    assert stage.tenant.deleted


async def test_after_ctrl_c_nothing_is_looked_for_that_was_never_made(
    stage: Stage, settings: dict[str, str]
) -> None:
    stage.tenant.faults.fail("PATCH", "/applications", status=400, code="Odd")
    held = stage.tenant.faults.hold("PATCH", "/applications", when="before_effect")
    await interrupted(stage, settings, held)
    assert not stage.tenant.applications


async def interrupted(stage: Stage, settings: dict[str, str], held: Hold) -> None:
    """Ask in every way to stop while a call of the proof is under way, and wait for the end."""
    environ = {"PYTHONUTF8": "1", **stage.environ(**settings)}
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
