"""The bot is its machine's identity: what is waited out, and why it cannot sign in."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jwt
import pytest
import structlog.testing
from aiohttp import web

from bot.doctor.findings import Finding, Mark
from bot.doctor.services import check_entra
from bot.domain.catalogue import read_catalogue
from bot.planning.plans import preview
from bot.playground.stage import Stage
from bot.playground.tenant import Credential, Machine
from bot.playground.tenant.replicas import Kind
from bot.settings.settings import Settings
from graph.clouds import PUBLIC
from graph.connection import connected
from graph.errors import (
    GraphError,
    SignInFailed,
    Throttled,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from graph.managed_identity import (
    IdentityDiffers,
    IdentityNotAssigned,
    IdentityUnavailable,
    IdentityUnreachable,
    IdentityUnsupported,
    from_identity_answer,
)
from graph.signin_errors import ApplicationDisabled, ResourceUnknown
from tests.support.bot_credentials import Environ, identity, in_the_environment
from tests.support.factories import form
from tests.support.http_endpoint import HttpEndpoint
from tests.support.marks import slow
from tests.support.running_bot import Bot, why_not_started
from tests.support.small_bot import served

pytestmark = pytest.mark.slow

on_a_machine = pytest.mark.usefixtures("machine")
OTHER = "0f0f0f0f-0000-4000-8000-000000000000"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A managed identity of the bot's, and how it signs in with it."""

    stage: Stage
    own: Credential

    def access(self, **changes: str) -> Settings:
        return Settings.read(self.stage.environ(**(identity(self.own) | changes)))

    async def roles(self, access: Settings | None = None) -> frozenset[str]:
        """Sign in as runs do, with all retries."""
        async with connected(access or self.access(), self.stage.clock) as tenant:
            return await tenant.graph.roles()

    async def refusal(self, access: Settings | None = None) -> GraphError:
        with pytest.raises(GraphError) as caught:
            await self.roles(access)
        return caught.value

    async def examined(self) -> list[Finding]:
        """Return what the doctor says."""
        return list(await check_entra(self.access(), self.stage.clock, read_catalogue()))


@pytest.fixture
def bots(stage: Stage) -> Identity:
    return Identity(stage=stage, own=stage.tenant.add_managed_identity())


@pytest.fixture
async def machine(stage: Stage, bots: Identity) -> AsyncIterator[Machine]:
    """A virtual machine that has the bot's identity, and this process is on it."""
    async with stage.tenant.machine(system=bots.own) as machine:
        with in_the_environment(machine.virtual_machine):
            yield machine


@pytest.mark.parametrize("status", [404, *map(slow, (410, 500, 503))])
@on_a_machine
async def test_an_endpoint_that_is_being_updated_is_waited_for(bots: Identity, status: int) -> None:
    fault = bots.stage.tenant.faults.fail("GET", "metadata", status=status, times=6)
    before = bots.stage.clock.now()
    assert "Application.Read.All" in await bots.roles()
    assert fault.times == 0
    assert (bots.stage.clock.now() - before).total_seconds() < 120
    fault.times = 1000
    error = await bots.refusal()
    assert type(error) is IdentityUnavailable
    assert fault.times > 970


@on_a_machine
async def test_an_endpoint_that_is_asked_too_often_is_asked_when_it_says(bots: Identity) -> None:
    bots.stage.tenant.faults.throttle("GET", "metadata", times=2, retry_after=20)
    before = bots.stage.clock.now()
    await bots.roles()
    assert (bots.stage.clock.now() - before).total_seconds() >= 40
    statuses = [call.status for call in bots.stage.tenant.calls("GET", "metadata")]
    assert statuses == [429, 429, 200]


async def test_an_identity_that_the_machine_does_not_have(bots: Identity, machine: Machine) -> None:
    machine.system = None
    for where in (machine.virtual_machine, machine.app_service):
        with in_the_environment(where):
            for asked in ("system", bots.own.client_id):
                wanted = bots.access(ENTRA_MANAGED_IDENTITY=asked)
                error = await bots.refusal(wanted)
                assert type(error) is IdentityNotAssigned
                assert error.sentence.startswith("The bot itself could not sign in.")


@on_a_machine
async def test_another_identity_or_tenant_than_in_the_settings_is_not_used(bots: Identity) -> None:
    stranger = bots.access(ENTRA_CLIENT_ID=OTHER)
    assert type(await bots.refusal(stranger)) is IdentityDiffers
    settings = bots.access()
    elsewhere = replace(settings, authority=f"{bots.stage.tenant.url}/{OTHER}")
    assert type(await bots.refusal(elsewhere)) is IdentityDiffers
    claims = {"exp": 4_000_000_000, "appid": bots.own.client_id}
    token = jwt.encode(claims, "any key, for nobody checks it here")
    body = {"access_token": token, "expires_in": "3600", "token_type": "Bearer", "resource": "x"}
    bots.stage.tenant.faults.answer("GET", "metadata", body)
    assert type(await bots.refusal(settings)) is IdentityDiffers


