"""Consent mode `signed-in`: an approver signs in at Entra, and their own rights grant."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from bot.app import App
from bot.doctor import examine
from bot.doctor.findings import Mark
from bot.domain.people import Refusal
from bot.playground.stage import Stage
from bot.playground.tenant.calls import Call
from bot.playground.tenant.consent_client import SCOPES
from bot.playground.tenant.tenant import PORTAL
from bot.server.consent_flow import consent_flow_of
from graph.clouds import CLOUDS
from tests.support.database import changed
from tests.support.graph_caller import asking
from tests.support.limited_consent import set_up_for
from tests.support.marks import slow
from tests.support.running_bot import Bot
from tests.support.signing_in import (
    CALLBACK,
    MODE,
    PUBLIC_URL,
    ROLE,
    SEE,
    Seen,
    SigningIn,
    came_back,
    consent_world,
    landed,
    link_for,
    links,
    signed_in,
    waiting,
)
from tests.support.signing_in_fixtures import UNHURRIED, running, story, world
from tests.support.story import Story

__all__ = ["running", "story", "world"]

GRANTING = {"AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"}
WAITS = "waits for an administrator's consent"


def grants(story: Story) -> list[Call]:
    """Return the calls that tried to grant."""
    paths = ("/appRoleAssignedTo", "/oauth2PermissionGrants")
    return [call for path in paths for call in story.tenant.calls("POST", path)]


async def test_from_the_form_to_the_mask(
    world: SigningIn, story: Story, running: App, stage: Stage
) -> None:
    id = await waiting(story)
    page = await signed_in(world, story, id)
    assert (page.status, f"The permissions of {id} are granted" in page.text) == (200, True)
    await story.until(lambda: story.is_announced(id))
    name = world.accounts["ada"]["displayName"]
    assert f"signed in as {name}; its strength is decided by your Conditional" in story.card(id)
    shown = await story.revealed(id)
    assert any(secret in shown for secret in story.tenant.minted)
    await story.workspace.click("rosa", "Mask now", on=story.workspace.ephemerals("rosa")[-1])
    token = await running.services.tenant.tokens.token()
    held = set(jwt.decode(token.access, options={"verify_signature": False})["roles"])
    assert held == {*PORTAL, SEE}
    assert not GRANTING & held
    own = [it for it in story.tenant.log if it.caller_app_id == world.environ["ENTRA_CLIENT_ID"]]
    assert {each.status for each in own} <= {200, 201, 204}
    assert len(grants(story)) == 3
    assert {it.caller_app_id for it in grants(story)} == {world.environ["CONSENT_CLIENT_ID"]}
    await story.workspace.command("ada", f"history {id}")
    assert f"an approver has signed in to grant ({name})" in story.whispers("ada")


@pytest.mark.slow
async def test_in_http_mode_and_for_application_permissions_alone(bot: Bot, stage: Stage) -> None:
    world, story = consent_world(stage), Story(stage)
    async with bot(**{**world.environ, **world.door.signed(stage)}, intervals=UNHURRIED):
        id = await waiting(story, Profile="Directory reader (any vendor)")
        assert (await signed_in(world, story, id)).status == 200
        await story.until(lambda: story.is_announced(id))
    assert all("appRoleAssignedTo" in call.path for call in grants(story))


@pytest.mark.slow
async def test_what_is_granted_already_is_left_as_it_is(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    story.tenant.give(str(story.tenant.applications[-1]["appId"]), roles=["User.Read.All"])
    assert (await signed_in(world, story, id)).status == 200
    assert len(grants(story)) == 2
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_what_takes_too_long_is_given_up_and_another_sign_in_finishes_it(
    world: SigningIn, story: Story, running: App
) -> None:
    id = await waiting(story)
    flow = consent_flow_of(running.services, running.registrar, running.slack.users)
    assert flow is not None
    token = (await link_for(story, "ada", id)).rpartition("/")[2]
    uri, name, cookie = await flow.begin(token, {})
    landing = await story.tenant.sign_in_as(world.accounts["ada"], uri)
    held = story.tenant.faults.hold("POST", "/appRoleAssignedTo", times=9)
    with pytest.raises(Refusal, match="has not granted it within"):
        await replace(flow, grant_seconds=0.5).finish(landing.answer, {name: cookie})
    held.release()
    assert WAITS in story.card(id)
    assert (await signed_in(world, story, id)).status == 200
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_the_page_says_what_is_granted_and_looking_at_it_changes_nothing(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    link = await link_for(story, "ada", id)
    assert link not in "".join(it["text"] for it in story.workspace.ephemerals("ada"))
    for _ in range(3):  # previews
        page = await world.browser().get(link)
        assert page.status == 200
        assert not page.headers.get("Set-Cookie")
    for words in (id, "billing", "Directory.Read.All", story.tenant.name):
        assert words in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text
    browser = world.browser()
    uri = await browser.press(link)
    assert browser.cookie_header.startswith("__Host-")  # bound to this host, and to no script
    for attribute in ("HttpOnly", "Secure", "SameSite=None", "Path=/", "Max-Age=600"):
        assert attribute in browser.cookie_header
    asked = {name: values[0] for name, values in parse_qs(urlsplit(uri).query).items()}
    assert asked["prompt"] == "select_account"  # else a sign-in could come about unseen
    assert asked["response_mode"] == "form_post"
    assert asked["code_challenge_method"] == "S256"
    assert "offline_access" not in asked["scope"]
    assert "login_hint" not in asked
    landing = await story.tenant.sign_in_as(world.accounts["ada"], uri)
    assert (await came_back(browser, landing)).status == 200


@pytest.mark.slow
async def test_the_account_must_be_the_approver_s_own(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    page = await signed_in(world, story, id, user="grace")
    assert (page.status, "APPROVER_IDENTITIES" in page.text) == (403, True)
    assert WAITS in story.card(id)
    assert not grants(story)
    assert (await signed_in(world, story, id)).status == 200


@pytest.mark.slow
async def test_a_sign_in_is_used_once(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    first, second = await asyncio.gather(came_back(browser, landing), came_back(browser, landing))
    assert sorted((first.status, second.status)) == [200, 403]
    third = await came_back(browser, landing)
    assert "used already" in third.text
    assert "used already" in (await browser.get(link)).text
    assert len(grants(story)) == 3


@pytest.mark.slow
async def test_it_takes_ten_minutes_at_most(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    story.clock.move(timedelta(minutes=10))
    page = await came_back(browser, landing)
    assert (page.status, "has expired" in page.text) == (403, True)
    assert "has expired" in (await browser.get(link)).text
    story.clock.move(timedelta(days=1))
    await link_for(story, "ada", id)
    assert "not known" in (await browser.get(link)).text


@pytest.mark.slow
async def test_a_second_browser_is_refused_and_cannot_use_it_up(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    browser, other, link = world.browser(), world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    assert "another browser" in (await other.post(link)).text
    other.cookies = {name: "x" * 43 for name in browser.cookies}
    for each in (world.browser(), other):
        page = await came_back(each, landing)
        assert (page.status, "another browser" in page.text) == (403, True)
    assert not grants(story)
    assert (await came_back(browser, landing)).status == 200


@pytest.mark.slow
async def test_what_does_not_come_from_a_sign_in_is_refused(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    assert landing.form is not None
    assert (await browser.get(CALLBACK)).status == 405
    assert (await browser.post(f"{link[:-1]}-")).status == 403
    assert (await browser.post(CALLBACK, {**landing.form, "state": "other"})).status == 403
    assert (await browser.post(CALLBACK, {"code": "x" * 40_000})).status == 400
    assert (await browser.post(CALLBACK, {**landing.form, "code": "invented"})).status == 403
    assert not grants(story)
    assert WAITS in story.card(id)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"cancel": True}, "was cancelled"),
        slow({"blocked": "sign-in"}, "Conditional Access"),
        slow({"blocked": "redemption"}, "Conditional Access"),
    ],
    ids=["cancelled", "blocked at the sign-in", "blocked at the redemption"],
)
async def test_why_nobody_has_signed_in_is_said_and_another_sign_in_works(
    world: SigningIn, story: Story, how: dict[str, Any], words: str
) -> None:
    id = await waiting(story)
    page = await signed_in(world, story, id, **how)
    assert (page.status, words in page.text) == (403, True)
    assert "Sign in and grant" in page.text
    assert "exempt" not in page.text  # which would be advice on the bot's own sign-in
    assert WAITS in story.card(id)
    assert (await signed_in(world, story, id)).status == 200


@pytest.mark.slow
async def test_an_approver_without_the_role_is_told_which_one_it_takes(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story, by="grace")
    page = await signed_in(world, story, id, user="grace", by="grace")
    assert (page.status, ROLE in page.text) == (403, True)
    assert WAITS in story.card(id)
    story.tenant.assign_role(world.accounts["grace"], ROLE)
    assert (await signed_in(world, story, id, user="grace", by="grace")).status == 200
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_an_approver_with_the_custom_role_grants(world: SigningIn, story: Story) -> None:
    id = await waiting(story, by="grace")
    await set_up_for(story.tenant, world.accounts["grace"]["id"])
    assert (await signed_in(world, story, id, user="grace", by="grace")).status == 200
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_a_wrong_secret_of_the_consent_client_is_named(
    bot: Bot, stage: Stage, world: SigningIn
) -> None:
    async with bot(**{**world.environ, "CONSENT_CLIENT_SECRET": "wrong"}, intervals=UNHURRIED):
        story = Story(stage)
        page = await signed_in(world, story, await waiting(story))
        assert (page.status, "consent client itself" in page.text) == (403, True)
        assert "CONSENT_CLIENT_SECRET" in page.text
        assert "wrong" not in page.text.replace("it is wrong", "")


@pytest.mark.slow
async def test_the_doctor_looks_at_the_consent_client(stage: Stage, world: SigningIn) -> None:
    async def told(**changes: str) -> list[str]:
        environ = stage.environ(**{**world.environ, **changes})
        found = [it async for it in examine(environ, stage.clock)]
        return [str(each) for each in found if "Consent client" in each.sentence]

    [well] = await told()
    assert well.startswith(Mark.WELL)
    [secret] = await told(CONSENT_CLIENT_SECRET="wrong")
    assert secret.startswith(Mark.WRONG)
    [_, redirect, other] = await told(PUBLIC_URL="https://other.example.com")
    assert "lacks the redirect URI https://other.example.com/consent/callback" in redirect
    assert f"must not have the redirect URI {CALLBACK}" in other
    loose = stage.tenant.add_consent_client(CALLBACK)
    stage.tenant.allow(loose, "Mail.Read")
    [_, rights, everybody] = await told(
        CONSENT_CLIENT_ID=loose.client_id, CONSENT_CLIENT_SECRET=loose.client_secret
    )
    assert "Mail.Read" in rights
    assert "everybody" in everybody
    stage.clock.move(timedelta(days=700))
    [_, ends] = await told()
    assert ends.startswith(f"{Mark.DOUBT} Consent client: CONSENT_CLIENT_SECRET ends on")
    elsewhere = "https://elsewhere.example/"
    changes = {
        "isFallbackPublicClient": True,
        **{name: {"redirectUris": [elsewhere + name]} for name in ("spa", "publicClient")},
    }
    stage.tenant.allow(stage.tenant.administrator, "Application.ReadWrite.All")
    async with asking(stage.tenant, stage.tenant.administrator) as admin:
        path = f"/applications(appId='{world.environ['CONSENT_CLIENT_ID']}')"
        assert (await admin.patch(path, changes)).status_code == 204
    [_, *ways, _] = await told()
    assert all(each.startswith(Mark.WRONG) for each in ways)
    for each, words in zip(ways, ("/spa", "/publicClient", "public client flows"), strict=True):
        assert words in each


@pytest.mark.slow
@pytest.mark.parametrize("cloud", [CLOUDS["usgov"], CLOUDS["china"]], ids=["usgov", "china"])
async def test_in_each_cloud(world: SigningIn, story: Story) -> None:
    id = await waiting(story, Profile="Directory reader (any vendor)")
    assert (await signed_in(world, story, id)).status == 200
    await story.until(lambda: story.is_announced(id))


@pytest.mark.slow
async def test_what_the_bot_may_not_see_is_not_said_to_be_the_approver_s_fault(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    story.tenant.faults.refuse("GET", "/appRoleAssignments", times=2)
    page = await signed_in(world, story, id)
    assert (page.status, "aad-setup doctor" in page.text) == (403, True)
    assert ROLE not in page.text
    assert not grants(story)


@pytest.mark.slow
async def test_only_an_approver_whose_approval_counts_gets_a_link(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    await story.workspace.click("grace", "Sign in and grant", on=story.card_of(id))
    await story.until(lambda: "whose approval" in story.whispers("grace"))
    assert links(story, "grace") == []


@pytest.mark.slow
async def test_an_approver_without_an_account_gets_no_link(
    bot: Bot, stage: Stage, world: SigningIn
) -> None:
    people, accounts = stage.workspace.people, world.accounts
    identities = f"{people['grace'].id}={accounts['grace']['id']}"
    async with bot(**{**world.environ, "APPROVER_IDENTITIES": identities}):
        story = Story(stage)
        id = await waiting(story)
        await story.workspace.click("ada", "Sign in and grant", on=story.card_of(id))
        await story.until(lambda: "No Entra account" in story.whispers("ada"))
        assert links(story, "ada") == []


@pytest.mark.slow
async def test_an_approver_who_left_meanwhile_grants_nothing(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    story.workspace.people["ada"].deleted = True
    page = await came_back(browser, landing)
    assert (page.status, "is deactivated" in page.text) == (403, True)
    assert not grants(story)
    assert WAITS in story.card(id)


@pytest.mark.slow
async def test_a_registration_that_was_revoked_meanwhile_is_not_granted(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    await story.workspace.click("ada", "Revoke", on=story.card_of(id))
    await story.until(lambda: "was revoked" in story.card(id))
    page = await came_back(browser, landing)
    assert (page.status, f"{id} was revoked" in page.text) == (403, True)
    assert not grants(story)


@pytest.mark.slow
async def test_an_approval_that_was_voided_meanwhile_grants_nothing(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    await changed(story.stage, "UPDATE votes SET void = 'no approver any more'")
    page = await came_back(browser, landing)
    assert (page.status, "whose approval" in page.text) == (403, True)
    assert not grants(story)
    assert WAITS in story.card(id)


@pytest.mark.slow
async def test_after_a_restart_a_sign_in_goes_on_unless_its_approver_is_none_any_more(
    bot: Bot, stage: Stage, world: SigningIn
) -> None:
    story, browser = Story(stage), world.browser()
    async with bot(**world.environ, intervals=UNHURRIED):
        id = await waiting(story)
        links = [await link_for(story, "ada", id) for _ in range(2)]
        landings = [await landed(world, browser, link) for link in links]
    grace = stage.workspace.people["grace"].id
    async with bot(**world.environ, APPROVERS=grace, intervals=UNHURRIED):
        page = await came_back(browser, landings[0])
        assert (page.status, "Only an approver" in page.text) == (403, True)
        assert not grants(story)
    async with bot(**world.environ, intervals=UNHURRIED):
        assert (await came_back(browser, landings[1])).status == 200


@pytest.mark.slow
async def test_in_another_mode_there_are_no_pages_and_no_button(
    bot: Bot, stage: Stage, world: SigningIn
) -> None:
    without = dict.fromkeys((*MODE, "CONSENT_MODE"), "")
    async with bot(**{**world.environ, **without}):
        story = Story(stage)
        id = await story.ask()
        await story.workspace.click("ada", "Approve", on=story.card_of(id))
        await story.until(lambda: WAITS in story.card(id))
        assert "[Sign in and grant]" not in story.card(id)
        assert (await world.browser().get(f"{PUBLIC_URL}/consent/{'x' * 43}")).status == 404


@pytest.mark.slow
async def test_the_authentication_context_is_asked_for_and_must_be_met(
    bot: Bot, stage: Stage
) -> None:
    world = consent_world(stage, CONSENT_AUTH_CONTEXT="c1")
    async with bot(**world.environ, intervals=UNHURRIED):
        story = Story(stage)
        id = await waiting(story)
        page = await signed_in(world, story, id, acrs=())
        assert (page.status, "authentication context" in page.text) == (403, True)
        assert not grants(story)
        assert (await signed_in(world, story, id, acrs=("c1",))).status == 200
        await story.until(lambda: ", under c1" in story.card(id))


ODD: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    ({"nonce": "another"}, {}, "does not belong"),
    ({"tid": "22222222-2222-3333-4444-555555555555"}, {}, "another tenant"),
    ({}, {"id_token": "no token"}, "another form"),
    ({}, {"scope": "Application.Read.All"}, "Missing: AppRoleAssignment.ReadWrite.All"),
)
"""Claims and properties of an answer, and how it is refused: the others are unit tests."""


@pytest.mark.slow
async def test_an_answer_of_the_token_endpoint_that_says_anything_else_is_not_believed(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    for changes, body, words in ODD:
        page = await answered_with(world, story, id, changes, **body)
        assert (page.status, words in page.text) == (403, True), (changes, body)
        assert not grants(story)
        assert WAITS in story.card(id)
    assert (await signed_in(world, story, id)).status == 200


@pytest.mark.slow
async def test_a_token_that_graph_does_not_take_grants_nothing(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    page = await answered_with(world, story, id, {})
    assert (page.status, "no longer accepts the token" in page.text) == (403, True)
    assert {call.status for call in grants(story)} == {401}
    assert WAITS in story.card(id)


async def answered_with(
    world: SigningIn, story: Story, id: str, claims: dict[str, Any], **body: Any
) -> Seen:
    """Sign in where the token endpoint answers with these claims and properties instead."""
    browser = world.browser()
    uri = await browser.press(await link_for(story, "ada", id))
    landing = await world.stage.tenant.sign_in_as(world.accounts["ada"], uri)
    said = {
        "aud": world.environ["CONSENT_CLIENT_ID"],
        "tid": story.tenant.id,
        "oid": world.accounts["ada"]["id"],
        "sub": "pairwise",
        "iss": f"{world.stage.tenant.authority}/v2.0",
        "nonce": parse_qs(urlsplit(uri).query)["nonce"][0],
        **claims,
    }
    answer = {
        "token_type": "Bearer",
        "expires_in": 3599,
        "scope": " ".join(f"https://graph.microsoft.com/{scope}" for scope in SCOPES),
        "access_token": "opaque",
        "id_token": jwt.encode(said, "k" * 32),
        **body,
    }
    story.tenant.faults.answer("POST", "/oauth2/v2.0/token", answer)
    return await came_back(browser, landing)


@pytest.mark.slow
async def test_two_sign_ins_at_once_grant_once(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    ways = []
    for _ in range(2):
        browser, link = world.browser(), await link_for(story, "ada", id)
        ways.append((browser, await landed(world, browser, link)))
    pages = await asyncio.gather(*(came_back(*way) for way in ways))
    assert 200 in [page.status for page in pages]
    await story.until(lambda: story.is_announced(id))
    [principal] = story.tenant.service_principals
    made = [it for it in story.tenant.assignments if it["principalId"] == principal["id"]]
    assert len(made) == len({it["appRoleId"] for it in made}) == 2
    assert [it["clientId"] for it in story.tenant.grants].count(principal["id"]) == 1


@pytest.mark.slow
async def test_more_than_was_approved_stops_it_before_anything_is_granted(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    story.tenant.give(str(story.tenant.applications[-1]["appId"]), roles=["Mail.Read"])
    page = await signed_in(world, story, id)
    assert (page.status, "more in Entra than was approved" in page.text) == (403, True)
    assert not grants(story)
    await story.until(lambda: "Mail.Read" in story.card(id))


@pytest.mark.slow
async def test_a_forged_service_principal_is_granted_nothing(
    world: SigningIn, story: Story
) -> None:
    """Whoever can change the bot's database gets no grant for an application of their own."""
    id = await waiting(story)
    story.tenant.add_administrator(["User.Read.All"])
    theirs = story.tenant.assignments[-1]["principalId"]
    ours = story.tenant.service_principals[-1]["id"]
    forge = "UPDATE steps SET facts = replace(facts, ?, ?) WHERE name = 'service_principal'"
    await changed(story.stage, forge, ours, theirs)
    page = await signed_in(world, story, id)
    assert (page.status, "was changed" in page.text) == (403, True)
    assert not grants(story)
