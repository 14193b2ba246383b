"""An approver signs in with a code to grant, where CONSENT_DEVICE_CODE allows that."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from bot.doctor import examine
from bot.doctor.findings import Mark
from bot.playground.stage import Stage
from bot.playground.tenant.calls import Call
from graph.clouds import CLOUDS
from handlers.views import ids
from tests.support.forged_clicks import forged_button
from tests.support.graph_caller import asking
from tests.support.marks import slow
from tests.support.running_bot import Bot
from tests.support.signing_in import (
    ROLE,
    SigningIn,
    code_for,
    codes,
    consent_world,
    signed_in,
    waiting,
)
from tests.support.signing_in_fixtures import UNHURRIED, running, story
from tests.support.story import Story

__all__ = ["running", "story"]

WAITS = "waits for an administrator's consent"
ON = {"CONSENT_DEVICE_CODE": "yes"}


@pytest.fixture
def world(stage: Stage) -> SigningIn:
    return consent_world(stage, **ON)


def grants(story: Story) -> list[Call]:
    """Return the calls that tried to grant."""
    paths = ("/appRoleAssignedTo", "/oauth2PermissionGrants")
    return [call for path in paths for call in story.tenant.calls("POST", path)]


async def entered(
    world: SigningIn, story: Story, id: str, *, user: str = "ada", by: str = "ada", **how: Any
) -> str:
    """Get a code and sign in with it. Return what Entra's own page says, if it refuses that."""
    page, user_code = await code_for(story, by, id)
    account = world.accounts[user]
    landing = await story.tenant.sign_in_as(account, page, user_code=user_code, **how)
    return landing.error or ""


