"""The tenant pane, the vendor's console and the trouble switches, by clicks and keys."""

from typing import Any

import pytest
import pytest_asyncio

from bot.playground import vendor as vendors
from bot.playground.page.running import Page
from tests.browser.window import PHONE, Opens, Window
from tests.support.graph_caller import Asking, asking

HOSTILE = "<img src=x onerror=window.hostile=1>\u202e<!channel>"
SWITCHES = {
    "lag",
    "slow",
    "throttling",
    "fails-before",
    "fails-after",
    "consent-refused",
    "ban",
    "cap",
    "slack-throttling",
}


@pytest_asyncio.fixture(loop_scope="module")
async def application(playground: Page) -> dict[str, Any]:
    """An application that asks for a permission, whose name is an attack."""
    tenant = playground.stage.tenant
    async with asking(tenant, tenant.administrator) as graph:
        made = await graph.application(
            displayName=HOSTILE, requiredResourceAccess=[await _reading_users(graph)]
        )
        await graph.principal(made["appId"])
        await graph.secret(made, displayName=HOSTILE)
        return made


async def _reading_users(graph: Asking) -> dict[str, Any]:
    resource = await graph.resource()
    [id] = [role["id"] for role in resource["appRoles"] if role["value"] == "User.Read.All"]
    return {
        "resourceAppId": resource["appId"],
        "resourceAccess": [{"id": id, "type": "Role"}],
    }


async def switched(window: Window, switch: str, *, on: bool) -> None:
    state = str(on).lower()
    await window.locator(f'[data-trouble="{switch}"][aria-checked="{state}"]').wait_for()


async def on(window: Window) -> set[str]:
    """Return the switches that are on."""
    return set(
        await window.locator('[role=switch][aria-checked="true"]').evaluate_all(
            "found => found.map(each => each.dataset.trouble)"
        )
    )


async def test_each_switch_is_set_and_taken_back_alone(playground: Page, rosa: Window) -> None:
    await rosa.locator('[data-view="trouble"]').click()
    buttons = rosa.pane("trouble").locator("[role=switch]")
    assert await buttons.count() == len(SWITCHES)
    for switch in sorted(SWITCHES):
        await rosa.locator(f'[data-trouble="{switch}"]').click()
        await switched(rosa, switch, on=True)
    await rosa.locator('[data-trouble="slow"]').click()
    await switched(rosa, "slow", on=False)  # so that what follows is not
    await rosa.locator('[data-trouble="fails-after"]').click()
    await switched(rosa, "fails-after", on=False)
    await rosa.locator('[data-trouble="cap"]').click()
    await switched(rosa, "cap", on=False)
    assert await on(rosa) == SWITCHES - {"slow", "fails-after", "cap"}
    assert playground.stage.tenant.policy.secrets_banned


async def test_all_calm_clears_everything(playground: Page, rosa: Window) -> None:
    await rosa.locator('[data-view="trouble"]').click()
    for switch in ("lag", "fails-before", "ban", "slack-throttling"):
        await rosa.locator(f'[data-trouble="{switch}"]').click()
        await switched(rosa, switch, on=True)
    await rosa.press("all-calm", on=rosa.pane("trouble"))
    await rosa.pane("trouble").get_by_text("All is calm.").wait_for()
    tenant = playground.stage.tenant
    assert (tenant.faults.lag, tenant.faults.failures) == (0, [])
    assert not tenant.policy.secrets_banned
    assert await on(rosa) == set()


async def test_consent_by_hand_is_refused_and_then_given(
    playground: Page, rosa: Window, application: dict[str, Any]
) -> None:
    pane, tenant = rosa.pane("tenant"), playground.stage.tenant
    fault = tenant.faults.fail("POST", "/sim/consent", status=403)
    rosa.refusals_expected = True
    await rosa.press("open-application", on=pane)
    await rosa.press("grant-admin-consent", on=pane)
    await rosa.press("confirm-consent", on=pane)
    refusal = pane.get_by_role("alert").filter(has_text="Insufficient privileges to grant")
    await refusal.wait_for()
    assert (fault.times, tenant.roles_of(application["appId"])) == (0, set())
    await rosa.press("grant-admin-consent", on=pane)
    await rosa.page.keyboard.press("Escape")
    assert await pane.locator('[data-action="confirm-consent"]').count() == 0
    await rosa.press("grant-admin-consent", on=pane)
    await rosa.page.keyboard.press("Enter")
    await pane.locator('[data-permission="User.Read.All"][data-granted="true"]').wait_for()
    assert tenant.roles_of(application["appId"]) == {"User.Read.All"}
    assert await refusal.count() == 0


