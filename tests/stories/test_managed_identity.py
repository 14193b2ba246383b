"""The bot is its machine's identity: what is waited out, and why it cannot sign in."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
import structlog.testing
from aiohttp import web

from bot.doctor.findings import Mark
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

OTHER = "0f0f0f0f-0000-4000-8000-000000000000"


@pytest.fixture
def own(stage: Stage) -> Credential:
    return stage.tenant.add_managed_identity()


@pytest.fixture
async def machine(stage: Stage, own: Credential) -> AsyncIterator[Machine]:
    """A virtual machine that has the bot's identity, and this process is on it."""
    async with stage.tenant.machine(system=own) as machine:
        with in_the_environment(machine.virtual_machine):
            yield machine


def access(stage: Stage, own: Credential, **changes: str) -> Settings:
    return Settings.read(stage.environ(**(identity(own) | changes)))


async def roles(stage: Stage, access: Settings) -> frozenset[str]:
    """Sign in as runs do, with all retries."""
    async with connected(access, stage.clock) as tenant:
        return await tenant.graph.roles()


async def refusal(stage: Stage, access: Settings) -> GraphError:
    with pytest.raises(GraphError) as caught:
        await roles(stage, access)
    return caught.value


@pytest.mark.parametrize("status", [404, *map(slow, (410, 500, 503))])
async def test_an_endpoint_that_is_being_updated_is_waited_for(
    stage: Stage, own: Credential, machine: Machine, status: int
) -> None:
    fault = stage.tenant.faults.fail("GET", "metadata", status=status, times=6)
    before = stage.clock.now()
    assert "Application.Read.All" in await roles(stage, access(stage, own))
    assert fault.times == 0
    assert (stage.clock.now() - before).total_seconds() < 120
    fault.times = 1000
    error = await refusal(stage, access(stage, own))
    assert type(error) is IdentityUnavailable
    assert fault.times > 970


async def test_an_endpoint_that_is_asked_too_often_is_asked_when_it_says(
    stage: Stage, own: Credential, machine: Machine
) -> None:
    stage.tenant.faults.throttle("GET", "metadata", times=2, retry_after=20)
    before = stage.clock.now()
    await roles(stage, access(stage, own))
    assert (stage.clock.now() - before).total_seconds() >= 40
    statuses = [call.status for call in stage.tenant.calls("GET", "metadata")]
    assert statuses == [429, 429, 200]


async def test_an_identity_that_the_machine_does_not_have(
    stage: Stage, own: Credential, machine: Machine
) -> None:
    machine.system = None
    for where in (machine.virtual_machine, machine.app_service):
        with in_the_environment(where):
            for asked in ("system", own.client_id):
                wanted = access(stage, own, ENTRA_MANAGED_IDENTITY=asked)
                error = await refusal(stage, wanted)
                assert type(error) is IdentityNotAssigned
                assert error.sentence.startswith("The bot itself could not sign in.")


async def test_another_identity_or_tenant_than_the_settings_name_is_not_used(
    stage: Stage, own: Credential, machine: Machine
) -> None:
    stranger = access(stage, own, ENTRA_CLIENT_ID=OTHER)
    assert type(await refusal(stage, stranger)) is IdentityDiffers
    settings = access(stage, own)
    elsewhere = replace(settings, authority=f"{stage.tenant.url}/{OTHER}")
    assert type(await refusal(stage, elsewhere)) is IdentityDiffers
    claims = {"exp": 4_000_000_000, "appid": own.client_id}
    token = jwt.encode(claims, "any key, for nobody checks it here")
    body = {"access_token": token, "expires_in": "3600", "token_type": "Bearer", "resource": "x"}
    stage.tenant.faults.answer("GET", "metadata", body)
    assert type(await refusal(stage, settings)) is IdentityDiffers


async def test_a_disabled_identity_is_told_in_entras_words(
    stage: Stage, own: Credential, machine: Machine
) -> None:
    directory = machine.directory
    principal = directory.find(Kind.SERVICE_PRINCIPAL, appId=own.client_id)
    assert principal is not None
    disabled = {**principal, "accountEnabled": False}
    directory.store.plant(Kind.SERVICE_PRINCIPAL, principal["id"], disabled)
    assert type(await refusal(stage, access(stage, own))) is ApplicationDisabled


@pytest.mark.parametrize(
    "variables",
    [
        {"IDENTITY_ENDPOINT": "x", "IDENTITY_HEADER": "x", "IDENTITY_SERVER_THUMBPRINT": "0" * 40},
        {"IDENTITY_ENDPOINT": "x", "IMDS_ENDPOINT": "x"},
        {"MSI_ENDPOINT": "x", "MSI_SECRET": "x"},
    ],
    ids=["Service Fabric", "Arc", "Machine Learning"],
)
async def test_other_kinds_of_machines_are_not_supported(
    stage: Stage, own: Credential, variables: Environ
) -> None:
    with in_the_environment(variables):
        error = await refusal(stage, access(stage, own))
    assert type(error) is IdentityUnsupported


@pytest.fixture
def nowhere() -> Iterator[Environ]:
    """This process is on a machine where nothing answers."""
    variables = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": HttpEndpoint().url}
    with in_the_environment(variables):
        yield variables


async def test_without_an_endpoint_plan_and_doctor_say_so(
    stage: Stage, own: Credential, nowhere: Environ
) -> None:
    error = await refusal(stage, access(stage, own))
    assert type(error) is IdentityUnreachable
    assert "No managed identity endpoint" in error.sentence
    found = await check_entra(access(stage, own), stage.clock, read_catalogue())
    assert [it.mark for it in found] == [Mark.WRONG]
    assert "No managed identity endpoint" in found[0].sentence
    with pytest.raises(Unreachable) as caught:
        await preview(
            form(), read_catalogue()["mimecast"], settings=access(stage, own), clock=stage.clock
        )
    assert type(caught.value) is IdentityUnreachable


async def test_the_start_waits_for_an_endpoint_and_says_what_it_misses(
    stage: Stage, own: Credential, nowhere: Environ, bot: Bot
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with bot(**identity(own)):
            pass
    advice = next(it["advice"] for it in logs if "outage" in it["event"])
    assert "ENTRA_MANAGED_IDENTITY works only in Azure" in advice


async def test_the_start_ends_where_the_machine_has_no_such_identity(
    stage: Stage, own: Credential, machine: Machine, bot: Bot
) -> None:
    machine.system = None
    assert "does not have the managed identity" in await why_not_started(bot, **identity(own))


async def test_a_right_that_an_identity_lacks_is_given_by_other_means_than_admin_consent(
    stage: Stage, own: Credential, machine: Machine, bot: Bot
) -> None:
    stage.tenant.deny(own, "Application.ReadWrite.OwnedBy")
    found = await check_entra(access(stage, own), stage.clock, read_catalogue())
    [wrong] = [it for it in found if it.mark is Mark.WRONG]
    assert "SETUP.md, With a managed identity" in wrong.advice
    assert "SETUP.md, With a managed identity" in await why_not_started(bot, **identity(own))


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
async def test_a_strange_answer_is_no_token(
    stage: Stage, own: Credential, body: Any, error: type[GraphError]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body)

    app = web.Application()
    app.router.add_get("/{any:.*}", answer)
    async with served(app) as url:
        with in_the_environment({"AZURE_POD_IDENTITY_AUTHORITY_HOST": url}):
            found = await refusal(stage, access(stage, own))
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
