"""`$batch`: up to 20 requests in one, each with a status of its own.

learn.microsoft.com/graph/json-batching: relative addresses, answers in any order. Requests that
depend on others are not known here: `dependsOn` is refused.
"""

from collections.abc import Callable
from typing import Any

from multidict import CIMultiDict

from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.dispatch import Incoming
from bot.playground.tenant.errors import GraphFailure, bad_request

MOST = 20
METHODS = {"GET", "POST", "PATCH", "PUT", "DELETE"}
_KNOWN = {"id", "method", "url", "headers", "body"}
_IGNORED = {"depends_on"}
"""msgraph-core for Python 1.5 writes this beside every step, and the real service lets it pass."""


def carry_out(
    directory: Directory, incoming: Incoming, one: Callable[[Incoming], Answer]
) -> Answer:
    """Answer 200 with every request's answer, or raise if the batch itself is wrong."""
    requests = _checked(incoming.body)
    done = {request["id"]: one(_inner(directory, incoming, request)) for request in requests}
    responses = [_response(id, answer) for id, answer in done.items()]
    directory.random.shuffle(responses)
    return Answer(status=200, body={"responses": responses})


def _checked(body: object) -> list[dict[str, Any]]:
    if not isinstance(body, dict) or set(body) != {"requests"}:
        raise _invalid("Invalid batch payload format.")
    requests = body["requests"]
    if not isinstance(requests, list) or not 1 <= len(requests) <= MOST:
        raise _invalid(f"Number of batch request steps must be between 1 and {MOST}.")
    ids: list[str] = []
    for request in requests:
        _check_step(request, ids)
        ids.append(request["id"])
    return requests


def _check_step(request: object, before: list[str]) -> None:
    if not isinstance(request, dict) or set(request) - _KNOWN - _IGNORED:
        raise _invalid("Invalid batch payload format.")
    id, url, method = request.get("id"), request.get("url"), request.get("method")
    if not isinstance(id, str) or not id or id in before:
        raise _invalid("Batch request steps need unique ids.")
    if not isinstance(url, str) or "://" in url.split("?")[0] or url.startswith("/$batch"):
        raise _invalid(f"Invalid url of batch request step '{id}': it must be relative.")
    if not isinstance(method, str) or method not in METHODS:
        raise _invalid(f"Invalid method of batch request step '{id}'.")
    if not _names_values(request.get("headers") or {}):
        raise _invalid(f"Invalid headers of batch request step '{id}'.")
    if request.get("body") is not None and not _says_json(request.get("headers")):
        raise _invalid(f"Batch request step '{id}' has a body, so it needs a Content-Type header.")


def _names_values(headers: object) -> bool:
    return isinstance(headers, dict) and all(isinstance(value, str) for value in headers.values())


def _says_json(headers: object) -> bool:
    named = (
        {name.lower(): value for name, value in headers.items()}
        if isinstance(headers, dict)
        else {}
    )
    return str(named.get("content-type", "")).lower().startswith("application/json")


def _inner(directory: Directory, outer: Incoming, request: dict[str, Any]) -> Incoming:
    return Incoming(
        method=request["method"],
        address="/" + request["url"].lstrip("/"),
        headers=CIMultiDict(request.get("headers") or {}),
        body=request.get("body"),
        request_id=directory.new_id(),
    )


def _response(id: str, answer: Answer) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **answer.headers}
    body: object = answer.body if answer.text is None else answer.text
    response = {"id": id, "status": answer.status, "headers": headers}
    return response if body is None else {**response, "body": body}


def _invalid(message: str) -> GraphFailure:
    return bad_request(message, code="BadRequest")
