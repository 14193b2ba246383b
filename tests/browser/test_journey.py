"""The whole journey by clicks, as three people in windows of their own."""

import asyncio
import re

from bot.playground.page.running import Page
from tests.browser.journey import ask, consent, fill, ready, send, trouble, waiting_card
from tests.browser.window import PATIENCE_MS, Opens, Window


async def test_from_the_form_to_the_vendors_sync(playground: Page, opens: Opens) -> None:
    async with opens("rosa") as rosa, opens("ada") as ada, opens("ben") as ben:
        card, id = await ready(rosa, ada)
        said = await card.inner_text()

        await rosa.go("app")
        await rosa.sees("your connector values")
        await rosa.press("values")
        sheet = await rosa.sees("Only visible to you")
        secret = playground.stage.tenant.minted[-1]
        assert secret not in await rosa.text()
        await rosa.press("reveal", on=sheet)
        await rosa.sees(secret)

        await synced_as_promised(rosa, said)

        await trouble(rosa, "skip-minutes")
        await rosa.sees("masked for good")
        await ben.go("general")
        await ben.write(f"@aad-setup status {id}")
        await ben.sees(f"{id} is ready")
        for window in (rosa, ada, ben):
            assert secret not in await window.page.content()


async def synced_as_promised(rosa: Window, card: str) -> None:
    """Carry the values to the vendor, whose sync reads as many as the card says."""
    vendor = rosa.pane("vendor")
    for action in ("vendor-fill", "vendor-save", "vendor-sync"):
        await rosa.press(action, on=vendor)
    result = vendor.locator('[data-ok="true"]')
    await result.wait_for()
    users, groups = (
        await result.get_attribute("data-users"),
        await result.get_attribute("data-groups"),
    )
    assert re.search(rf"\b{users} users and {groups} groups\b", card), card


async def test_a_denial_tells_its_reason(opens: Opens) -> None:
    async with opens("rosa") as rosa, opens("grace") as grace:
        await ask(rosa)
        card, id = await waiting_card(grace)
        await grace.press("deny", on=card)
        await grace.dialog().wait_for()
        await grace.locator('[data-modal="submit"]').click()  # without a reason, which is required
        await grace.dialog().locator('[aria-invalid="true"]').wait_for()
        await fill(grace, reason="Not this quarter")
        await send(grace)
        await card.filter(has_text="denied").wait_for()
        await rosa.go("app")
        await rosa.sees("Not this quarter")
        assert id in await rosa.text()


async def test_nobody_approves_their_own_request(playground: Page, opens: Opens) -> None:
    async with opens("ada") as ada:
        await ask(ada)
        card, _ = await waiting_card(ada)
        await ada.press("approve", on=card)
        await ada.sees("Only visible to you")
        await ada.sees("your own")
        assert playground.stage.tenant.applications == []


async def test_a_bot_that_is_killed_goes_on_where_it_was(playground: Page, opens: Opens) -> None:
    tenant = playground.stage.tenant
    hold = tenant.faults.hold("PATCH", "servicePrincipals", when="after_effect")
    async with opens("rosa") as rosa, opens("ada") as ada:
        await ask(rosa)
        card, _ = await waiting_card(ada)
        await ada.press("approve", on=card)
        async with asyncio.timeout(PATIENCE_MS / 1000):
            await hold.reached.wait()
        await trouble(ada, "kill-bot")
        await ada.locator("#bot", has_text="restarted 1").wait_for()
        hold.drop()
        await consent(ada)
        await card.filter(has_text="ready").wait_for()
        assert len(tenant.applications) == 1
        assert len(tenant.live_secrets(tenant.applications[0]["appId"])) == 1


async def test_a_step_that_fails_offers_retry_and_undo(playground: Page, opens: Opens) -> None:
    tenant = playground.stage.tenant
    async with opens("rosa") as rosa, opens("ada") as ada:
        fault = tenant.faults.fail("PATCH", "servicePrincipals", status=403, times=1000)
        await ask(rosa)
        card, id = await waiting_card(ada)
        await ada.press("approve", on=card)
        undo = card.locator('[data-action="undo"]')
        await undo.wait_for()
        hold = tenant.faults.hold("PATCH", "servicePrincipals", when="before_effect")
        await ada.press("retry", on=card)
        await undo.wait_for(state="detached")
        hold.release()
        await undo.wait_for()  # it failed again
        fault.times = 0
        await ada.press("undo", on=card)
        application = ada.pane("tenant").locator('[data-action="open-application"]')
        await application.wait_for(state="detached")
        assert tenant.applications == []
        await card.filter(has_text="undone").wait_for()
        await rosa.go("app")
        await rosa.sees(id)


async def test_what_only_one_sees_is_gone_when_they_reload(opens: Opens) -> None:
    async with opens("rosa") as rosa:
        await rosa.go("general")
        await rosa.write("/aad-setup help")
        await rosa.sees("Only visible to you")
        await rosa.page.reload()
        await rosa.go("general")
        await rosa.locator("[data-composer]").wait_for()
        assert "Only visible to you" not in await rosa.text()


async def test_two_windows_live_and_one_becomes_another_person(opens: Opens) -> None:
    async with opens("rosa") as rosa, opens("ben") as ben:
        await rosa.go("general")
        await ben.go("general")
        await ben.write("Good morning")
        await rosa.sees("Good morning")
        await rosa.become("ada")
        await rosa.go("approvals")
        await ben.go("approvals")
        await ben.write("Is there anything to approve?")
        await rosa.sees("Is there anything to approve?")
