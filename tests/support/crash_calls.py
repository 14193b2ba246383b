"""The calls of a registration, as the tenant sees them."""

from typing import NamedTuple


class Call(NamedTuple):
    """A call of the bot, as the tenant sees it."""

    name: str
    method: str
    path: str


CALLS = (
    Call("application", "PATCH", r"/applications\(uniqueName"),
    Call("service principal", "PATCH", r"/servicePrincipals\(appId"),
    Call("role", "POST", "/appRoleAssignedTo"),
    Call("scopes", "POST", "/oauth2PermissionGrants"),
    Call("secret", "POST", "/addPassword"),
    Call("sign-in", "POST", "/token"),
    Call("directory", "POST", r"/\$batch"),
)
