"""An approver's browser, and a bot in consent mode `signed-in`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.playground.stage import Stage
from bot.playground.tenant.browser import Landing
from bot.playground.tenant.tenant import PORTAL
from tests.support.http_endpoint import HttpEndpoint
from tests.support.settings_env import signing_in_as
from tests.support.story import Story

PUBLIC_URL = "https://bot.example.com"
CALLBACK = f"{PUBLIC_URL}/consent/callback"
SEE = "DelegatedPermissionGrant.Read.All"
ROLE = "Privileged Role Administrator"
MODE = (
    *("PUBLIC_URL", "APPROVER_IDENTITIES"),
    *("CONSENT_CLIENT_ID", "CONSENT_CLIENT_SECRET", "CONSENT_AUTH_CONTEXT", "CONSENT_DEVICE_CODE"),
)
"""The settings of this mode alone."""


@dataclass(kw_only=True)
class Seen:
    """A page, as a browser gets it."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(kw_only=True, eq=False)
class Browser:
    """Sends requests to the bot's port as they would come through the proxy, and keeps cookies."""

    door: HttpEndpoint
    cookies: dict[str, str] = field(default_factory=dict)
    cookie_header: str = ""
    """The last `Set-Cookie`."""

    async def get(self, url: str) -> Seen:
        return await self._send("GET", url)

    async def post(self, url: str, form: Mapping[str, str] | None = None, **more: Any) -> Seen:
        return await self._send("POST", url, data=dict(form or {}), **more)

    async def press(self, link: str) -> str:
        """Press the button of the page behind a link, and return where that leads."""
        seen = await self.post(link)
        assert seen.status == 303, seen.text
        return seen.headers["Location"]

    async def _send(self, method: str, url: str, **request: Any) -> Seen:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(
                method,
                self.door.url + urlsplit(url).path,
                headers={"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())},
                allow_redirects=False,
                **request,
            ) as answer,
        ):
            self.cookie_header = answer.headers.get("Set-Cookie", "")
            for name, morsel in SimpleCookie(self.cookie_header).items():
                self.cookies[name] = morsel.value
            text, headers = await answer.text(), answer.headers
        return Seen(status=answer.status, text=text, headers=headers)


@dataclass(frozen=True, kw_only=True)
class SigningIn:
    """A tenant with a consent client, and the people of the workspace among its users."""

    stage: Stage
    door: HttpEndpoint
    environ: Mapping[str, str]
    accounts: Mapping[str, Mapping[str, Any]]
    """The user in Entra of each approver, by the name in the workspace."""

    @property
    def mode(self) -> dict[str, str]:
        """The settings of this mode alone, for a bot that signs in otherwise."""
        return {name: text for name, text in self.environ.items() if not name.startswith("ENTRA_")}

    @property
    def with_codes(self) -> bool:
        return self.environ.get("CONSENT_DEVICE_CODE") == "yes"

    def browser(self) -> Browser:
        return Browser(door=self.door)


def consent_world(stage: Stage, **changes: str) -> SigningIn:
    """Prepare the tenant. Ada has the role that it takes; Grace has none."""
    tenant, people, door = stage.tenant, stage.workspace.people, HttpEndpoint()
    users: Iterator[Any] = iter(tenant.people.users)
    accounts = {name: next(users) for name in ("ada", "grace")}
    tenant.assign_role(accounts["ada"], ROLE)
    with_codes = changes.get("CONSENT_DEVICE_CODE") == "yes"
    client = tenant.add_consent_client(
        CALLBACK, assigned=accounts.values(), public_flows=with_codes
    )
    bot = tenant.add_administrator((*PORTAL, SEE))
    identities = ",".join(f"{people[name].id}={user['id']}" for name, user in accounts.items())
    environ = {
        **door.watched(),
        **signing_in_as(bot, consent_mode="signed-in"),
        "PUBLIC_URL": PUBLIC_URL,
        "APPROVER_IDENTITIES": identities,
        "CONSENT_CLIENT_ID": client.client_id,
        "CONSENT_CLIENT_SECRET": client.client_secret,
        **changes,
    }
    return SigningIn(stage=stage, door=door, environ=environ, accounts=accounts)


async def landed(
    world: SigningIn, browser: Browser, link: str, *, user: str = "ada", **how: Any
) -> Landing:
    """Open the link, press its button, and sign in at Entra."""
    page = await browser.get(link)
    assert page.status == 200, page.text
    uri = await browser.press(link)
    return await world.stage.tenant.sign_in_as(world.accounts[user], uri, **how)


async def came_back(browser: Browser, landing: Landing) -> Seen:
    assert landing.url == CALLBACK, landing.error
    assert landing.form is not None
    return await browser.post(landing.url, landing.form)


async def signed_in(
    world: SigningIn, story: Story, id: str, *, user: str = "ada", by: str = "ada", **how: Any
) -> Seen:
    """Go the whole way in a new browser, and return the last page."""
    browser, link = world.browser(), await link_for(story, by, id)
    return await came_back(browser, await landed(world, browser, link, user=user, **how))


async def waiting(story: Story, *, by: str = "ada", **values: Any) -> str:
    """Ask and approve; return the id once it waits for consent."""
    id = await story.ask(**values)
    await story.workspace.click(by, "Approve", on=story.card_of(id))
    await story.until(lambda: "[Sign in and grant]" in story.card(id))
    return id


async def code_for(story: Story, person: str, id: str) -> tuple[str, str]:
    """Press *Sign in with a code*, and return the page and the code that only this person sees."""
    before = len(codes(story, person))
    await story.workspace.click(person, "Sign in with a code", on=story.card_of(id))
    await story.until(lambda: len(codes(story, person)) > before)
    return codes(story, person)[-1]


def codes(story: Story, person: str) -> list[tuple[str, str]]:
    shown = str(story.workspace.ephemerals(person))
    return re.findall(r"open <(https://[^>]+)> and enter `([A-Z0-9]+)`", shown)


async def link_for(story: Story, person: str, id: str) -> str:
    """Press *Sign in and grant*, and return the link that only this person sees."""
    before = len(links(story, person))
    await story.workspace.click(person, "Sign in and grant", on=story.card_of(id))
    await story.until(lambda: len(links(story, person)) > before)
    return links(story, person)[-1]


def links(story: Story, person: str) -> list[str]:
    shown = str(story.workspace.ephemerals(person))
    return re.findall(rf"<({re.escape(PUBLIC_URL)}/consent/[^|]+)\|", shown)