async def test_a_disabled_identity_is_told_as_entra_does(bots: Identity, machine: Machine) -> None:
    directory = machine.directory
    principal = directory.find(Kind.SERVICE_PRINCIPAL, appId=bots.own.client_id)
    assert principal is not None
    disabled = {**principal, "accountEnabled": False}
    directory.store.plant(Kind.SERVICE_PRINCIPAL, principal["id"], disabled)
    assert type(await bots.refusal()) is ApplicationDisabled


@pytest.mark.parametrize(
    "variables",
    [
        {"IDENTITY_ENDPOINT": "x", "IDENTITY_HEADER": "x", "IDENTITY_SERVER_THUMBPRINT": "0" * 40},
        {"IDENTITY_ENDPOINT": "x", "IMDS_ENDPOINT": "x"},
        {"MSI_ENDPOINT": "x", "MSI_SECRET": "x"},
    ],
    ids=["Service Fabric", "Arc", "Machine Learning"],
)
async def test_other_kinds_of_machine_are_not_supported(bots: Identity, variables: Environ) -> None:
    with in_the_environment(variables):
        error = await bots.refusal()
    assert type(error) is IdentityUnsupported


@pytest.fixture
def nowhere() -> Iterator[Environ]:
    """This process is on a machine where nothing answers."""
    variables = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": HttpEndpoint().url}
    with in_the_environment(variables):
        yield variables


@pytest.mark.usefixtures("nowhere")
async def test_without_an_endpoint_plan_and_doctor_say_so(bots: Identity) -> None:
    error = await bots.refusal()
    assert type(error) is IdentityUnreachable
    assert "No managed identity endpoint" in error.sentence
    found = await bots.examined()
    assert [it.mark for it in found] == [Mark.WRONG]
    assert "No managed identity endpoint" in found[0].sentence
    with pytest.raises(Unreachable) as caught:
        await preview(
            form(), read_catalogue()["mimecast"], settings=bots.access(), clock=bots.stage.clock
        )
    assert type(caught.value) is IdentityUnreachable


@pytest.mark.usefixtures("nowhere")
async def test_the_start_waits_for_an_endpoint_and_says_so(bots: Identity, bot: Bot) -> None:
    with structlog.testing.capture_logs() as logs:
        async with bot(**identity(bots.own)):
            pass
    advice = next(it["advice"] for it in logs if "outage" in it["event"])
    assert "ENTRA_MANAGED_IDENTITY works only in Azure" in advice


async def test_the_start_ends_where_the_machine_has_no_such_identity(
    bots: Identity, machine: Machine, bot: Bot
) -> None:
    machine.system = None
    assert "does not have the managed identity" in await why_not_started(bot, **identity(bots.own))


@on_a_machine
async def test_a_right_that_an_identity_lacks_is_given_by_other_means_than_admin_consent(
    bots: Identity, bot: Bot
) -> None:
    bots.stage.tenant.deny(bots.own, "Application.ReadWrite.OwnedBy")
    found = await bots.examined()
    [wrong] = [it for it in found if it.mark is Mark.WRONG]
    assert "SETUP.md, With a managed identity" in wrong.advice
    assert "SETUP.md, With a managed identity" in await why_not_started(bot, **identity(bots.own))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, UnexpectedAnswer),
        ({"access_token": "", "expires_in": "3600"}, UnexpectedAnswer),
        ({"access_token": "a.b.c", "expires_in": "soon"}, UnexpectedAnswer),
        ({"access_token": "a.b.c", "expires_in": None}, UnexpectedAnswer),
        slow({"access_token": "a.b.c", "expires_in": "3600"}, Unavailable),
        slow([], IdentityUnavailable),
        ("<html>", IdentityUnavailable),
    ],
)
async def test_an_odd_answer_is_no_token(
    bots: Identity, body: Any, error: type[GraphError]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    app = web.Application()
    app.router.add_get("/{any:.*}", answer)
    async with served(app) as url:
        with in_the_environment({"AZURE_POD_IDENTITY_AUTHORITY_HOST": url}):
            found = await bots.refusal()
    assert type(found) is error


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, {}, Throttled),
        (400, {"error": "invalid_request"}, IdentityNotAssigned),
        (400, None, IdentityNotAssigned),
        (400, {"error_description": "AADSTS500011: not found"}, ResourceUnknown),
        (401, {"message": "hunter2"}, SignInFailed),
        (403, [], SignInFailed),
    ],
)
def test_what_a_refusal_means(status: int, body: Any, error: type[GraphError]) -> None:
    found = from_identity_answer(status, body, None, PUBLIC)
    assert type(found) is error
    assert "hunter2" not in f"{found.sentence} {found.advice} {found!r}"
