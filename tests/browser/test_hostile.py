"""Whatever people type stays text: in the page, and in what Slack is sent."""

import json
import re

from bot.playground.page.running import Page
from bot.playground.workspace.record import Kind
from tests.browser.journey import fill, send, waiting_card
from tests.browser.window import Opens, Window

SCRIPT = "<script>window.wasRun = true</script>"
IMAGE = "<img src=x onerror='window.wasRun = true'>"
CHANNEL = "<!channel> <!here> <@U0000000000> <https://example.com|Sign in>"
BACKWARDS = "\u202egnp.exe\u202c \u2067abc\u2069"
NAME = f"{SCRIPT} {CHANNEL}"[:100]
HEBREW = "\u05e9\u05dc\u05d5\u05dd"
REASON = f"{SCRIPT} {IMAGE} {CHANNEL} {HEBREW} *bold* `code`"
LONG = (f"{REASON} " + "a" * 3000)[:3000]
DOMAINS = "<script>.example, javascript:alert(1)"
FOREIGN = """
() => [...document.querySelectorAll("body script, img, iframe, object, [onerror], a[href]")]
  .filter((each) => !/^https:\\/\\/(learn\\.microsoft|entra\\.microsoft)\\./.test(each.href ?? ""))
  .map((each) => each.outerHTML.slice(0, 200))
"""
LIVE = re.compile(r"<!(channel|here|everyone)|<script|<img|<@U0000000000>|<https://example\.com")


async def is_inert(window: Window) -> None:
    assert not await window.page.evaluate("window.wasRun")
    assert await window.page.evaluate(FOREIGN) == []
    width = await window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert width <= 0


async def test_only_markup_that_is_live_is_found() -> None:
    assert LIVE.search(CHANNEL)
    assert not LIVE.search("&lt;!channel&gt; &lt;script&gt;")


def sent(playground: Page) -> list[str]:
    """Return every text of Slack's markup in each message and view of the bot."""
    log = [each for each in playground.stage.workspace.log if each.kind is not Kind.DELIVERY]
    found: list[str] = []

    def look(value: object) -> None:
        if isinstance(value, list):
            for each in value:
                look(each)
        elif isinstance(value, dict):
            if value.get("type") == "mrkdwn" and isinstance(value.get("text"), str):
                found.append(value["text"])
            for each in value.values():
                look(each)

    for entry in log:
        if entry.kind is Kind.CALL and isinstance(entry.sent.get("text"), str):
            found.append(entry.sent["text"])
        content = dict(entry.sent)
        if isinstance(content.get("blocks"), str):
            content["blocks"] = json.loads(content["blocks"])
        look(content)
    return found


async def test_a_form_full_of_markup_changes_nothing(playground: Page, opens: Opens) -> None:
    async with opens("rosa") as rosa, opens("ada") as ada:
        await rosa.go("general")
        await rosa.write("/aad-setup")
        await rosa.dialog().wait_for()
        await fill(rosa, name=NAME, reason=LONG, **{"option:domains": DOMAINS})
        await rosa.locator('[data-modal="submit"]').click()
        reason = rosa.dialog().locator('[data-block="reason"]')
        await reason.locator('[aria-invalid="true"]').wait_for()
        await is_inert(rosa)
        await fill(rosa, reason=f"{REASON} {BACKWARDS}", **{"option:domains": ""})
        await rosa.locator('[data-modal="submit"]').click()
        await reason.filter(has_text="invisible or control characters").wait_for()
        await is_inert(rosa)
        await fill(rosa, reason=REASON)
        await send(rosa)
        card, _ = await waiting_card(ada)
        assert "<script>" in await card.inner_text()
        await ada.press("details", on=card)
        await ada.dialog().wait_for()
        await is_inert(ada)
        assert not [text for text in sent(playground) if LIVE.search(text)]


async def test_what_people_say_is_shown_as_they_said_it(opens: Opens) -> None:
    async with opens("rosa") as rosa, opens("ben", viewport={"width": 390, "height": 844}) as ben:
        await ben.go("general")
        await rosa.go("general")
        for text in (SCRIPT, IMAGE, BACKWARDS, "a" * 3000, f"@aad-setup {SCRIPT}"):
            await rosa.write(text)
        await ben.sees("a" * 3000)
        await ben.sees(f"@aad-setup {SCRIPT}")
        await is_inert(rosa)
        await is_inert(ben)
        rosa.refusals_expected = True  # a form that cannot be saved
        vendor = rosa.pane("vendor")
        for field in await vendor.locator("input[type=text]").all():
            await field.fill(SCRIPT)
        await rosa.press("vendor-save", on=vendor)
        await vendor.locator('[aria-invalid="true"]').first.wait_for()
        await is_inert(rosa)
