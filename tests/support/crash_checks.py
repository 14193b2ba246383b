"""The finale: a day later everything that was promised is looked at once more."""

from itertools import pairwise

from bot.storage import history, registrations
from tests.support.crash_story import DAY, Road
from tests.support.registrar_env import opened


async def holds(road: Road, *, cards: int = 1) -> None:
    """Check the promises after the sweeps: in the tenant, on the screens, in storage.

    `cards` is how many cards the approval channel may hold: two where a post's answer was lost.
    """
    await a_day_later(road)
    await _tenant_holds_one_of_each(road)
    _screens_are_right(road, cards=cards)
    assert await road.sign_in(road.secret) == 200
    assert await road.lives.stop() == 0
    await _storage_is_at_rest(road)
    assert not road.workspace.complaints


async def a_day_later(road: Road) -> None:
    """Start the bot 25 hours later and wait for its sweep."""
    if not road.lives.dead:
        assert await road.lives.stop() == 0
    swept = road.told("swept")
    await road.lives.begin(later=DAY)
    await road.until(lambda: road.told("swept") > swept)


async def _tenant_holds_one_of_each(road: Road) -> None:
    (application,) = road.tenant.applications
    (principal,) = road.tenant.service_principals
    assert application["displayName"] == "billing"
    assert principal["appId"] == application["appId"]
    assigned = [a for a in road.tenant.assignments if a["principalId"] == principal["id"]]
    assert len(assigned) == 2
    assert road.tenant.roles_of(application["appId"]) == {"Directory.Read.All", "User.Read.All"}
    (grant,) = road.tenant.grants
    assert (grant["clientId"], grant["scope"].split()) == (principal["id"], ["User.Read.All"])
    (secret,) = road.live_secrets()
    assert road.secret.startswith(secret["hint"])


def _screens_are_right(road: Road, *, cards: int) -> None:
    (final,) = road.cards("is ready")
    assert final.startswith(f"{road.id} is ready")
    assert "Approved by @ada" in final
    assert "[Approve]" not in final
    assert len(road.cards("")) <= cards
    assert f"{road.id} is ready" in road.direct("rosa")
    assert "shown once and is masked for good" in road.newest_notice()
    assert road.secret not in road.workspace.picture()


async def _storage_is_at_rest(road: Road) -> None:
    async with opened(road.stage.environ()["DATABASE_URL"]) as database, database.reading() as tx:
        found = await registrations.get(tx, road.id)
        told = await history.read(tx, road.id)
    assert found is not None
    assert (found.status, found.run) == ("ready", None)
    assert [entry.seq for entry in told] == list(range(1, len(told) + 1))
    assert all(after.previous == before.hash for before, after in pairwise(told))
    for entry in told:
        fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
        assert entry.hash == history.digest({**fields, "registration": road.id})
    happened = [entry.what for entry in told]
    assert happened.count("ready") == 1 + happened.count("new secret asked")
    for once in ("submitted", "planned", "approved"):
        assert happened.count(once) == 1
