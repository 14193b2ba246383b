"""The national clouds: Microsoft's hosts and names in each of them, as the bot needs them.

learn.microsoft.com/graph/deployments, learn.microsoft.com/entra/identity-platform/authentication-
national-cloud
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """A cloud. Addresses are URLs without a path."""

    name: str
    """Its name in the setting ENTRA_CLOUD."""
    login: str
    graph: str
    """Microsoft Graph's address, which is also its name in scopes and the audience of tokens."""
    admin_centre: str
    federated_audience: str
    """The audience of a token of another issuer that is exchanged here."""

    def permissions_page(self, tenant_id: str, app_id: str) -> str:
        """Return the link to an application's page *API permissions*, with its consent button.

        The tenant's id is in the path, because an administrator may be signed in to several: the
        page opens in the last one used otherwise, and does not find the application there. No page
        of Microsoft's documents either form; tools for administrators of many tenants use this one.
        """
        page = "#view/Microsoft_AAD_RegisteredApps/ApplicationMenuBlade/~/CallAnAPI"
        return f"{self.admin_centre}/{tenant_id}/{page}/appId/{app_id}"

    def error_page(self, number: int) -> str:
        """Return the link to Entra's explanation of an error of the sign-in."""
        return f"{self.login}/error?code={number}"


PUBLIC = Cloud(
    name="public",
    login="https://login.microsoftonline.com",
    graph="https://graph.microsoft.com",
    admin_centre="https://entra.microsoft.com",
    federated_audience="api://AzureADTokenExchange",
)
_USGOV = Cloud(
    name="usgov",
    login="https://login.microsoftonline.us",
    graph="https://graph.microsoft.us",
    admin_centre="https://entra.microsoft.us",
    federated_audience="api://AzureADTokenExchangeUSGov",
)
_DOD = replace(_USGOV, name="usgov-dod", graph="https://dod-graph.microsoft.us")
_CHINA = Cloud(
    name="china",
    login="https://login.partner.microsoftonline.cn",
    graph="https://microsoftgraph.chinacloudapi.cn",
    admin_centre="https://entra.microsoftonline.cn",
    federated_audience="api://AzureADTokenExchangeChina",
)

CLOUDS: Mapping[str, Cloud] = MappingProxyType(
    {each.name: each for each in (PUBLIC, _USGOV, _DOD, _CHINA)}
)
