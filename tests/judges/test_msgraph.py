"""azure-identity and msgraph-sdk do the whole job at the simulated tenant."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.judges.presence import need_package
from tests.support.simulator_process import SimulatorProcess, simulator_process

if TYPE_CHECKING:
    from tests.judges import graph_sdk

USERS = 250

pytestmark = [
    pytest.mark.slow,
    # The SDK's generated modules warn of each other as they are imported.
    pytest.mark.filterwarnings("ignore:GetQueryParameters is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This class is deprecated. Please use:DeprecationWarning"),
]


@pytest.fixture
def sdk() -> Any:
    for package in ("azure.identity", "msgraph", "deprecated"):
        need_package(package)
    from tests.judges import graph_sdk  # here, because it may not be installed

    return graph_sdk


@pytest.fixture
async def tenant(sdk: Any, tmp_path: Path) -> AsyncIterator[SimulatorProcess]:
    size = ("--users", str(USERS), "--groups", "10")
    async with simulator_process("tenant", *size, "--json", folder=tmp_path) as tenant:
        yield tenant


@pytest.fixture
async def administrator(sdk: Any, tenant: SimulatorProcess) -> "AsyncIterator[graph_sdk.Client]":
    facts = tenant.facts
    credential = sdk.blocking(facts, facts["client_id"], facts["client_secret"])
    async with sdk.client_of(facts, credential) as client:
        yield client


async def test_a_new_application_reads_the_directory(
    sdk: Any, tenant: SimulatorProcess, administrator: "graph_sdk.Client"
) -> None:
    made, secret = await administrator.register("judged", role="User.Read.All", scope="User.Read")
    assert secret.secret_text.startswith(secret.hint)
    credential = sdk.asynchronous(tenant.facts, made.app_id, secret.secret_text)
    async with sdk.client_of(tenant.facts, credential) as judged:
        people = await judged.all_users(top=100, select=["id", "displayName"])
        assert len({person.id for person in people}) == USERS
        assert await judged.count_users() == USERS
        disabled = await judged.users(
            filter="accountEnabled eq false", select=["userPrincipalName"], count=True, top=5
        )
        assert disabled.odata_count == USERS * 1 // 20
        assert len(disabled.value) == 5
        assert disabled.odata_next_link
        assert disabled.value[0].user_principal_name
        assert disabled.value[0].display_name is None
        graph = judged.graph
        assert await judged.batch(
            graph.users.to_get_request_information(),
            graph.applications.to_get_request_information(),
        ) == {"0": 200, "1": 403}


async def test_what_is_deleted_is_found_and_purged(administrator: "graph_sdk.Client") -> None:
    made, _ = await administrator.register("judged", role="User.Read.All", scope="User.Read")
    graph, id = administrator.graph, made.id
    await graph.applications.by_application_id(id).delete()
    assert await administrator.deleted_applications() == [id]
    await graph.directory.deleted_items.by_directory_object_id(id).delete()
    assert await administrator.deleted_applications() == []


async def test_refusals_are_errors_that_the_sdk_understands(
    sdk: Any, administrator: "graph_sdk.Client"
) -> None:
    missing = "11111111-2222-4333-8444-555555555555"
    with pytest.raises(sdk.ODataError) as refused:
        await administrator.graph.applications.by_application_id(missing).get()
    assert refused.value.response_status_code == 404
    error = refused.value.error
    assert error.code == "Request_ResourceNotFound"
    assert missing in error.message
    assert error.inner_error.request_id == refused.value.response_headers["request-id"]
    assert error.inner_error.date
    with pytest.raises(sdk.ODataError) as refused:
        await administrator.users()
    assert refused.value.response_status_code == 403
    assert refused.value.error.code == "Authorization_RequestDenied"


async def test_a_throttled_call_is_made_again(
    sdk: Any, tenant: SimulatorProcess, administrator: "graph_sdk.Client"
) -> None:
    throttle = {"method": "GET", "path": "/v1.0/organization", "retry_after": 1}
    await sdk.set_faults(tenant.facts, throttle=[throttle])
    organization = await administrator.graph.organization.get()
    assert [it.id for it in organization.value] == [tenant.facts["tenant_id"]]


@pytest.mark.parametrize("kind", ["blocking", "asynchronous"])
async def test_a_wrong_secret_is_refused_with_entras_number(
    sdk: Any, tenant: SimulatorProcess, kind: str
) -> None:
    facts = tenant.facts
    credential = getattr(sdk, kind)(facts, facts["client_id"], "wrong-one")
    async with sdk.client_of(facts, credential) as client:
        with pytest.raises(sdk.ClientAuthenticationError, match="AADSTS7000215"):
            await client.graph.organization.get()
