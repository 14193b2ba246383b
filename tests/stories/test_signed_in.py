"""Consent mode `signed-in`: an approver signs in at Entra to grant, in a browser or by a code."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import sqlalchemy as sa

from bot.app import App, Intervals
from bot.doctor.findings import Mark
from bot.domain.lifetimes import DAY
from bot.domain.people import Refusal
from bot.playground.stage import Stage
from bot.playground.tenant.browser import Landing
from bot.playground.tenant.calls import Call
from bot.playground.tenant.consent_client import SCOPES
from bot.playground.tenant.tenant import PORTAL
from bot.server.consent_flow import consent_flow_of
from bot.storage.tables import sign_ins
from graph.clouds import CLOUDS
from handlers.views import ids
from tests.support.database import changed
from tests.support.doctor_cli import findings
from tests.support.forged_clicks import forged_click
from tests.support.graph_caller import asking
from tests.support.limited_consent import set_up_for
from tests.support.running_bot import Bot
from tests.support.signing_in import (
    CALLBACK,
    MODE,
    PUBLIC_URL,
    ROLE,
    SEE,
    Browser,
    Seen,
    SigningIn,
    came_back,
    code_for,
    codes,
    consent_world,
    landed,
    link_for,
    links,
    signed_in,
    waiting,
)
from tests.support.story import Story

pytestmark = pytest.mark.mostly_slow

GRANTING = {"AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All"}
WAITS = "waits for an administrator's consent"
ON = {"CONSENT_DEVICE_CODE": "yes"}
UNHURRIED = Intervals(storage=0.1, consent=3600.0)
"""Only the sign-ins look at the grants."""


def in_worlds(*changes: dict[str, str], ids: Sequence[str]) -> pytest.MarkDecorator:
    """Let the fixture `world` be prepared with each of these changes."""
    return pytest.mark.parametrize("world", changes, ids=ids, indirect=True)


WAYS = ("browser", "code")
in_both_ways, with_codes = in_worlds({}, ON, ids=WAYS), in_worlds(ON, ids=WAYS[1:])


@pytest.fixture
def world(request: pytest.FixtureRequest, stage: Stage) -> SigningIn:
    return consent_world(stage, **getattr(request, "param", {}))


@pytest.fixture
def settings(world: SigningIn) -> dict[str, Any]:
    return {**world.environ, "intervals": UNHURRIED}


def grants(story: Story) -> list[Call]:
    """Return the calls that tried to grant."""
    paths = ("/appRoleAssignedTo", "/oauth2PermissionGrants")
    return [call for path in paths for call in story.tenant.calls("POST", path)]


async def granted(world: SigningIn, story: Story, id: str, *, by: str = "ada", **how: Any) -> str:
    """Sign in with the approver's account as this world allows; return what that is answered."""
    if not world.with_codes:
        page = await signed_in(world, story, id, user=by, by=by, **how)
        assert page.status == 200, page.text
        said = page.text
    else:
        assert await entered(world, story, id, user=by, by=by, **how) == ""
        await story.until(lambda: f"The permissions of {id} are granted" in story.whispers(by))
        said = story.whispers(by)
    await story.until(lambda: story.is_announced(id))
    return said


async def refused(
    world: SigningIn, story: Story, id: str, words: str, *, by: str = "ada", **how: Any
) -> str:
    """Try the same, see that it is refused with these words, and return all that is said."""
    if not world.with_codes:
        page = await signed_in(world, story, id, by=by, **how)
        assert (page.status, words in page.text) == (403, True)
        return page.text
    await entered(world, story, id, by=by, **how)
    await story.until(lambda: words in story.whispers(by))
    return story.workspace.text_of(story.workspace.ephemerals(by)[-1])


async def under_way(world: SigningIn, story: Story) -> tuple[str, Browser, str, Landing]:
    """Let Ada sign in at Entra, without coming back yet; return the id, and what she has."""
    id = await waiting(story)
    browser, link = world.browser(), await link_for(story, "ada", id)
    return id, browser, link, await landed(world, browser, link)