async def test_a_button_that_is_pressed_while_its_application_changes_does_its_work(
    playground: Page, rosa: Window, application: dict[str, Any]
) -> None:
    pane, tenant = rosa.pane("tenant"), playground.stage.tenant
    await rosa.press("open-application", on=pane)
    await rosa.press("grant-admin-consent", on=pane)
    await pane.locator('[data-action="confirm-consent"]').hover()
    await rosa.page.mouse.down()
    async with asking(tenant, tenant.administrator) as graph:
        await graph.secret(application, displayName="made meanwhile")
    await pane.get_by_text("made meanwhile").wait_for()
    await rosa.page.mouse.up()
    await pane.locator('[data-permission="User.Read.All"][data-granted="true"]').wait_for()


@pytest.mark.parametrize("size", [{}, {"viewport": PHONE}], ids=["desktop", "phone"])
async def test_hostile_names_are_text(
    opens: Opens, application: dict[str, Any], size: dict[str, Any]
) -> None:
    async with opens("rosa", **size) as rosa:
        pane = rosa.pane("tenant")
        if size:
            await rosa.locator('[data-view="tenant"]').click()
        assert HOSTILE in await pane.locator('[data-action="open-application"]').inner_text()
        await rosa.press("open-application", on=pane)
        for tab in ("applications", "audit", "calls"):
            await rosa.locator(f'[data-tab="{tab}"]').click()
            await pane.locator("[role=tabpanel]:visible").get_by_text(HOSTILE).first.wait_for()
            width = await pane.evaluate("pane => pane.scrollWidth - pane.clientWidth")
            assert width <= 0, tab
        assert await pane.locator("img, script").count() == 0
        assert await rosa.page.evaluate("window.hostile") is None


async def test_no_value_of_a_secret_reaches_the_page(
    playground: Page, rosa: Window, application: dict[str, Any]
) -> None:
    pane = rosa.pane("tenant")
    await rosa.press("open-application", on=pane)
    [secret] = playground.stage.tenant.live_secrets(application["appId"])
    await pane.get_by_text(secret["keyId"]).wait_for()
    content = await rosa.page.content()
    assert not any(text in content for text in playground.stage.tenant.minted)


async def test_calls_can_be_held_still(
    playground: Page, rosa: Window, application: dict[str, Any]
) -> None:
    await rosa.locator('[data-tab="calls"]').click()
    calls = rosa.pane("tenant").locator(".call")
    await calls.first.wait_for()
    await rosa.press("pause-calls", on=rosa.pane("tenant"))
    before = await calls.first.inner_text()
    async with asking(playground.stage.tenant, playground.stage.tenant.administrator) as graph:
        await graph.get("/groups?$top=1")
    await rosa.pane("tenant").get_by_text("newer").wait_for()
    assert await calls.first.inner_text() == before
    await rosa.press("pause-calls", on=rosa.pane("tenant"))
    await calls.filter(has_text="/v1.0/groups").first.wait_for()


async def test_tabs_are_moved_by_arrows(rosa: Window) -> None:
    await rosa.locator('[data-tab="applications"]').click()
    for key, tab in (
        ("ArrowRight", "audit"),
        ("ArrowLeft", "applications"),
        ("ArrowLeft", "calls"),
    ):
        await rosa.page.keyboard.press(key)
        await rosa.locator(f'[data-tab="{tab}"][aria-selected="true"]:focus').wait_for()


async def test_the_vendor_names_each_problem_at_its_field(rosa: Window) -> None:
    rosa.refusals_expected = True
    pane = rosa.pane("vendor")
    await rosa.press("vendor-fill", on=pane)
    await pane.get_by_text("There is nothing to copy.").wait_for()
    await rosa.press("vendor-save", on=pane)
    await pane.get_by_text("Application Id is missing.").wait_for()
    marked = pane.locator('[aria-invalid="true"]')
    names = await marked.evaluate_all("found => found.map(each => each.dataset.field)")
    assert names == [
        vendors.DESCRIPTION,
        vendors.APPLICATION_ID,
        vendors.KEY,
        vendors.TENANT_DOMAIN,
    ]
    assert await marked.first.evaluate("field => field === document.activeElement")


async def test_a_key_that_is_typed_is_shown_masked_once_it_is_saved(rosa: Window) -> None:
    pane = rosa.pane("vendor")
    values = {
        vendors.DESCRIPTION: HOSTILE,
        vendors.APPLICATION_ID: "11111111-2222-3333-4444-555555555555",
        vendors.KEY: "abc8Q~typed",
        vendors.TENANT_DOMAIN: "northwind.example",
    }
    for field, value in values.items():
        await pane.locator(f'[data-field="{field}"]').fill(value)
    await rosa.press("vendor-save", on=pane)
    key = pane.locator(f'[data-field="{vendors.KEY}"]')
    await pane.get_by_placeholder("abc••••••••").wait_for()
    assert await key.input_value() == ""
    await rosa.press("vendor-sync", on=pane)
    await pane.locator('[data-ok="false"]').wait_for()
    assert "There is no application" in await pane.locator('[data-ok="false"]').inner_text()
