"""Azure Resource Manager, as far as `az login` asks it: where the services are, and subscriptions.

This tenant has none: it is a directory, no place for resources. The document of a cloud is public:
learn.microsoft.com/azure/azure-resource-manager; the rest takes a token for Resource Manager.
"""

from collections.abc import Mapping

from bot.playground.tenant import tokens
from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure

BASE = "/arm"
"""Apart from Graph, so that clients tell by an address which service's token it needs."""
METADATA = f"{BASE}/metadata/endpoints"
SUBSCRIPTIONS = f"{BASE}/subscriptions"


def url(directory: Directory) -> str:
    """Resource Manager's address, which is also its name in scopes and tokens."""
    return f"{directory.url}{BASE}"


def answer(
    directory: Directory,
    method: str,
    path: str,
    query: Mapping[str, str],
    authorization: str | None,
) -> Answer:
    """Answer a call of Resource Manager. Errors have a code and a message, as Graph's have."""
    if not query.get("api-version"):
        message = "The api-version query parameter (?api-version=) is required for all requests."
        return _refusal(400, "MissingApiVersionParameter", message)
    if method != "GET":
        message = f"The requested resource does not support http method '{method}'."
        return _refusal(405, "MethodNotAllowed", message)
    if path == METADATA:
        return Answer(status=200, body=_endpoints(directory))
    try:
        tokens.caller_of(directory, authorization, audience=url(directory))
    except GraphFailure as failure:
        return _refusal(401, "InvalidAuthenticationToken", failure.message)
    return Answer(status=200, body={"value": [], "count": {"type": "Total", "value": 0}})


def _endpoints(directory: Directory) -> dict[str, object]:
    return {
        "name": directory.cloud.name,
        "resourceManager": url(directory),
        "microsoftGraphResourceId": directory.url,
        "authentication": {
            "loginEndpoint": directory.url,
            "audiences": [url(directory)],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {},
    }


def _refusal(status: int, code: str, message: str) -> Answer:
    return Answer(status=status, body={"error": {"code": code, "message": message}})
