"""Microsoft's own clients of Entra and Graph: azure-identity and msgraph-sdk, as they come.

Only what their documentation offers is set: authority, instance discovery, certificate authority,
scopes, hosts that may get a token, the HTTP client.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncClientSecretCredential
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.models.app_role_assignment import AppRoleAssignment
from msgraph.generated.models.application import Application
from msgraph.generated.models.o_auth2_permission_grant import OAuth2PermissionGrant
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph.generated.models.user import User
from msgraph.generated.models.user_collection_response import UserCollectionResponse
from msgraph.generated.service_principals.service_principals_request_builder import (
    ServicePrincipalsRequestBuilder,
)
from msgraph.generated.users.count.count_request_builder import CountRequestBuilder
from msgraph.generated.users.users_request_builder import UsersRequestBuilder
from msgraph_core import GraphClientFactory, PageIterator
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_item import BatchRequestItem

from tests.judges.presence import sign_in_options

__all__ = ["Client", "ClientAuthenticationError", "ODataError", "asynchronous", "blocking"]

GRAPH = "00000003-0000-0000-c000-000000000000"
Facts = Mapping[str, Any]


def blocking(facts: Facts, client_id: str, client_secret: str) -> ClientSecretCredential:
    """azure-identity's credential on msal and requests."""
    options = sign_in_options(facts["url"], facts["ca_file"])
    return ClientSecretCredential(facts["tenant_id"], client_id, client_secret, **options)


def asynchronous(facts: Facts, client_id: str, client_secret: str) -> AsyncClientSecretCredential:
    """azure-identity's other one, on a protocol of its own and aiohttp."""
    options = sign_in_options(facts["url"], facts["ca_file"])
    return AsyncClientSecretCredential(facts["tenant_id"], client_id, client_secret, **options)


@asynccontextmanager
async def client_of(
    facts: Facts, credential: ClientSecretCredential | AsyncClientSecretCredential
) -> AsyncIterator["Client"]:
    trust = ssl.create_default_context(cafile=facts["ca_file"])
    base = f"{facts['graph_url']}/v1.0"
    transport = httpx.AsyncHTTPTransport(verify=trust, trust_env=False)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        adapter = GraphRequestAdapter(
            AzureIdentityAuthenticationProvider(
                credential,
                scopes=[f"{facts['graph_url']}/.default"],
                allowed_hosts=[httpx.URL(base).host],
            ),
            client=GraphClientFactory.create_with_default_middleware(client=http),
        )
        adapter.base_url = base
        yield Client(graph=GraphServiceClient(request_adapter=adapter), adapter=adapter)
    await transport.aclose()  # the SDK puts its own around it, which closes nothing
    closed = credential.close()
    if closed is not None:
        await closed


async def set_faults(facts: Facts, **faults: object) -> None:
    trust = ssl.create_default_context(cafile=facts["ca_file"])
    async with httpx.AsyncClient(verify=trust, trust_env=False) as http:
        answer = await http.post(f"{facts['url']}/sim/faults", json=faults)
    answer.raise_for_status()


@dataclass(frozen=True, kw_only=True)
class Client:
    graph: GraphServiceClient
    adapter: GraphRequestAdapter

    async def register(
        self, name: str, *, role: str, scope: str
    ) -> tuple[Application, PasswordCredential]:
        """Do the whole job: application, service principal, both grants, secret. Return the first
        and the last of them.
        """
        graph = self.graph
        application = await graph.applications.post(
            Application(display_name=name, sign_in_audience="AzureADMyOrg")
        )
        principal = await graph.service_principals.post(ServicePrincipal(app_id=application.app_id))
        resource = await self.resource()
        [role_id] = [it.id for it in resource.app_roles if it.value == role]
        await graph.service_principals.by_service_principal_id(
            resource.id
        ).app_role_assigned_to.post(
            AppRoleAssignment(
                principal_id=UUID(principal.id), resource_id=UUID(resource.id), app_role_id=role_id
            )
        )
        await graph.oauth2_permission_grants.post(
            OAuth2PermissionGrant(
                client_id=principal.id,
                consent_type="AllPrincipals",
                resource_id=resource.id,
                scope=scope,
            )
        )
        wanted = PasswordCredential(display_name="made by the SDK")
        secret = await graph.applications.by_application_id(application.id).add_password.post(
            AddPasswordPostRequestBody(password_credential=wanted)
        )
        return application, secret

    async def resource(self) -> ServicePrincipal:
        """Return Microsoft Graph's own service principal, with its roles."""
        found = await self.graph.service_principals.get(
            RequestConfiguration(
                query_parameters=ServicePrincipalsRequestBuilder.ServicePrincipalsRequestBuilderGetQueryParameters(
                    filter=f"appId eq '{GRAPH}'"
                )
            )
        )
        [resource] = found.value
        return resource

    async def users(self, **query: Any) -> UserCollectionResponse:
        """Return the first page; `query` are filter, select, top, count."""
        wanted = RequestConfiguration(
            query_parameters=UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(**query)
        )
        if query.get("count"):
            wanted.headers.add("ConsistencyLevel", "eventual")
        return await self.graph.users.get(wanted)

    async def all_users(self, **query: Any) -> list[User]:
        """Return everybody, page by page."""
        seen: list[User] = []

        def keep(user: User) -> bool:
            seen.append(user)
            return True

        await PageIterator(await self.users(**query), self.adapter).iterate(keep)
        return seen

    async def count_users(self) -> int:
        wanted: Any = RequestConfiguration(
            query_parameters=CountRequestBuilder.CountRequestBuilderGetQueryParameters()
        )
        wanted.headers.add("ConsistencyLevel", "eventual")
        return int(await self.graph.users.count.get(wanted))

    async def batch(self, *requests: Any) -> dict[str, int]:
        """Send requests in one, named by their places; return the status of each."""
        items = [BatchRequestItem(it, id=str(place)) for place, it in enumerate(requests)]
        for item in items:
            # The SDK writes absolute addresses, which the real service refuses, too; this is what
            # its users do: github.com/microsoftgraph/msgraph-sdk-python/issues/1015
            item.url = item.url.removeprefix(self.adapter.base_url)
        content = BatchRequestContent({item.id: item for item in items})
        answer = await BatchRequestBuilder(self.adapter).post(content)
        return dict(answer.get_response_status_codes())

    async def deleted_applications(self) -> list[str]:
        found = await self.graph.directory.deleted_items.graph_application.get()
        return [it.id for it in found.value]
