"""The finale: a day later everything that was promised is looked at once more."""

from itertools import pairwise

from bot.storage import history, registrations
from tests.support.crash_story import DAY, CrashStory
from tests.support.registrar_env import opened


async def holds(crash_story: CrashStory, *, cards: int = 1) -> None:
    """Check the promises after the sweeps: in the tenant, on the screens, in storage.

    `cards` is how many cards the approval channel may hold: two where a post's answer was lost.
    """
    await a_day_later(crash_story)
    await _tenant_holds_one_of_each(crash_story)
    _screens_are_right(crash_story, cards=cards)
    assert await crash_story.sign_in(crash_story.secret) == 200
    assert await crash_story.lives.stop() == 0
    await _storage_is_at_rest(crash_story)
    assert not crash_story.workspace.complaints


async def a_day_later(crash_story: CrashStory) -> None:
    """Start the bot 25 hours later and wait for its sweep."""
    if not crash_story.lives.dead:
        assert await crash_story.lives.stop() == 0
    swept = crash_story.told("swept")
    await crash_story.lives.begin(later=DAY)
    await crash_story.until(lambda: crash_story.told("swept") > swept)


async def _tenant_holds_one_of_each(crash_story: CrashStory) -> None:
    (application,) = crash_story.tenant.applications
    (principal,) = crash_story.tenant.service_principals
    assert application["displayName"] == "billing"
    assert principal["appId"] == application["appId"]
    assigned = [a for a in crash_story.tenant.assignments if a["principalId"] == principal["id"]]
    assert len(assigned) == 2
    assert crash_story.tenant.roles_of(application["appId"]) == {
        "Directory.Read.All",
        "User.Read.All",
    }
    (grant,) = crash_story.tenant.grants
    assert (grant["clientId"], grant["scope"].split()) == (principal["id"], ["User.Read.All"])
    (secret,) = crash_story.live_secrets()
    assert crash_story.secret.startswith(secret["hint"])


def _screens_are_right(crash_story: CrashStory, *, cards: int) -> None:
    (final,) = crash_story.cards("is ready")
    assert final.startswith(f"{crash_story.id} is ready")
    assert "Approved by @ada" in final
    assert "[Approve]" not in final
    assert len(crash_story.cards("")) <= cards
    assert f"{crash_story.id} is ready" in crash_story.direct("rosa")
    assert "shown once and is now hidden for good" in crash_story.newest_notice()
    assert crash_story.secret not in crash_story.workspace.picture()


async def _storage_is_at_rest(crash_story: CrashStory) -> None:
    async with (
        opened(crash_story.stage.environ()["DATABASE_URL"]) as database,
        database.reading() as tx,
    ):
        found = await registrations.get(tx, crash_story.id)
        told = await history.read(tx, crash_story.id)
    assert found is not None
    assert (found.status, found.run) == ("ready", None)
    assert [entry.seq for entry in told] == list(range(1, len(told) + 1))
    assert all(after.previous == before.hash for before, after in pairwise(told))
    for entry in told:
        fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
        assert entry.hash == history.digest({**fields, "registration": crash_story.id})
    happened = [entry.what for entry in told]
    assert happened.count("ready") == 1 + happened.count("new secret asked")
    for once in ("submitted", "planned", "approved"):
        assert happened.count(once) == 1
