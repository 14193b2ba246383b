"""The previous secret goes: by its date, or before it if somebody says so."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.lifetimes import PREVIOUS_SECRET
from handlers.views.buttons import retire_buttons
from handlers.views.outcome import previous
from tests.support.factories import NOON, registration, secret
from tests.support.rotation_story import asked, history, in_use, rotated, seen
from tests.support.secret_lives import SecretLife
from tests.support.secret_story import live
from tests.support.story import Story
from tests.support.waiting import eventually, make_a_new_one


@pytest.mark.slow
async def test_whoever_has_changed_over_removes_the_old_secret_at_once(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    said = str((await story.workspace.command("rosa", f"retire {id}")).text)
    assert f"{id} has no previous secret." in said
    await rotated(story, id)
    said = str((await story.workspace.command("ada", f"retire {id}")).text)
    assert f"The new secret of {id} was not seen yet" in said
    assert "Remove the previous secret" not in story.direct("rosa")
    await seen(story, id)
    said = str((await story.workspace.command("ben", f"retire {id}")).text)
    assert said == "Only the requester or an approver can remove the previous secret."
    await story.until(
        lambda: "[Remove the previous secret]" in story.workspace.text_of(story.notice(id))
    )
    await story.until(lambda: "Remove the previous secret" in story.card(id))
    await story.workspace.click("rosa", "Remove the previous secret", on=story.notice(id))
    await eventually(story, lambda: old not in live(story))
    assert len(live(story)) == 1
    await story.until(lambda: "the previous secret is removed from Entra" in story.direct("rosa"))
    await story.until(lambda: "previous secret" not in story.card(id))
    assert "Remove the previous secret" not in story.card(id)
    story.clock.move(PREVIOUS_SECRET * 2)  # what would have removed it then finds nothing
    await eventually(story, lambda: not _is_to_retire(story))
    await asked(story, id)
    told = await history(story, id)
    for what in ("removal of the previous secret asked for", "previous secret removed from Entra"):
        assert told.count(what) == 1
    assert story.direct("rosa").count("the previous secret is removed from Entra") == 1


def _is_to_retire(story: Story) -> bool:
    """Whether a removal of a previous secret is still due, or at work."""
    with closing(sqlite3.connect(story.stage.folder / "aad-setup.db")) as database:
        due = "SELECT count(*) FROM dues WHERE kind = 'retire'"
        owed = "SELECT count(*) FROM runs WHERE kind = 'retire' AND ended_at IS NULL"
        return any(database.execute(query).fetchone() != (0,) for query in (due, owed))


@pytest.mark.slow
async def test_the_old_secret_that_somebody_had_removed_goes_though_a_newer_one_is_made(
    story: Story,
) -> None:
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    await seen(story, id)
    held = story.tenant.faults.hold("POST", "/addPassword")
    await make_a_new_one(story, id)
    async with asyncio.timeout(60):
        await held.reached.wait()
    story.workspace.reload("ada")
    await story.workspace.command("ada", f"retire {id}")
    question = story.workspace.ephemerals("ada")[-1]
    await story.workspace.click("ada", "Remove the previous secret", on=question)
    assert f"The previous secret of {id} is being removed." in story.whispers("ada")
    held.release()
    await story.until(lambda: "was replaced by a newer one" in story.direct("rosa"))
    await eventually(story, lambda: old not in live(story))
    assert len(live(story)) == 1
    await story.until(lambda: "the previous secret is removed from Entra" in story.direct("rosa"))


@pytest.mark.slow
async def test_the_word_removes_the_old_secret_once_it_is_confirmed(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    await seen(story, id)
    story.workspace.reload("grace")
    answer = await story.workspace.command("grace", f"retire {id}")
    assert f"Remove the previous secret of {id} now?" in str(answer.text)
    assert old in live(story)
    question = story.workspace.ephemerals("grace")[-1]
    await story.workspace.click("grace", "Remove the previous secret", on=question)
    assert f"The previous secret of {id} is being removed." in story.whispers("grace")
    await eventually(story, lambda: old not in live(story))


@pytest.mark.slow
async def test_an_old_secret_that_entra_does_not_remove_at_once_goes_later(story: Story) -> None:
    id = await in_use(story)
    [old] = live(story)
    await rotated(story, id)
    await seen(story, id)
    broken = story.tenant.faults.refuse("POST", "removePassword")
    story.clock.move(PREVIOUS_SECRET)
    await eventually(story, lambda: _was_refused(story))
    assert old in live(story)
    assert "is removed from Entra" not in story.direct("rosa")
    await eventually(story, lambda: _says_that_it_goes(story.card(id)))
    await eventually(story, lambda: _says_that_it_goes(story.workspace.text_of(story.notice(id))))
    broken.times = 0
    await eventually(story, lambda: old not in live(story), step=timedelta(minutes=20))
    await story.until(lambda: "the previous secret is removed from Entra" in story.direct("rosa"))


def _says_that_it_goes(drawn: str) -> bool:
    is_said = "The previous secret is being removed from Entra." in drawn
    return is_said and "Remove the previous secret" not in drawn


def _was_refused(story: Story) -> bool:
    return any("removePassword" in entry.path and entry.status == 403 for entry in story.tenant.log)


def test_a_previous_secret_is_said_to_go_as_of_its_date_be_it_past_or_not() -> None:
    older = replace(secret(SecretLife.MASKED), id="s0", made_at=NOON - timedelta(days=1))
    ready = registration(secret=secret(SecretLife.MASKED))
    for its, words, has_button in (
        (older, "works until the new one was seen", False),
        (replace(older, remove_at=NOON), "is removed as of", True),
        (replace(older, remove_at=NOON, removal_began=True), "is being removed from Entra", False),
    ):
        both = replace(ready, other_secrets=(its,))
        assert words in previous(both)
        assert bool(retire_buttons(both)) is has_button
