"""The two kinds of permission, and the resources that publish them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

MICROSOFT_GRAPH = "00000003-0000-0000-c000-000000000000"

AZURE_AD_GRAPH = "00000002-0000-0000-c000-000000000000"
"""Gone since August 2025; only recognised, never asked for."""


class Kind(StrEnum):
    """The two kinds of permission, in the words of `requiredResourceAccess`."""

    ROLE = "Role"
    """An application permission: the application acts as itself."""
    SCOPE = "Scope"
    """A delegated permission: the application acts for a signed-in user."""


KIND_WORDS: Mapping[Kind, str] = MappingProxyType(
    {Kind.ROLE: "application", Kind.SCOPE: "delegated"}
)
"""The kinds as the Entra admin centre calls them."""
