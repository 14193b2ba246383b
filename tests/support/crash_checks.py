"""The finale: a day later everything that was promised is looked at once more."""

from bot.storage import history, registrations
from tests.support.crash_story import DAY, CrashStory
from tests.support.history_checks import is_whole
from tests.support.registrar_env import opened

ROLES, SCOPES = {"Directory.Read.All", "User.Read.All"}, ["User.Read.All"]


async def holds(story: CrashStory, *, cards: int = 1) -> None:
    """Check the promises after the sweeps: in the tenant, on the screens, in storage.

    `cards` is how many cards the approval channel may hold: two where a post's answer was lost.
    """
    await a_day_later(story)
    await _tenant_holds_one_of_each(story)
    _screens_are_right(story, cards=cards)
    assert await story.sign_in(story.secret) == 200
    assert await story.lives.stop() == 0
    await _storage_is_at_rest(story)
    assert not story.workspace.complaints


async def a_day_later(story: CrashStory) -> None:
    """Start the bot 25 hours later and wait for its sweep."""
    swept = story.told("swept")
    await story.lives.restart(later=DAY)
    await story.until(lambda: story.told("swept") > swept)


async def _tenant_holds_one_of_each(story: CrashStory) -> None:
    (application,) = story.tenant.applications
    (principal,) = story.tenant.service_principals
    assert application["displayName"] == "billing"
    assert principal["appId"] == application["appId"]
    assigned = [a for a in story.tenant.assignments if a["principalId"] == principal["id"]]
    assert len(assigned) == len(ROLES)
    assert story.tenant.roles_of(application["appId"]) == ROLES
    (grant,) = story.tenant.grants
    assert (grant["clientId"], grant["scope"].split()) == (principal["id"], SCOPES)
    (secret,) = story.live_secrets()
    assert story.secret.startswith(secret["hint"])


def _screens_are_right(story: CrashStory, *, cards: int) -> None:
    (final,) = story.cards("is ready")
    assert final.startswith(f"{story.id} is ready")
    assert "Approved by @ada" in final
    assert "[Approve]" not in final
    assert len(story.cards("")) <= cards
    assert f"{story.id} is ready" in story.direct("rosa")
    assert "shown once and is now masked for good" in story.newest_notice()
    assert story.secret not in story.workspace.picture()


async def _storage_is_at_rest(story: CrashStory) -> None:
    async with opened(story.stage.environ()["DATABASE_URL"]) as database, database.reading() as tx:
        found = await registrations.get(tx, story.id)
        told = await history.read(tx, story.id)
    assert found is not None
    assert (found.status, found.run) == ("ready", None)
    assert is_whole(story.id, told)
    happened = [entry.what for entry in told]
    assert happened.count("ready") == 1 + happened.count("new secret asked")
    for once in ("submitted", "planned", "approved"):
        assert happened.count(once) == 1
