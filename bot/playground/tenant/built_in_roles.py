"""Directory roles that people hold: some of Entra's built-in ones, by name and template id.

learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference. Tokens of people
carry the template ids as `wids`. Like owners, roles do not lag.
"""

from collections.abc import Mapping
from typing import Any

from bot.playground.tenant.directory import Directory

TEMPLATES: Mapping[str, str] = {
    "Application Administrator": "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",
    "Application Developer": "cf1c38e5-3621-4004-a7cb-879624dced7c",
    "Cloud Application Administrator": "158c047a-c907-4556-b7ef-446551a6b5f7",
    "Directory Readers": "88d8e3e3-8f55-4a1e-953a-9b9898b8876b",
    "Directory Writers": "9360feb5-f418-4baa-8175-e2a00bac4301",
    "Global Administrator": "62e90394-69f5-4237-9190-012177145e10",
    "Global Reader": "f2ef992c-3afb-46b9-b7cf-a126ee74c451",
    "Privileged Role Administrator": "e8611ab8-c189-46e8-94e1-60213ab1f814",
    "Security Administrator": "194ae4cb-b126-40b2-bd5b-6091b380977d",
    "User Administrator": "fe930be7-5e62-47db-91af-98c3a49a38b1",
}
MEMBER = "b79fbf4d-3ef9-4689-8143-76b194e85509"
"""Everybody who is no guest has this one, without having been given it."""
GUEST = "10dae51f-b6af-4016-8d66-8c2a99b929b3"
"""What a guest has instead."""
GRANTING = frozenset(
    TEMPLATES[name] for name in ("Global Administrator", "Privileged Role Administrator")
)
"""Who may grant Microsoft Graph's own application permissions."""


def assign(directory: Directory, user: Mapping[str, Any], name: str) -> None:
    """Give a user a role; LookupError for one that this tenant does not know."""
    directory.built_in_roles.setdefault(user["id"], set()).add(_template_id(name))


def remove(directory: Directory, user: Mapping[str, Any], name: str) -> None:
    directory.built_in_roles.get(user["id"], set()).discard(_template_id(name))


def held_by(directory: Directory, user: Mapping[str, Any]) -> frozenset[str]:
    """Return the template ids of every role that a user has now."""
    own = GUEST if user["userType"] == "Guest" else MEMBER
    return frozenset({own, *directory.built_in_roles.get(user["id"], ())})


def _template_id(name: str) -> str:
    if name not in TEMPLATES:
        raise LookupError(f"{name!r} is none of the roles {', '.join(TEMPLATES)}.")
    return TEMPLATES[name]
