"""One registration by way of the page: three windows, the tenant and the vendor."""

import json
from datetime import timedelta

import pytest

from bot.playground import vendor
from bot.playground.page.bot_process import Status
from bot.playground.page.running import Page
from handlers.views import ids
from tests.support.page_story import FORM, People, people
from tests.support.page_window import window

pytestmark = pytest.mark.slow


async def test_from_the_form_to_the_vendors_sync(running_page: Page) -> None:
    async with people(running_page.url) as them:
        await them.ask()
        await them.approve()
        [application] = await them.rosa.until(lambda: them.rosa.of("application/"))
        assert application["displayName"] == FORM[ids.NAME]
        assert not them.rosa.of("assignment/")
        await them.consent()
        await them.rosa.until(lambda: len(them.rosa.of("assignment/")) == 2)
        await them.reveal()
        secret = handed_over(running_page)
        assert them.rosa.says(secret)
        await sync(them, application["appId"], secret)
        await masked(them, secret)
        nothing_leaked(running_page, them)


def handed_over(page: Page) -> str:
    """Return the secret of the application that the bot made."""
    ours = page.environ["ENTRA_CLIENT_SECRET"], page.stage.tenant.administrator.client_secret
    [secret] = set(page.stage.tenant.minted) - set(ours)
    return secret


async def sync(them: People, client_id: str, secret: str) -> None:
    """Paste the values into the vendor's form; it reads what the tenant holds."""
    tenant = them.rosa.shown["tenant"]
    values = {
        vendor.DESCRIPTION: "Northwind",
        vendor.TYPE: vendor.OFFICE_365,
        vendor.APPLICATION_ID: client_id,
        vendor.KEY: secret,
        vendor.TENANT_DOMAIN: tenant["domain"],
        vendor.ACKNOWLEDGE: vendor.NO,
    }
    assert (await them.rosa.ask("vendor/sync")).status == 409
    wrong = await them.rosa.ask("vendor/save", {**values, vendor.KEY: ""})
    assert (wrong.status, wrong.error) == (409, "Key is missing.")
    assert (await them.rosa.ask("vendor/save", values)).status == 200
    synced = await them.rosa.ask("vendor/sync")
    result = synced.body["result"]["result"]
    assert (result["users"], result["groups"]) == (tenant["users"], tenant["groups"]), result
    await them.ada.until(lambda: (them.ada.shown["vendor"]["result"] or {}).get("ok"))
    await them.ada.until(lambda: "vendor" in {call["by"] for call in them.ada.of("call/")})


async def masked(them: People, secret: str) -> None:
    """Let a minute pass: the secret is gone from the window, and so it is after a reload."""
    await them.rosa.ask("clock", {"seconds": 61})
    await them.rosa.until(lambda: not them.rosa.says(secret))
    async with window(them.rosa.url, "rosa") as again:
        assert not again.says(secret)


def nothing_leaked(page: Page, them: People) -> None:
    """No secret was sent, but one: while the bot showed it to Rosa, to her window."""
    workspace, minted = page.stage.workspace, page.stage.tenant.minted
    secrets = {workspace.bot_token, workspace.app_token, workspace.signing_secret, *minted}
    secrets |= {page.environ["ENTRA_CLIENT_SECRET"], page.environ["VAULT_KEYS"]}
    for it in them.all:
        for secret in secrets:
            assert not any(secret in answer for answer in it.answers)
            found = [event for event in it.events if secret in event]
            assert not found or (it is them.rosa and secret in minted)
            assert all(keys_with(event, secret) == {"only for you"} for event in found)


def keys_with(event: str, secret: str) -> set[str]:
    """Return the sort of value in which an event holds a secret."""
    values = json.loads(event)["set"].items()
    return {
        "only for you" if isinstance(value, dict) and value.get("only_for_you") else key
        for key, value in values
        if secret in json.dumps(value)
    }


async def test_a_bot_that_is_killed_goes_on_where_it_was(running_page: Page) -> None:
    bot = running_page.bot
    async with people(running_page.url) as them:
        await them.ask()
        running_page.stage.tenant.faults.latency = 0.3  # the steps take a while
        await them.ada.do("click", label=ids.APPROVE)
        await them.ada.until(lambda: them.ada.of("application/"))
        before = bot.pid
        assert (await them.ada.ask("bot/kill")).status == 200
        await them.ada.until(lambda: them.ada.shown["now"]["bot"] == Status.DOWN)
        assert (await them.ada.ask("bot/kill")).status == 409
        await them.ada.until(lambda: them.ada.shown["now"]["bot"] == Status.RUNNING)
        assert (bot.restarts, bot.pid) != (0, before)
        await them.ada.until(lambda: them.ada.offers(ids.CHECK_CONSENT))
        running_page.stage.tenant.faults.latency = 0.0
        await them.consent()
        assert len(running_page.stage.tenant.applications) == 1


async def test_a_bot_that_starts_again_has_the_time_that_was_moved(running_page: Page) -> None:
    async with people(running_page.url) as them:
        await them.ada.ask("clock", {"seconds": timedelta(days=40).total_seconds()})
        await them.ada.ask("bot/kill")
        await them.ada.until(lambda: them.ada.shown["now"]["bot"] == Status.DOWN)
        await them.ada.ask("clock", {"seconds": timedelta(days=1).total_seconds()})
        await them.ada.until(lambda: them.ada.shown["now"]["bot"] == Status.RUNNING)
        await them.ask()
        [card] = [it for it in them.ada.of("message/") if ids.APPROVE in json.dumps(it)]
        sent = float(card["ts"])
    now = running_page.stage.clock.now().timestamp()
    assert now - sent < 60
    [entry] = running_page.stage.workspace.calls("chat.postMessage")[:1]
    dates = [it for it in json.dumps(entry.sent).split("<!date^")[1:]]
    assert dates
    assert all(int(it.split("^")[0]) > now - 3600 for it in dates)
