"""Decisions: each has one winner, who is told of on the card, and whoever is late learns of it."""

import asyncio

import pytest

from tests.support.forged_clicks import forged_click
from tests.support.story import Story


async def test_denied_is_the_end_and_the_card_says_by_whom(story: Story) -> None:
    id = await story.ask("billing")
    assert not (await story.deny(id, by="grace", reason="Use the one of last year")).errors
    await story.until(lambda: f"{id} was denied" in story.card())
    assert "Denied by @grace" in story.card()
    assert "Use the one of last year" in story.card()
    assert "[Approve]" not in story.card()
    await story.until(lambda: f"{id} was denied" in story.direct("rosa"))
    denied = f"@grace denied {id} (billing): “Use the one of last year”.\n[Ask again]"
    await story.until(lambda: denied in story.direct("rosa"))
    unchanged = "Nothing was changed in Entra. Ask again opens the form as you filled it in."
    assert unchanged in story.direct("rosa")
    assert not story.tenant.applications


async def test_the_requester_takes_it_back_and_the_approver_comes_too_late(story: Story) -> None:
    id = await story.ask("billing")
    await story.until(lambda: "[Cancel]" in story.direct("rosa"))
    # Slack does not take updates, so the approver still sees the buttons.
    story.workspace.faults.breaks("chat.update", times=100)
    await story.workspace.click("rosa", "Cancel")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    assert story.whispers("ada") == f"{id} was cancelled, so there is nothing to approve."
    assert not story.tenant.applications


@pytest.mark.slow
async def test_a_card_that_still_shows_its_buttons_decides_nothing_twice(story: Story) -> None:
    id = await story.ask("billing")
    await story.until(lambda: "[Cancel]" in story.direct("rosa"))
    story.workspace.faults.breaks("chat.update", times=100)
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    for button in ("Approve", "Deny"):
        await story.workspace.click("grace", button, on=story.card_of(id))
    await story.workspace.click("rosa", "Cancel")
    late = f"@ada already approved {id}."
    assert story.whispers("grace").splitlines() == [late, late]
    assert story.whispers("rosa") == late
    await story.until(lambda: f"{id}: your connector values" in story.direct("rosa"))
    assert len(story.tenant.applications) == 1


async def test_approve_and_deny_at_once_have_one_winner(story: Story) -> None:
    id = await story.ask("billing")
    card = story.card_of(id)
    await story.open_denial(id)
    _, denial = await asyncio.gather(
        story.workspace.click("ada", "Approve", on=card),
        story.workspace.submit("grace", {"Reason": "Not now"}),
    )
    won = "is ready" if denial.errors else "was denied"
    await story.until(lambda: f"{id} {won}" in story.card())
    said = story.whispers("ada") + str(denial.errors)
    assert said.count(" already ") == 1
    assert story.card().count("Approved by") + story.card().count("Denied by") == 1
    assert len(story.tenant.applications) == (won == "is ready")


@pytest.mark.slow
async def test_a_click_that_slack_repeats_is_one_vote(story: Story) -> None:
    id = await story.ask("billing")
    await story.approve(id)
    await story.workspace.redeliver("interactive")
    assert f"@ada already approved {id}." in story.whispers("ada")
    assert len(story.tenant.applications) == 1
    assert story.card().count("Approved by") == 1


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_two_approvals_are_two_people(story: Story) -> None:
    id = await story.ask("billing")
    await story.vote(id)
    assert "Approved by @ada" in story.card()
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    assert story.whispers("ada") == (
        f"You have approved {id} already. It needs another approver, too."
    )
    denied = await story.deny(id, by="ada")
    assert denied.errors == {
        "Reason": f"You have approved {id}. Withdraw that first, then deny it."
    }
    assert f"{id} waits for approval" in story.card()
    assert not story.tenant.applications

    await story.approve(id, by="grace")
    assert "Approved by @grace" in story.card()


@pytest.mark.settings(APPROVALS_NEEDED="2")
async def test_one_denial_outweighs_an_approval(story: Story) -> None:
    id = await story.ask("billing")
    await story.workspace.click("ada", "Approve", on=story.card_of(id))
    await story.deny(id, by="grace")
    await story.until(lambda: f"{id} was denied" in story.card())
    assert "Approved by @ada" in story.card()
    assert "Denied by @grace" in story.card()


async def test_what_has_not_happened_yet_cannot_be_used(story: Story) -> None:
    id = await story.ask("billing")
    for button in ("retry", "undo", "values", "reveal", "renew"):
        assert (await forged_click(story, "rosa", button, id)).startswith(
            f"{id} waits for approval."
        )


LOOKALIKES = str.maketrans("∗∼∶ˍ", "*~:_")
"""What stands in the place of signs that Slack would take for markup."""


async def test_a_card_shows_the_very_name_and_address_that_are_made(story: Story) -> None:
    name, redirect = "_Mimecast_ a_b :lock: *b* ~c~ __", "https://example.com/_cb_/:key:/~d~"
    id = await story.ask(name, **{"Redirect URL": redirect}, Reason=":tada: _agreed_")
    card = story.card().translate(LOOKALIKES)
    assert f"\n{name}: approval needed\n" in card
    assert f"Redirect URL: {redirect}\n" in card
    assert ">:tada: _agreed_\n" in card
    whole = (await story.details(id)).translate(LOOKALIKES)
    assert f"• Application {name}, for accounts" in whole
    assert f"• Redirect URL: {redirect}\n" in whole
    await story.approve(id)
    [made] = story.tenant.applications
    assert made["displayName"] == name
    assert made["web"]["redirectUris"] == [redirect]


async def test_words_that_slack_would_obey_are_shown_as_they_were_typed(story: Story) -> None:
    name = "<!channel> *bold* `code` & <https://evil.example|Approve>"
    await story.ask(name, Reason="line one\n> line two <@U123>")
    raw = str(story.workspace.messages("approvals")[0]["blocks"])
    assert "<!channel>" not in raw
    assert "<https://evil" not in raw
    assert "<@U123>" not in raw
    assert "<!channel>" in story.card()