@pytest.mark.quick
@in_both_ways
async def test_from_the_form_to_the_mask(world: SigningIn, story: Story, app: App) -> None:
    id = await waiting(story)
    assert f"The permissions of {id} are granted" in await granted(world, story, id)
    name = world.accounts["ada"]["displayName"] + " with a code" * world.with_codes
    assert f"signed in as {name}; its strength is decided by your" in story.card(id)
    shown = await story.revealed(id)
    assert any(secret in shown for secret in story.tenant.minted)
    await story.workspace.click("rosa", "Mask now", on=story.workspace.ephemerals("rosa")[-1])
    token = await app.services.tenant.tokens.token()
    held = set(jwt.decode(token.access, options={"verify_signature": False})["roles"])
    assert held == {*PORTAL, SEE}
    assert not GRANTING & held
    own = [it for it in story.tenant.log if it.caller_app_id == world.environ["ENTRA_CLIENT_ID"]]
    assert {each.status for each in own} <= {200, 201, 204}
    assert [it.status for it in grants(story)] == [201] * 3
    assert {it.caller_app_id for it in grants(story)} == {world.environ["CONSENT_CLIENT_ID"]}
    await story.workspace.command("ada", f"history {id}")
    assert f"an approver has signed in to grant ({name})" in story.whispers("ada")
    for asked in story.tenant.calls("POST", "/devicecode"):
        assert isinstance(asked.body, dict)
        assert "offline_access" not in asked.body["scope"]
        assert "claims" not in asked.body
    assert len(story.tenant.calls("POST", "/devicecode")) == world.with_codes


async def test_in_http_mode_and_for_application_permissions_alone(bot: Bot, stage: Stage) -> None:
    world, story = consent_world(stage), Story(stage)
    async with bot(**{**world.environ, **world.door.signed(stage)}, intervals=UNHURRIED):
        id = await waiting(story, Profile="Directory reader (any vendor)")
        assert (await signed_in(world, story, id)).status == 200
        await story.until(lambda: story.is_announced(id))
    assert all("appRoleAssignedTo" in call.path for call in grants(story))


