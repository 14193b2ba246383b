"""Changes of a transaction as log lines, one each, written once it is committed."""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from graph.http import latest_request

log = structlog.get_logger()

Change = tuple[str, Mapping[str, Any]]
NOTED = "facts"
"""Where they are kept on the connection, which outlives its transactions."""


def record(tx: AsyncConnection, what: str, registration: str, **ids: Any) -> None:
    """Have this logged if the transaction is committed. Take ids only, never text of users."""
    if "requests" not in ids and (request := latest_request()) is not None:
        ids["requests"] = [request]
    tx.info.setdefault(NOTED, []).append((what, {"registration": registration, **ids}))


def take(tx: AsyncConnection) -> Sequence[Change]:
    """Return the changes noted on this connection, and forget them."""
    noted: list[Change] = tx.info.pop(NOTED, [])
    return noted


def write_to_log(facts: Sequence[Change]) -> None:
    for what, ids in facts:
        log.info(what, **ids)
