"""What people do on the page, in few calls."""

import re
from typing import Any

from tests.browser.window import Window

REASON = "Mail security needs our users and groups"


async def fill(window: Window, **values: str) -> None:
    """Fill in the form in front, by the ids of its blocks."""
    for block, text in values.items():
        field = window.dialog().locator(f'[data-block="{block}"]').locator("input, textarea")
        await field.fill(text)


async def send(window: Window) -> None:
    """Send the form in front and wait until it has closed."""
    await window.locator('[data-modal="submit"]').click()
    await window.dialog().wait_for(state="detached")


async def ask(rosa: Window, name: str = "Directory sync", reason: str = REASON) -> None:
    """Type the command, fill in the form and send it."""
    await rosa.go("general")
    await rosa.write("/aad-setup")
    await rosa.dialog().wait_for()
    await fill(rosa, name=name, reason=reason)
    await send(rosa)


async def waiting_card(approver: Window) -> tuple[Any, str]:
    """Return the newest card that waits for a decision, and the registration's id."""
    await approver.go("approvals")
    messages = approver.pane("workspace").locator("[data-ts]")
    card = messages.filter(has=approver.locator('[data-action="approve"]')).last
    await card.wait_for()
    stamp = await card.get_attribute("data-ts")
    card = approver.pane("workspace").locator(f'[data-ts="{stamp}"]')
    found = re.search(r"AAD-\w+", await card.inner_text())
    assert found
    return card, found[0]


async def approve(ada: Window) -> tuple[Any, str]:
    """Approve the newest request; return its card and the registration's id."""
    card, id = await waiting_card(ada)
    await ada.press("approve", on=card)
    return card, id


async def consent(administrator: Window) -> None:
    """Grant admin consent by hand to the newest application, and let the bot's next look come."""
    await administrator.pane("workspace").locator('[data-action="check_consent"]').last.wait_for()
    tenant = administrator.pane("tenant")
    await administrator.press("open-application", on=tenant)
    await administrator.press("grant-admin-consent", on=tenant)
    await administrator.press("confirm-consent", on=tenant)
    await tenant.locator('[data-permission][data-granted="true"]').first.wait_for()
    await trouble(administrator, "skip-minute")


async def ready(rosa: Window, ada: Window) -> tuple[Any, str]:
    """Ask, approve and consent; return the card that says ready, and the registration's id."""
    await ask(rosa)
    card, id = await approve(ada)
    await consent(ada)
    await card.filter(has_text="ready").wait_for()
    return card, id


async def trouble(window: Window, switch: str) -> None:
    """Press a button or switch of the trouble pane, and go back."""
    await window.locator('[data-view="trouble"]').click()
    await window.locator(f'[data-trouble="{switch}"]').click()
    await window.locator('[data-view="workspace"]').click()