async def test_what_is_granted_already_is_left_as_it_is(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    story.tenant.give(str(story.tenant.applications[-1]["appId"]), roles=["User.Read.All"])
    assert (await signed_in(world, story, id)).status == 200
    assert len(grants(story)) == 2
    await story.until(lambda: story.is_announced(id))


async def test_what_takes_too_long_is_given_up_and_another_sign_in_finishes_it(
    world: SigningIn, story: Story, app: App
) -> None:
    id = await waiting(story)
    flow = consent_flow_of(app.services, app.registrar, app.slack.users)
    assert flow is not None
    token = (await link_for(story, "ada", id)).rpartition("/")[2]
    uri, name, cookie = await flow.begin(token, {})
    landing = await story.tenant.sign_in_as(world.accounts["ada"], uri)
    held = story.tenant.faults.hold("POST", "/appRoleAssignedTo", times=9)
    with pytest.raises(Refusal, match="has not granted it within"):
        await replace(flow, grant_seconds=0.5).finish(landing.answer, {name: cookie})
    held.release()
    assert WAITS in story.card(id)
    await granted(world, story, id)


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
@in_both_ways
async def test_the_account_must_be_the_approver_s_own(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    await refused(world, story, id, "APPROVER_IDENTITIES", user="grace")
    assert WAITS in story.card(id)
    assert f"[Sign in {'with a code' if world.with_codes else 'and grant'}]" in story.card(id)
    assert not grants(story)
    await granted(world, story, id)


async def test_a_sign_in_is_used_once(world: SigningIn, story: Story) -> None:
    _, browser, link, landing = await under_way(world, story)
    first, second = await asyncio.gather(came_back(browser, landing), came_back(browser, landing))
    assert sorted((first.status, second.status)) == [200, 403]
    third = await came_back(browser, landing)
    assert "used already" in third.text
    assert "used already" in (await browser.get(link)).text
    assert len(grants(story)) == 3


async def test_it_takes_ten_minutes_at_most(world: SigningIn, story: Story) -> None:
    id, browser, link, landing = await under_way(world, story)
    story.clock.move(timedelta(minutes=10))
    page = await came_back(browser, landing)
    assert (page.status, "has expired" in page.text) == (403, True)
    assert "has expired" in (await browser.get(link)).text
    story.clock.move(timedelta(days=1))
    await link_for(story, "ada", id)
    assert "not known" in (await browser.get(link)).text


async def test_a_second_browser_is_refused_at_no_cost(world: SigningIn, story: Story) -> None:
    (_, browser, link, landing), other = await under_way(world, story), world.browser()
    assert "another browser" in (await other.post(link)).text
    other.cookies = {name: "x" * 43 for name in browser.cookies}
    for each in (world.browser(), other):
        page = await came_back(each, landing)
        assert (page.status, "another browser" in page.text) == (403, True)
    assert not grants(story)
    assert (await came_back(browser, landing)).status == 200


async def test_what_does_not_come_from_a_sign_in_is_refused(world: SigningIn, story: Story) -> None:
    id, browser, link, landing = await under_way(world, story)
    assert landing.form is not None
    assert (await browser.get(CALLBACK)).status == 405
    assert (await browser.post(f"{link[:-1]}-")).status == 403
    assert (await browser.post(CALLBACK, {**landing.form, "state": "other"})).status == 403
    assert (await browser.post(CALLBACK, {"code": "x" * 40_000})).status == 400
    assert (await browser.post(CALLBACK, {**landing.form, "code": "invented"})).status == 403
    assert not grants(story)
    assert WAITS in story.card(id)


@pytest.mark.parametrize(
    ("world", "how", "words"),
    [
        ({}, {"cancel": True}, "was cancelled"),
        (ON, {"cancel": True}, "was cancelled"),
        ({}, {"blocked": "sign-in"}, "Conditional Access"),
        ({}, {"blocked": "redemption"}, "Conditional Access"),
        (ON, {"blocked": "redemption"}, "Conditional Access"),
    ],
    indirect=["world"],
)
async def test_why_nobody_has_signed_in_is_said_and_another_sign_in_works(
    world: SigningIn, story: Story, how: dict[str, Any], words: str
) -> None:
    id = await waiting(story)
    said = await refused(world, story, id, words, **how)
    assert ("Press Sign in with a code" if world.with_codes else "Sign in and grant") in said
    assert "exempt" not in said  # which would be advice on the bot's own sign-in
    assert WAITS in story.card(id)
    await granted(world, story, id)


@pytest.mark.slow
@in_both_ways
async def test_an_approver_without_the_role_is_told_of_it(world: SigningIn, story: Story) -> None:
    id = await waiting(story, by="grace")
    await refused(world, story, id, ROLE, user="grace", by="grace")
    assert WAITS in story.card(id)
    story.tenant.assign_role(world.accounts["grace"], ROLE)
    await granted(world, story, id, by="grace")


async def test_an_approver_with_the_custom_role_grants(world: SigningIn, story: Story) -> None:
    id = await waiting(story, by="grace")
    await set_up_for(story.tenant, world.accounts["grace"]["id"])
    await granted(world, story, id, by="grace")


@pytest.mark.settings(CONSENT_CLIENT_SECRET="wrong")
async def test_a_wrong_secret_of_the_consent_client_is_said(world: SigningIn, story: Story) -> None:
    said = await refused(world, story, await waiting(story), "consent client itself")
    assert "CONSENT_CLIENT_SECRET" in said
    assert "wrong" not in said.replace("it is wrong", "")


async def examined(world: SigningIn, **changes: str) -> list[str]:
    """Return what the doctor says of the consent client."""
    return [
        str(each)
        for each in await findings(world.stage, "Consent client", **{**world.environ, **changes})
    ]


async def change_client(world: SigningIn, **changes: Any) -> None:
    """Change the consent client in Entra."""
    tenant = world.stage.tenant
    tenant.allow(tenant.administrator, "Application.ReadWrite.All")
    async with asking(tenant, tenant.administrator) as admin:
        path = f"/applications(appId='{world.environ['CONSENT_CLIENT_ID']}')"
        assert (await admin.patch(path, changes)).status_code == 204


async def test_the_doctor_looks_at_the_consent_client(stage: Stage, world: SigningIn) -> None:
    [well] = await examined(world)
    assert well.startswith(Mark.WELL)
    [secret] = await examined(world, CONSENT_CLIENT_SECRET="wrong")
    assert secret.startswith(Mark.WRONG)
    [_, redirect, other] = await examined(world, PUBLIC_URL="https://other.example.com")
    assert "lacks the redirect URI https://other.example.com/consent/callback" in redirect
    assert f"must not have the redirect URI {CALLBACK}" in other
    loose = stage.tenant.add_consent_client(CALLBACK)
    stage.tenant.allow(loose, "Mail.Read")
    [_, rights, everybody] = await examined(
        world, CONSENT_CLIENT_ID=loose.client_id, CONSENT_CLIENT_SECRET=loose.client_secret
    )
    assert "Mail.Read" in rights
    assert "everybody" in everybody
    stage.clock.move(timedelta(days=700))
    [_, ends] = await examined(world)
    assert ends.startswith(f"{Mark.DOUBT} Consent client: CONSENT_CLIENT_SECRET ends on")
    elsewhere = "https://elsewhere.example/"
    uris = {name: {"redirectUris": [elsewhere + name]} for name in ("spa", "publicClient")}
    await change_client(world, isFallbackPublicClient=True, **uris)
    [_, *ways, _] = await examined(world)
    assert all(each.startswith(Mark.WRONG) for each in ways)
    for each, words in zip(ways, ("/spa", "/publicClient", "public client flows"), strict=True):
        assert words in each


@in_both_ways
@pytest.mark.parametrize("cloud", [CLOUDS["usgov"], CLOUDS["china"]], ids=["usgov", "china"])
async def test_in_each_cloud(world: SigningIn, story: Story) -> None:
    await granted(world, story, await waiting(story, Profile="Directory reader (any vendor)"))


async def test_what_the_bot_may_not_see_is_not_said_to_be_the_approver_s_fault(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    story.tenant.faults.refuse("GET", "/appRoleAssignments", times=2)
    page = await signed_in(world, story, id)
    assert (page.status, "aad-setup doctor" in page.text) == (403, True)
    assert ROLE not in page.text
    assert not grants(story)


@in_both_ways
async def test_only_an_approver_whose_vote_counts_gets_in(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    button = "Sign in with a code" if world.with_codes else "Sign in and grant"
    await story.workspace.click("grace", button, on=story.card_of(id))
    await story.until(lambda: "whose approval" in story.whispers("grace"))
    assert not [*links(story, "grace"), *codes(story, "grace")]
    assert not story.tenant.calls("POST", "/devicecode")


async def _leaves(story: Story, _: str) -> None:
    story.workspace.people["ada"].deleted = True


async def _revokes(story: Story, id: str) -> None:
    await story.workspace.click("ada", "Revoke", on=story.card_of(id))
    await story.until(lambda: "was revoked" in story.card(id))


async def _loses_her_vote(story: Story, _: str) -> None:
    await changed(story.stage, "UPDATE votes SET void = 'no approver any more'")


@pytest.mark.parametrize(
    ("happens", "words", "shown"),
    [
        (_leaves, "is deactivated", WAITS),
        (_revokes, "{id} was revoked", "was revoked"),
        (_loses_her_vote, "whose approval", WAITS),
    ],
)
async def test_an_approver_who_could_not_approve_it_any_more_grants_nothing(
    world: SigningIn,
    story: Story,
    happens: Callable[[Story, str], Awaitable[None]],
    words: str,
    shown: str,
) -> None:
    id, browser, _, landing = await under_way(world, story)
    await happens(story, id)
    page = await came_back(browser, landing)
    assert (page.status, words.format(id=id) in page.text) == (403, True)
    assert not grants(story)
    assert shown in story.card(id)


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


@pytest.mark.settings(**dict.fromkeys((*MODE, "CONSENT_MODE"), ""))
async def test_in_another_mode_there_is_no_page_or_button(world: SigningIn, story: Story) -> None:
    id = await story.ask()
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.until(lambda: WAITS in story.card(id))
    assert "[Sign in and grant]" not in story.card(id)
    assert (await world.browser().get(f"{PUBLIC_URL}/consent/{'x' * 43}")).status == 404


@pytest.mark.slow
@in_worlds({"CONSENT_AUTH_CONTEXT": "c1"}, {"CONSENT_AUTH_CONTEXT": "c1", **ON}, ids=WAYS)
async def test_the_authentication_context_must_be_met(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    await refused(world, story, id, "authentication context", acrs=())
    assert not grants(story)
    await granted(world, story, id, acrs=("c1",))
    way = " with a code" * world.with_codes
    await story.until(lambda: f"{way}, under c1" in story.card(id))


ODD: tuple[tuple[dict[str, Any], dict[str, Any], str], ...] = (
    ({"nonce": "another"}, {}, "does not belong"),
    ({"tid": "22222222-2222-3333-4444-555555555555"}, {}, "another tenant"),
    ({}, {"id_token": "no token"}, "another form"),
    ({}, {"scope": "Application.Read.All"}, "Missing: AppRoleAssignment.ReadWrite.All"),
)
"""Claims and properties of an answer, and how it is refused: the others are unit tests."""


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


async def test_a_token_that_graph_refuses_grants_nothing(world: SigningIn, story: Story) -> None:
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


async def test_more_than_was_approved_stops_it_at_once(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    story.tenant.give(str(story.tenant.applications[-1]["appId"]), roles=["Mail.Read"])
    page = await signed_in(world, story, id)
    assert (page.status, "more in Entra than was approved" in page.text) == (403, True)
    assert not grants(story)
    await story.until(lambda: "Mail.Read" in story.card(id))


async def test_a_forged_service_principal_gets_nothing(world: SigningIn, story: Story) -> None:
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


async def entered(
    world: SigningIn, story: Story, id: str, *, user: str = "ada", by: str = "ada", **how: Any
) -> str:
    """Get a code and sign in with it. Return what Entra's own page says, if it refuses that."""
    page, user_code = await code_for(story, by, id)
    account = world.accounts[user]
    landing = await story.tenant.sign_in_as(account, page, user_code=user_code, **how)
    return landing.error or ""


@with_codes
async def test_a_code_is_for_its_approver_and_in_no_text(world: SigningIn, story: Story) -> None:
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


async def test_codes_are_off_unless_they_are_switched_on(story: Story) -> None:
    id = await waiting(story)
    assert "[Sign in with a code]" not in story.card(id)
    said = await forged_click(story, "ada", ids.GRANT_WITH_CODE, id)
    assert "is switched off" in said
    assert not story.tenant.calls("POST", "/devicecode")


@with_codes
async def test_texts_of_the_tenant_are_no_links_in_answers(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    story.tenant.applications[-1]["tags"].append("<https://evil.example|Sign in again>")
    await entered(world, story, id)
    await story.until(lambda: "more in Entra than was approved" in story.whispers("ada"))
    shown = str(story.workspace.ephemerals("ada")[-1])
    assert "<https://evil" not in shown
    assert "&lt;https://evil.example|Sign in again&gt;" in shown
    assert "Press *Sign in with a code*" in shown
    assert not grants(story)


@with_codes
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


@with_codes
async def test_another_code_takes_the_place_of_the_first(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    page, first = await code_for(story, "ada", id)
    await code_for(story, "ada", id)
    await story.tenant.sign_in_as(world.accounts["ada"], page, user_code=first)
    assert not grants(story)
    await granted(world, story, id)


@with_codes
async def test_a_code_is_of_no_use_once_it_is_granted(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    await code_for(story, "ada", id)
    assert (await signed_in(world, story, id)).status == 200
    await story.until(lambda: "does not wait for consent any more" in story.whispers("ada"))


@with_codes
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


@with_codes
async def test_entra_s_pauses_are_kept_outages_waited_out(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    faults, path = story.tenant.faults, "/oauth2/v2.0/token"
    faults.fail("POST", path, status=503, code="temporarily_unavailable", times=2)
    await granted(world, story, id)
    asked = [it.at for it in story.tenant.calls("POST", path) if is_of_a_device(it)]
    assert all(b - a >= timedelta(seconds=5) for a, b in pairwise(asked))


def is_of_a_device(call: Call) -> bool:
    return isinstance(call.body, dict) and "device_code" in call.body


@pytest.mark.settings(**ON)
async def test_a_consent_client_that_is_not_public_is_named_and_so_by_the_doctor(
    world: SigningIn, story: Story
) -> None:
    await code_for(story, "ada", await waiting(story))
    await story.until(lambda: "does not allow public client flows" in story.whispers("ada"))
    _, doubt, wrong = await examined(world, **ON)
    assert doubt.startswith(f"{Mark.DOUBT} Consent client: with CONSENT_DEVICE_CODE=yes")
    assert wrong.startswith(f"{Mark.WRONG} Consent client: it does not allow public client")
    await change_client(world, isFallbackPublicClient=True)
    assert len(await examined(world, **ON)) == 2


COOKIE = {"__Host-aad-setup-x": "1"}
"""Lets an answer pass as one of a browser that has begun a sign-in."""


async def test_of_a_part_that_was_granted_the_pages_say_so(world: SigningIn, story: Story) -> None:
    id = await waiting(story)
    story.tenant.faults.refuse("POST", "/oauth2PermissionGrants", times=1)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    partial = await came_back(browser, landing)
    again = await came_back(browser, landing)
    for page in (partial, again, await browser.get(link)):
        assert (page.status, "Nothing was granted" in page.text) == (403, False)
    for page in (partial, again):
        assert "Check the card" in page.text
    assert (await signed_in(world, story, id)).status == 200


@pytest.mark.parametrize(
    ("header", "body"),
    [("Transfer-Encoding: chunked", b"no length\r\n"), ("Content-Length: 100", b"state=")],
    ids=["badly chunked", "cut off"],
)
async def test_a_body_that_cannot_be_read_is_no_bug(
    world: SigningIn,
    app: App,
    capsys: pytest.CaptureFixture[str],
    header: str,
    body: bytes,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    head = f"POST /consent/callback HTTP/1.1\r\nHost: a\r\nCookie: {next(iter(COOKIE))}=1\r\n"
    kind = f"Content-Type: application/x-www-form-urlencoded\r\n{header}\r\n\r\n"
    writer.write((head + kind).encode())
    assert (await world.browser().get(CALLBACK)).status == 405  # by now the body is awaited
    writer.write(body)
    writer.write_eof()
    await reader.read()
    writer.close()
    assert (await world.browser().get(CALLBACK)).status == 405
    assert "bug" not in "".join(capsys.readouterr())


async def test_an_answer_to_no_sign_in_waits_for_no_writer(world: SigningIn, app: App) -> None:
    browser = world.browser()
    browser.cookies = dict(COOKIE)
    async with app.services.database.transaction(), asyncio.timeout(5):
        page = await browser.post(CALLBACK, {"state": "invented", "code": "invented"})
    assert (page.status, "not known" in page.text) == (403, True)


async def test_of_a_sign_in_that_was_given_up_nothing_sealed_is_kept(
    world: SigningIn, story: Story, app: App
) -> None:
    await world.browser().press(await link_for(story, "ada", await waiting(story)))

    async def flows() -> list[bytes | None]:
        async with app.services.database.reading() as tx:
            return list(await tx.scalars(sa.select(sign_ins.c.flow)))

    [begun] = await flows()
    assert begun
    story.clock.move(DAY)
    await app.scheduler.look()
    assert await flows() == [None]
