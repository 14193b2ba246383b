"""The `scope` parameter of a person's sign-in, and whether it was consented to.

learn.microsoft.com/entra/identity-platform/scopes-oidc. Nobody can consent on this tenant's sign-in
page: delegated permissions are granted by an administrator, or the sign-in is refused.
"""

from collections.abc import Iterable

from bot.playground.tenant import microsoft_graph, permissions
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.replicas import Kind, Moment

OPENID = ("openid", "profile", "email", "offline_access")
"""The scopes of OpenID Connect; consent to any other scope includes them."""
DEFAULT = ".default"


def read(directory: Directory, text: str | None) -> tuple[str, ...]:
    """Return the scopes as spelled, each once. Raises `SignInFailure`."""
    spelled = tuple(dict.fromkeys((text or "").split()))
    if not spelled:
        message = "The request body must contain the following parameter: 'scope'."
        raise SignInFailure(400, "invalid_request", 900144, message)
    names = [name_of(directory, each) for each in spelled]
    resource_scopes = [name for name in names if name not in OPENID]
    if DEFAULT in resource_scopes and len(resource_scopes) > 1:
        message = (
            f"The provided request must include a 'scope' input parameter. The provided value for"
            f" the input parameter 'scope' is not valid. The scope '{text}' is not valid: .default"
            " scope can't be combined with resource-specific scopes."
        )
        raise SignInFailure(400, "invalid_scope", 70011, message)
    return spelled


def name_of(directory: Directory, spelled: str) -> str:
    """Return Microsoft Graph's name of a scope, bare or after Graph's own name."""
    resource, _, name = spelled.rpartition("/")
    known = {"", directory.url, directory.cloud.graph, permissions.MICROSOFT_GRAPH}
    if resource.rstrip("/") not in known:
        message = f"The resource principal named {resource} was not found in the tenant."
        raise SignInFailure(400, "invalid_resource", 500011, message)
    published = {scope["value"] for scope in permissions.scopes()}
    if name not in published and not (name == DEFAULT and resource):
        message = (
            f"The application asked for scope '{name}' that doesn't exist on the resource"
            f" '{permissions.MICROSOFT_GRAPH}'. Contact the app vendor."
        )
        raise SignInFailure(400, "invalid_client", 650053, message)
    return name


def granted(
    directory: Directory, client_id: str, user_id: str, spelled: Iterable[str], moment: Moment
) -> frozenset[str]:
    """Return the names of these scopes if the user or an administrator consented to all.

    Raises `SignInFailure` with 65001 otherwise.
    """
    consented = _consented(directory, client_id, user_id, moment)
    names = frozenset(name_of(directory, each) for each in spelled)
    if DEFAULT in names:
        names = names - {DEFAULT} | consented
    if not consented or names - consented - frozenset(OPENID):
        message = (
            "The user or administrator has not consented to use the application with ID"
            f" '{client_id}'. Send an interactive authorization request for this user and resource."
        )
        raise SignInFailure(400, "consent_required", 65001, message)
    return names


def _consented(
    directory: Directory, client_id: str, user_id: str, moment: Moment
) -> frozenset[str]:
    client = directory.find(Kind.SERVICE_PRINCIPAL, appId=client_id)
    if client is None:
        return frozenset()
    graph = microsoft_graph.principal(directory)
    return frozenset(
        scope
        for grant in directory.store.all_seen(Kind.GRANT, moment)
        if (grant["clientId"], grant["resourceId"]) == (client["id"], graph["id"])
        and grant["principalId"] in (None, user_id)
        for scope in (grant["scope"] or "").split()
    )
