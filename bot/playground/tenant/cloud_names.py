"""What a tenant of each national cloud is called where the bot does not look: graph/clouds.py has
the names that it needs.

learn.microsoft.com/entra/identity-platform/access-token-claims-reference
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class CloudNames(NamedTuple):
    issuer: str
    """The issuer of access tokens, without the tenant: another host than the sign-in's."""
    initial_domain: str
    """Follows the name in each tenant's first domain."""


_USGOV = CloudNames("https://sts.windows.net", "onmicrosoft.us")

CLOUD_NAMES: Mapping[str, CloudNames] = MappingProxyType(
    {
        "public": CloudNames("https://sts.windows.net", "onmicrosoft.com"),
        "usgov": _USGOV,
        "usgov-dod": _USGOV,
        "china": CloudNames("https://sts.chinacloudapi.cn", "partner.onmschina.cn"),
    }
)
"""By the name of the cloud."""