async def test_from_the_form_to_the_mask(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    assert await entered(world, story, id) == ""
    await story.until(lambda: story.is_announced(id))
    await story.until(lambda: f"The permissions of {id} are granted" in story.whispers("ada"))
    name = world.accounts["ada"]["displayName"]
    assert f"signed in as {name} with a code; its strength is decided by your" in story.card(id)
    shown = await story.revealed(id)
    assert any(secret in shown for secret in story.tenant.minted)
    await story.workspace.click("rosa", "Mask now", on=story.workspace.ephemerals("rosa")[-1])
    assert {it.caller_app_id for it in grants(story)} == {world.environ["CONSENT_CLIENT_ID"]}
    assert {it.status for it in grants(story)} == {201}
    await story.workspace.command("ada", f"history {id}")
    assert f"an approver has signed in to grant ({name} with a code)" in story.whispers("ada")
    [asked] = story.tenant.calls("POST", "/devicecode")
    assert isinstance(asked.body, dict)
    assert "offline_access" not in asked.body["scope"]
    assert "claims" not in asked.body


@pytest.mark.slow
async def test_the_code_is_for_its_approver_alone_and_in_no_text(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    _, user_code = await code_for(story, "ada", id)
    assert user_code not in "".join(it["text"] for it in story.workspace.ephemerals("ada"))
    kept = [
        message
        for channel in ("approvals", "rosa", "ada", "grace")
        for message in story.workspace.messages(channel)
    ]
    assert user_code not in str([kept, story.workspace.ephemerals("grace")])
    assert "never enter one that you did not ask for" in story.whispers("ada")


@pytest.mark.slow
async def test_it_is_off_unless_it_is_switched_on(bot: Bot, stage: Stage) -> None:
    world, story = consent_world(stage), Story(stage)
    async with bot(**world.environ, intervals=UNHURRIED):
        id = await waiting(story)
        assert "[Sign in with a code]" not in story.card(id)
        forged = await forged_button(story.workspace, ids.GRANT_WITH_CODE, id)
        await story.workspace.click("ada", ids.GRANT_WITH_CODE, on=forged)
        await story.until(lambda: "is switched off" in story.whispers("ada"))
        assert not story.tenant.calls("POST", "/devicecode")


@pytest.mark.slow
async def test_the_account_must_be_the_approver_s_own(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    await entered(world, story, id, user="grace")
    await story.until(lambda: "APPROVER_IDENTITIES" in story.whispers("ada"))
    assert "[Sign in with a code]" in story.card(id)
    assert not grants(story)
    await entered(world, story, id)
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_texts_from_the_tenant_are_no_links_in_the_answer(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    story.tenant.applications[-1]["tags"].append("<https://evil.example|Sign in again>")
    await entered(world, story, id)
    await story.until(lambda: "more in Entra than was approved" in story.whispers("ada"))
    shown = str(story.workspace.ephemerals("ada")[-1])
    assert "<https://evil" not in shown
    assert "&lt;https://evil.example|Sign in again&gt;" in shown
    assert "Press *Sign in with a code*" in shown
    assert not grants(story)


@pytest.mark.slow
async def test_only_an_approver_whose_approval_counts_gets_a_code(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    await story.workspace.click("grace", "Sign in with a code", on=story.card_of(id))
    await story.until(lambda: "whose approval" in story.whispers("grace"))
    assert not codes(story, "grace")
    assert not story.tenant.calls("POST", "/devicecode")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "words"),
    [({"cancel": True}, "was cancelled"), slow({"blocked": "redemption"}, "Conditional Access")],
    ids=["cancelled", "blocked at the redemption"],
)
async def test_why_it_did_not_come_about_is_said_and_another_code_works(
    world: SigningIn, story: Story, how: dict[str, Any], words: str
) -> None:
    id = await waiting(story)
    await entered(world, story, id, **how)
    await story.until(lambda: words in story.whispers("ada"))
    assert "Press *Sign in with a code*" in str(story.workspace.ephemerals("ada")[-1])
    assert WAITS in story.card(id)
    await entered(world, story, id)
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_a_code_that_is_not_used_expires_and_who_is_blocked_reads_why_on_entra_s_page(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    assert "AADSTS53003" in await entered(world, story, id, blocked="sign-in")
    await story.until(lambda: "code has expired" in story.whispers("ada"))
    # Every five seconds for 15 minutes.
    assert len(story.tenant.calls("POST", "/oauth2/v2.0/token")) < 200
    assert WAITS in story.card(id)
    assert not grants(story)


@pytest.mark.slow
async def test_another_code_takes_the_place_of_the_first(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    page, first = await code_for(story, "ada", id)
    await code_for(story, "ada", id)
    await story.tenant.sign_in_as(world.accounts["ada"], page, user_code=first)
    assert not grants(story)
    await entered(world, story, id)
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_a_code_is_of_no_use_once_the_other_way_has_granted(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    await code_for(story, "ada", id)
    assert (await signed_in(world, story, id)).status == 200
    await story.until(lambda: "does not wait for consent any more" in story.whispers("ada"))


@pytest.mark.slow
async def test_after_a_restart_the_code_is_of_no_use_and_the_button_is_there(
    bot: Bot, stage: Stage, world: SigningIn
) -> None:
    story = Story(stage)
    async with bot(**world.environ, intervals=UNHURRIED):
        id = await waiting(story)
        page, user_code = await code_for(story, "ada", id)
    assert "does not wait for this code any more" in story.whispers("ada")
    async with bot(**world.environ, intervals=UNHURRIED):
        await story.tenant.sign_in_as(world.accounts["ada"], page, user_code=user_code)
        assert "[Sign in with a code]" in story.card(id)
        assert not grants(story)
        await entered(world, story, id)
        await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_an_approver_without_the_role_is_told_which_one_it_takes(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story, by="grace")
    await entered(world, story, id, user="grace", by="grace")
    await story.until(lambda: ROLE in story.whispers("grace"))
    assert WAITS in story.card(id)


@pytest.mark.slow
async def test_the_authentication_context_is_asked_for_and_must_be_met(
    bot: Bot, stage: Stage
) -> None:
    world = consent_world(stage, CONSENT_AUTH_CONTEXT="c1", **ON)
    async with bot(**world.environ, intervals=UNHURRIED):
        story = Story(stage)
        id = await waiting(story)
        await entered(world, story, id)
        await story.until(lambda: "authentication context" in story.whispers("ada"))
        assert not grants(story)
        await entered(world, story, id, acrs=("c1",))
        await story.until(lambda: "with a code, under c1" in story.card(id))


@pytest.mark.slow
async def test_entra_s_pauses_are_kept_and_its_outages_waited_out(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    faults, path = story.tenant.faults, "/oauth2/v2.0/token"
    faults.fail("POST", path, status=503, code="temporarily_unavailable", times=2)
    await entered(world, story, id)
    await story.until(lambda: story.is_announced(id))
    asked = [it.at for it in story.tenant.calls("POST", path) if is_of_a_device(it)]
    assert all(b - a >= timedelta(seconds=5) for a, b in pairwise(asked))


def is_of_a_device(call: Call) -> bool:
    return isinstance(call.body, dict) and "device_code" in call.body


@pytest.mark.slow
async def test_a_consent_client_that_is_not_public_is_named_and_so_by_the_doctor(
    bot: Bot, stage: Stage
) -> None:
    world = consent_world(stage)
    environ = {**world.environ, **ON}
    async with bot(**environ, intervals=UNHURRIED):
        story = Story(stage)
        id = await waiting(story)
        await code_for(story, "ada", id)
        await story.until(lambda: "does not allow public client flows" in story.whispers("ada"))
    found = [it async for it in examine(stage.environ(**environ), stage.clock)]
    told = [str(it) for it in found if "Consent client" in it.sentence]
    assert told[1].startswith(f"{Mark.DOUBT} Consent client: with CONSENT_DEVICE_CODE=yes")
    assert told[2].startswith(f"{Mark.WRONG} Consent client: it does not allow public client")
    stage.tenant.allow(stage.tenant.administrator, "Application.ReadWrite.All")
    async with asking(stage.tenant, stage.tenant.administrator) as admin:
        path = f"/applications(appId='{environ['CONSENT_CLIENT_ID']}')"
        assert (await admin.patch(path, {"isFallbackPublicClient": True})).status_code == 204
    found = [it async for it in examine(stage.environ(**environ), stage.clock)]
    assert len([it for it in found if "Consent client" in it.sentence]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("cloud", [CLOUDS["usgov"], CLOUDS["china"]], ids=["usgov", "china"])
async def test_in_each_cloud(world: SigningIn, story: Story) -> None:
    id = await waiting(story, Profile="Directory reader (any vendor)")
    await entered(world, story, id)
    await story.until(lambda: story.is_announced(id))
