"""One Graph request from its address to its answer, alone or inside a `$batch`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from bot.playground.tenant.calls import Answer, Caller, Request
from bot.playground.tenant.deleted_items import purge_old
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import GraphFailure, bad_request
from bot.playground.tenant.operations import operation_for
from bot.playground.tenant.query import option_name
from bot.playground.tenant.replicas import REPLICAS, Moment
from bot.playground.tenant.urls import target_of

VERSION = "/v1.0"
MOST_OPTIONS = 100
LONGEST_ADDRESS = 16_384
"""Characters; longer ones do not reach Graph's own code in the real service either."""
DEEPEST_BODY = 64


@dataclass(frozen=True, kw_only=True)
class Incoming:
    """A request as it came in, not yet understood."""

    method: str
    address: str
    """Path below `/v1.0`, with its query, as sent."""
    headers: Mapping[str, str]
    body: object
    request_id: str


def dispatch(directory: Directory, caller: Caller, incoming: Incoming) -> Answer:
    """Carry one request out; a refusal is an answer, too."""
    try:
        return _carry_out(directory, caller, incoming)
    except GraphFailure as failure:
        return refusal(directory, failure, incoming)


def refusal(directory: Directory, failure: GraphFailure, incoming: Incoming) -> Answer:
    body = failure_body(
        failure,
        at=directory.now(),
        request_id=incoming.request_id,
        client_request_id=incoming.headers.get("client-request-id") or None,
    )
    return Answer(status=failure.status, body=body, headers=failure.headers)


def failure_body(
    failure: GraphFailure, *, at: datetime, request_id: str, client_request_id: str | None
) -> dict[str, Any]:
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.details:
        error["details"] = list(failure.details)
    error["innerError"] = {
        "date": at.strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": request_id,
        "client-request-id": client_request_id or request_id,
    }
    return {"error": error}


def read_json(content: bytes, headers: Mapping[str, str]) -> object:
    """Parse a body; None for no body at all."""
    if not content:
        return None
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        message = "The request's Content-Encoding is not supported."
        raise GraphFailure(415, "UnsupportedMediaType", message)
    if headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
        raise _unreadable()
    try:
        body: object = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _unreadable() from None
    _check_text_and_depth(body)
    return body


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_text_and_depth(body: object) -> None:
    """Refuse halves of characters, and nesting deeper than any Graph type."""
    level = [body]
    for _ in range(DEEPEST_BODY):
        if any(isinstance(it, str) and not _is_text(it) for it in level):
            raise _unreadable()
        level = [item for it in level for item in _items(it)]
        if not level:
            return
    raise _unreadable()


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def moment(directory: Directory) -> Moment:
    """Let one of the replicas serve what comes now."""
    return Moment(now=directory.now(), replica=directory.random.randrange(REPLICAS))


def _carry_out(directory: Directory, caller: Caller, incoming: Incoming) -> Answer:
    path, _, query = incoming.address.partition("?")
    if len(incoming.address) > LONGEST_ADDRESS:
        raise GraphFailure(414, "UriTooLong", "The request URI is too long.")
    target = target_of(path)
    operation = operation_for(incoming.method, target.template)
    purge_old(directory)
    request = Request(
        method=incoming.method,
        path=path,
        target=target,
        query=_query(query),
        headers=incoming.headers,
        body=incoming.body,
        caller=caller,
        moment=moment(directory),
    )
    operation.check(directory, request)
    return operation.do(directory, request)


def _query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_OPTIONS)
    except ValueError:
        raise bad_request("Too many query options.", code="BadRequest") from None
    query = {option_name(name): value for name, value in pairs}
    if len(query) != len(pairs):
        raise bad_request("A query option must not be given more than once.", code="BadRequest")
    return query


def _unreadable() -> GraphFailure:
    return bad_request(
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload"
        " is of valid JSON format.",
        code="BadRequest",
    )
