"""Decisions: each has one winner, who is told of on the card, and whoever is late learns of it."""

import asyncio
from typing import Any

from tests.conftest import Bot
from tests.support.forged_clicks import forged_button
from tests.support.story import Scene


async def test_denied_is_the_end_and_the_card_says_by_whom(scene: Scene) -> None:
    id = await scene.ask("billing")
    assert not (await scene.deny(id, by="grace", reason="Use the one of last year")).errors
    await scene.until(lambda: f"{id} was denied" in scene.card())
    assert "Denied by @grace" in scene.card()
    assert "Use the one of last year" in scene.card()
    assert "[Approve]" not in scene.card()
    await scene.until(lambda: f"{id} was denied" in scene.direct("rosa"))
    assert "Use the one of last year" in scene.direct("rosa")
    assert (
        "Nothing was changed in Entra. Ask again opens the form as you filled it in."
        in scene.direct("rosa")
    )
    assert not scene.tenant.applications


async def test_the_requester_takes_it_back_and_the_approver_comes_too_late(scene: Scene) -> None:
    id = await scene.ask("billing")
    await scene.until(lambda: "[Cancel]" in scene.direct("rosa"))
    # Slack does not take updates, so the approver still sees the buttons.
    scene.workspace.faults.breaks("chat.update", times=100)
    await scene.workspace.click("rosa", "Cancel")
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    assert scene.whispers("ada") == f"Too late: {id} was cancelled already."
    assert not scene.tenant.applications


async def test_a_card_that_still_shows_its_buttons_decides_nothing_twice(scene: Scene) -> None:
    id = await scene.ask("billing")
    await scene.until(lambda: "[Cancel]" in scene.direct("rosa"))
    scene.workspace.faults.breaks("chat.update", times=100)
    await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
    for button in ("Approve", "Deny"):
        await scene.workspace.click("grace", button, on=scene.card_of(id))
    await scene.workspace.click("rosa", "Cancel")
    late = f"Too late: @ada has approved {id} already."
    assert scene.whispers("grace").splitlines() == [late, late]
    assert scene.whispers("rosa") == late
    await scene.until(lambda: f"{id}: your connector values" in scene.direct("rosa"))
    assert len(scene.tenant.applications) == 1


async def test_approve_and_deny_at_once_have_one_winner(scene: Scene) -> None:
    id = await scene.ask("billing")
    card = scene.card_of(id)
    await scene.open_denial(id)
    _, denial = await asyncio.gather(
        scene.workspace.click("ada", "Approve", on=card),
        scene.workspace.submit("grace", {"Reason": "Not now"}),
    )
    won = "is ready" if denial.errors else "was denied"
    await scene.until(lambda: f"{id} {won}" in scene.card())
    said = scene.whispers("ada") + str(denial.errors)
    assert said.count("Too late: ") == 1
    assert scene.card().count("Approved by") + scene.card().count("Denied by") == 1
    assert len(scene.tenant.applications) == (won == "is ready")


async def test_a_click_that_slack_repeats_is_one_vote(scene: Scene) -> None:
    id = await scene.ask("billing")
    await scene.approve(id)
    await scene.workspace.redeliver("interactive")
    assert f"Too late: @ada has approved {id} already." in scene.whispers("ada")
    assert len(scene.tenant.applications) == 1
    assert scene.card().count("Approved by") == 1


async def test_two_approvals_are_two_people(bot: Bot, stage: Any) -> None:
    async with bot(APPROVALS_NEEDED="2"):
        scene = Scene(stage)
        id = await scene.ask("billing")
        await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
        await scene.until(lambda: "1 of 2 approvals given" in scene.card())
        assert "Approved by @ada" in scene.card()
        await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
        assert scene.whispers("ada") == (
            f"You have approved {id} already. It needs another approver, too."
        )
        denied = await scene.deny(id, by="ada")
        assert denied.errors == {
            "Reason": f"You have approved {id}. Withdraw that first, then deny it."
        }
        assert f"{id} waits for approval" in scene.card()
        assert not scene.tenant.applications

        await scene.approve(id, by="grace")
        assert "Approved by @grace" in scene.card()


async def test_two_last_approvals_at_once_reach_the_quorum(bot: Bot, stage: Any) -> None:
    async with bot(APPROVALS_NEEDED="2"):
        scene = Scene(stage)
        id = await scene.ask("billing")
        card = scene.card_of(id)
        await asyncio.gather(
            scene.workspace.click("ada", "Approve", on=card),
            scene.workspace.click("grace", "Approve", on=card),
        )
        await scene.until(lambda: f"{id} is ready" in scene.card())
        assert not scene.whispers("ada") + scene.whispers("grace")


async def test_one_denial_outweighs_an_approval(bot: Bot, stage: Any) -> None:
    async with bot(APPROVALS_NEEDED="2"):
        scene = Scene(stage)
        id = await scene.ask("billing")
        await scene.workspace.click("ada", "Approve", on=scene.card_of(id))
        await scene.deny(id, by="grace")
        await scene.until(lambda: f"{id} was denied" in scene.card())
        assert "Approved by @ada" in scene.card()
        assert "Denied by @grace" in scene.card()


async def test_what_has_not_happened_yet_cannot_be_used(scene: Scene) -> None:
    id = await scene.ask("billing")
    for button in ("retry", "undo", "values", "reveal", "renew"):
        forged = await forged_button(scene.workspace, button, id)
        scene.workspace.reload("rosa")
        await scene.workspace.click("rosa", button, on=forged)
        assert scene.whispers("rosa").startswith(f"{id} waits for approval.")


LOOKALIKES = str.maketrans("∗∼∶ˍ", "*~:_")
"""What stands in the place of signs that Slack would take for markup."""


async def test_a_card_shows_the_very_name_and_address_that_are_made(scene: Scene) -> None:
    name, redirect = "_Mimecast_ a_b :lock: *b* ~c~ __", "https://example.com/_cb_/:key:/~d~"
    id = await scene.ask(name, **{"Redirect URL": redirect}, Reason=":tada: _agreed_")
    card = scene.card().translate(LOOKALIKES)
    assert f"• Application {name}, for accounts" in card
    assert f"• Redirect URL: {redirect}\n" in card
    assert ">:tada: _agreed_\n" in card
    await scene.approve(id)
    [made] = scene.tenant.applications
    assert made["displayName"] == name
    assert made["web"]["redirectUris"] == [redirect]


async def test_words_that_slack_would_obey_are_shown_as_they_were_typed(scene: Scene) -> None:
    name = "<!channel> *bold* `code` & <https://evil.example|Approve>"
    await scene.ask(name, Reason="line one\n> line two <@U123>")
    raw = str(scene.workspace.messages("approvals")[0]["blocks"])
    assert "<!channel>" not in raw
    assert "<https://evil" not in raw
    assert "<@U123>" not in raw
    assert "<!channel>" in scene.card()
