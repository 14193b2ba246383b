"""The simulated vendor reads the tenant with the key that the bot handed over, as a real one."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import trustme

from bot.playground import vendor as vendors
from bot.playground.clock import MovableClock
from bot.playground.directory_sync import USER_AGENT
from bot.playground.tenant import Credential, Tenant, running
from bot.playground.vendor import CannotSync, Vendor
from graph.clouds import Cloud
from tests.support.graph_caller import Asking, asking
from tests.support.story import Story
from tests.support.vendor_story import copied, synced

READERS = ("Directory.Read.All", "User.Read.All")
USERS, GROUPS = 60, 8


@pytest.fixture
async def tenant(clock: MovableClock, cloud: Cloud, ca: trustme.CA) -> AsyncIterator[Tenant]:
    async with running(clock=clock, cloud=cloud, ca=ca, users=USERS, groups=GROUPS) as tenant:
        yield tenant


@pytest.fixture
def vendor(tenant: Tenant, clock: MovableClock) -> Vendor:
    vendor = vendors.of(tenant, clock)
    vendor._entra = replace(vendor._entra, page=25)
    return vendor


@pytest.fixture
def reader(tenant: Tenant) -> Credential:
    return tenant.add_administrator(READERS)


@pytest.fixture
async def graph(tenant: Tenant) -> AsyncIterator[Asking]:
    async with asking(tenant, tenant.administrator) as graph:
        yield graph


def pasted(credential: Credential, **changes: str) -> dict[str, str]:
    own = {"APPLICATION_ID": credential.client_id, "KEY": credential.client_secret}
    return {**own, **changes}


@pytest.mark.slow
async def test_the_values_in_slack_let_it_read_as_much_as_the_card_says(
    story: Story, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    id = await story.ready(Profile="Mimecast directory connector")
    await story.revealed(id)
    values = copied(story.workspace.ephemerals("rosa")[-1]["blocks"])
    vendor = vendors.of(story.tenant, story.clock)
    vendor.save(values)
    await vendor.sync()
    result = vendor.to_json()["result"]
    assert result["ok"], result
    read = f"The app can read {result['users']:,} users and {result['groups']:,} groups."
    assert read in story.workspace.text_of(story.card_of(id))
    calls = [call.path for call in story.tenant.log if call.user_agent == USER_AGENT]
    assert [path.rpartition("/")[2] for path in calls] == ["token", "users", "groups"]
    told = f"{caplog.text}{vendor.to_json()}"
    assert not any(secret in told for secret in story.tenant.minted)


async def test_it_reads_page_by_page(tenant: Tenant, vendor: Vendor, reader: Credential) -> None:
    result = await synced(vendor, **pasted(reader))
    assert (result["users"], result["groups"]) == (USERS, GROUPS)
    assert result["text"] == "Read 60 users and 8 groups."
    assert len(tenant.calls("GET", "/users")) == 3


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        ({}, ["3 accounts are disabled in the directory, but stay active here."]),
        (
            {"ACKNOWLEDGE": "Yes"},
            ["3 accounts are disabled in the directory, and so also here."],
        ),
        (
            {"FILTER": "Partner.example; nowhere.example"},
            [
                "2 users have an address in partner.example, nowhere.example;"
                " 58 left out by the filter."
            ],
        ),
    ],
)
async def test_filter_and_disabled_accounts_are_minded(
    vendor: Vendor, reader: Credential, changes: dict[str, str], details: list[str]
) -> None:
    result = await synced(vendor, **pasted(reader, **changes))
    assert (result["users"], result["details"]) == (USERS, details)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"KEY": "abc8Q~wrong"}, "does not accept the Key"),
        ({"KEY": "abc••••••••"}, "The Key is masked"),
        ({"KEY": "11111111-2222-3333-4444-555555555555"}, "id of a secret, not its value"),
        (
            {"APPLICATION_ID": "11111111-2222-3333-4444-555555555555"},
            "no application with this Application Id in northwind.example",
        ),
        ({"TENANT_DOMAIN": "contoso.example"}, "no organisation with the domain contoso.example"),
    ],
)
async def test_a_mistake_is_told_in_plain_words(
    vendor: Vendor, reader: Credential, changes: dict[str, str], words: str
) -> None:
    result = await synced(vendor, **pasted(reader, **changes))
    assert not result["ok"]
    assert words in result["text"]
    assert result["advice"]


async def test_without_consent_it_signs_in_and_may_not_read(tenant: Tenant, vendor: Vendor) -> None:
    result = await synced(vendor, **pasted(tenant.add_administrator(())))
    assert "no administrator has consented" in result["text"]
    assert "Grant admin consent" in result["advice"]


async def test_an_application_that_ends_is_told(
    clock: MovableClock, graph: Asking, vendor: Vendor
) -> None:
    application = await graph.application()
    await graph.principal(application["appId"])
    end = (clock.now() + timedelta(days=1)).isoformat()
    secret = await graph.secret(application, endDateTime=end)
    own = {"APPLICATION_ID": application["appId"], "KEY": secret["secretText"]}
    assert "no administrator" in (await synced(vendor, **own))["text"]
    clock.move(timedelta(days=2))
    assert "The Key has expired. (AADSTS7000222)" in (await synced(vendor, **own))["text"]
    async with asking(graph.tenant, graph.tenant.administrator) as again:
        await again.delete(f"/applications/{application['id']}")
    assert "There is no application" in (await synced(vendor, **own))["text"]


@pytest.mark.parametrize(
    ("path", "fault", "words"),
    [
        ("token", "fail", "Microsoft's sign-in failed (HTTP 503)."),
        ("/users", "fail", "Microsoft Graph failed (HTTP 503)."),
        ("/groups", "html", "Microsoft Graph failed (HTTP 502)."),
        ("/groups", "reset", "The connection to Microsoft broke off"),
        ("/users", "throttle", "Microsoft Graph is busy and asked to be left alone for 10 seconds"),
    ],
)
async def test_trouble_at_microsoft_is_told_and_passes(
    tenant: Tenant, vendor: Vendor, reader: Credential, path: str, fault: str, words: str
) -> None:
    getattr(tenant.faults, fault)("GET|POST", path)
    assert words in (await synced(vendor, **pasted(reader)))["text"]
    tenant.faults.clear()
    await vendor.sync()
    assert vendor.to_json()["result"]["ok"]


async def test_one_sync_at_a_time(tenant: Tenant, vendor: Vendor, reader: Credential) -> None:
    held = tenant.faults.hold("POST", "token")
    first = asyncio.create_task(synced(vendor, **pasted(reader)))
    await held.reached.wait()
    assert vendor.to_json()["syncing"]
    with pytest.raises(CannotSync, match="running already"):
        await vendor.sync()
    held.release()
    assert (await first)["ok"]
