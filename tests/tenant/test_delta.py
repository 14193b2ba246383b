"""Change tracking: whole, then what has changed since, with lag and expiry."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bot.playground.clock import MovableClock
from bot.playground.tenant import Tenant
from tests.tenant.asking import Asking, asking, code_of, connector


@pytest.fixture
async def sync(tenant: Tenant) -> AsyncIterator[Asking]:
    """A directory sync that reads people and applications."""
    async with connector(
        tenant, "User.Read.All", "GroupMember.Read.All", "Application.Read.All"
    ) as it:
        yield it


async def round_of(graph: Asking, link: str, **more: Any) -> tuple[list[dict[str, Any]], str]:
    """Follow a round to its end: everything it reports, and the link that begins the next."""
    rows: list[dict[str, Any]] = []
    while True:
        answer = await graph.get(link, **more)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows += body["value"]
        if "@odata.deltaLink" in body:
            assert "@odata.nextLink" not in body
            return rows, str(body["@odata.deltaLink"])
        link = body["@odata.nextLink"]


def user(tenant: Tenant, number: int) -> dict[str, Any]:
    return tenant.people.users[number]


@pytest.mark.parametrize(
    "name", ["delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"]
)
async def test_a_first_round_tells_everything(tenant: Tenant, sync: Asking, name: str) -> None:
    rows, link = await round_of(sync, f"/users/{name}")
    assert [row["id"] for row in rows] == [row["id"] for row in tenant.people.users]
    assert "department" not in rows[0]
    assert (await round_of(sync, link))[0] == []


async def test_a_later_round_tells_what_has_changed(tenant: Tenant, sync: Asking) -> None:
    _, link = await round_of(sync, "/users/delta?$select=displayName,mail")
    user(tenant, 3)["displayName"] = "Renamed"
    user(tenant, 4)["department"] = "not selected"
    removed = tenant.people.users.pop(5)["id"]
    rows, link = await round_of(sync, link)
    assert rows == [
        {"displayName": "Renamed", "mail": user(tenant, 3)["mail"], "id": user(tenant, 3)["id"]},
        {"id": removed, "@removed": {"reason": "deleted"}},
    ]
    assert (await round_of(sync, link))[0] == []


async def test_minimal_answers_hold_only_what_has_changed(tenant: Tenant, sync: Asking) -> None:
    _, link = await round_of(sync, "/users/delta?$select=displayName,mail,jobTitle")
    user(tenant, 3)["mail"] = None
    rows, _ = await round_of(sync, link, headers={"Prefer": "return=minimal"})
    assert rows == [{"mail": None, "id": user(tenant, 3)["id"]}]


async def test_a_round_may_begin_now(tenant: Tenant, sync: Asking) -> None:
    rows, link = await round_of(sync, "/users/delta?$deltaToken=latest")
    assert rows == []
    user(tenant, 0)["displayName"] = "Renamed"
    assert [row["displayName"] for row in (await round_of(sync, link))[0]] == ["Renamed"]


async def test_single_objects_can_be_followed(tenant: Tenant, sync: Asking) -> None:
    ids = [user(tenant, number)["id"] for number in (1, 2)]
    wanted = f"id eq '{ids[0]}' or id eq '{ids[1]}'"
    answer = await sync.get("/users/delta", params={"$filter": wanted, "$select": "id"})
    assert [row["id"] for row in answer.json()["value"]] == ids
    user(tenant, 1)["mail"] = user(tenant, 7)["mail"] = "new@northwind.example"
    assert (await round_of(sync, answer.json()["@odata.deltaLink"]))[0] == []  # id never changes


async def test_memberships_are_followed_if_selected(tenant: Tenant, sync: Asking) -> None:
    group = tenant.people.groups[0]["id"]
    members = tenant.people.members[group]
    rows, link = await round_of(sync, "/groups/delta?$select=displayName,members")
    assert {each["id"] for each in rows[0]["members@delta"]} == set(members)
    gone, new = members.pop(), user(tenant, 1999)["id"]
    members.append(new)
    rows, _ = await round_of(sync, link)
    kind = {"@odata.type": "#microsoft.graph.user"}
    assert rows[0]["members@delta"] == [
        {**kind, "id": new},
        {**kind, "id": gone, "@removed": {"reason": "deleted"}},
    ]
    assert "members@delta" not in (await round_of(sync, "/groups/delta"))[0][0]


async def test_applications_come_change_and_go(graph: Asking) -> None:
    _, link = await round_of(graph, "/applications/delta?$select=displayName")
    application = await graph.application()
    rows, link = await round_of(graph, link)
    assert rows == [{"displayName": "Mimecast", "id": application["id"]}]
    await graph.delete(f"/applications/{application['id']}")
    rows, link = await round_of(graph, link)
    assert rows == [{"id": application["id"], "@removed": {"reason": "changed"}}]
    await graph.delete(f"/directory/deletedItems/{application['id']}")
    rows, link = await round_of(graph, link)
    assert rows == [{"id": application["id"], "@removed": {"reason": "deleted"}}]
    assert (await round_of(graph, link))[0] == []


async def test_what_was_gone_before_is_not_told(graph: Asking) -> None:
    application = await graph.application()
    await graph.delete(f"/applications/{application['id']}")
    rows, _ = await round_of(graph, "/applications/delta")
    assert application["id"] not in [row["id"] for row in rows]


async def test_changes_lag_and_are_told_once(
    tenant: Tenant, clock: MovableClock, graph: Asking
) -> None:
    tenant.faults.lag = (10.0, 600.0)
    _, link = await round_of(graph, "/servicePrincipals/delta?$deltatoken=latest")
    await graph.application()
    told: list[str] = []
    _, link = await round_of(graph, "/applications/delta?$deltatoken=latest")
    for _ in range(40):
        rows, link = await round_of(graph, link)
        told += [row.get("displayName", "removed") for row in rows]
        clock.move(timedelta(seconds=20))
    assert told == ["Mimecast"]


async def test_who_owns_little_is_told_little(tenant: Tenant, graph: Asking) -> None:
    await graph.application()
    async with connector(tenant, "Application.ReadWrite.OwnedBy") as other:
        mine = await other.application("key-2")
        rows, link = await round_of(other, "/applications/delta")
    assert [row["id"] for row in rows] == [mine["id"]]
    stolen = await graph.get(link)
    assert (stolen.status_code, code_of(stolen)) == (400, "Request_BadRequest")


async def test_tokens_expire_after_seven_days(clock: MovableClock, tenant: Tenant) -> None:
    credential = tenant.add_administrator(["User.Read.All"])
    async with asking(tenant, credential) as sync:
        _, link = await round_of(sync, "/users/delta?$deltatoken=latest")
    clock.move(timedelta(days=7, seconds=1))
    async with asking(tenant, credential) as sync:
        answer = await sync.get(link)
        assert (answer.status_code, code_of(answer)) == (410, "syncStateNotFound")
        rows, _ = await round_of(sync, answer.headers["Location"])
    assert len(rows) == len(tenant.people.users)


@pytest.mark.parametrize(
    "query",
    [
        "$top=5",
        "$expand=members",
        "$orderby=displayName",
        "$count=true",
        "$filter=displayName eq 'x'",
        "$filter=id eq 'x'",
        "$select=colour",
        "$deltatoken=nonsense",
        "$skiptoken=nonsense",
        "$skiptoken=%C3%A9",
        "$deltatoken=latest&$top=1",
        "$deltatoken=" + "0" * 32,
    ],
)
async def test_what_is_not_supported_is_refused(sync: Asking, query: str) -> None:
    assert (await sync.get(f"/users/delta?{query}")).status_code == 400


async def test_a_token_belongs_to_one_collection(sync: Asking) -> None:
    _, link = await round_of(sync, "/users/delta?$deltatoken=latest")
    assert (await sync.get(link.replace("/users/", "/groups/"))).status_code == 400


async def test_basic_rights_do_not_track(tenant: Tenant) -> None:
    async with connector(tenant, "User.ReadBasic.All", "Group.ReadBasic.All") as graph:
        answers = [await graph.get(path) for path in ("/users/delta", "/groups/delta")]
    assert [answer.status_code for answer in answers] == [403, 403]
