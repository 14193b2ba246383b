"""What the tenant says when it says no, in the words of the real services.

Codes, statuses and texts: learn.microsoft.com/en-us/graph/errors and, for the many meanings of
`Request_BadRequest`, the texts that other clients are known to look for.
"""

from collections.abc import Mapping, Sequence


class GraphFailure(Exception):
    """An error of Microsoft Graph: `{"error": {"code", "message", "innerError", "details"}}`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = headers or {}


class SignInFailure(Exception):
    """An error of the token endpoint: `{"error", "error_description", "error_codes", …}`."""

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.number = number
        self.message = message


def bad_request(
    message: str,
    *,
    code: str = "Request_BadRequest",
    details: Sequence[Mapping[str, str]] = (),
) -> GraphFailure:
    return GraphFailure(400, code, message, details=details)


def not_found(id: str) -> GraphFailure:
    """Gone, never there, or not there yet: the real service does not tell these apart either."""
    message = (
        f"Resource '{id}' does not exist or one of its queried reference-property objects"
        " are not present."
    )
    return GraphFailure(404, "Request_ResourceNotFound", message)


def out_of_date() -> GraphFailure:
    """Another answer of a replica that lags."""
    message = "Unable to read the company information from the directory."
    return GraphFailure(404, "Directory_ObjectNotFound", message)


def denied(message: str = "Insufficient privileges to complete the operation.") -> GraphFailure:
    return GraphFailure(403, "Authorization_RequestDenied", message)


def duplicate(message: str) -> GraphFailure:
    return GraphFailure(409, "Request_MultipleObjectsWithSameKeyValue", message)


def too_close_together() -> GraphFailure:
    message = (
        "Error due to concurrent requests being made to the tenant. Please wait briefly and retry."
    )
    return GraphFailure(409, "Directory_ConcurrencyViolation", message)


def unauthenticated(message: str, *, authority: str) -> GraphFailure:
    challenge = f'Bearer realm="", authorization_uri="{authority}/oauth2/authorize"'
    headers = {"WWW-Authenticate": challenge}
    return GraphFailure(401, "InvalidAuthenticationToken", message, headers=headers)
