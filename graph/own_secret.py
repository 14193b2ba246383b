"""The end of the bot's own client secret in Entra."""

from datetime import datetime, timedelta

from graph.calls import moment
from graph.client import Client
from graph.connection import Access
from graph.errors import Forbidden, NotFound

WARN_AT = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""How long before the end it is warned about."""

_KEYS = {"passwordCredentials": [{"endDateTime": moment, "hint?": str}]}


async def own_secret_ends(graph: Client, access: Access) -> datetime | None:
    """Return when the bot's own secret ends, or None if Entra does not tell.

    Graph shows only the first three characters of a secret, so of several that begin alike the one
    that ends last is taken.
    """
    try:
        own = await graph.get(f"/applications(appId='{access.client_id}')", _KEYS)
    except (Forbidden, NotFound):
        return None
    ends = [
        datetime.fromisoformat(each["endDateTime"])
        for each in own["passwordCredentials"]
        if each.get("hint") == access.client_secret[:3]
    ]
    return max(ends, default=None)


def stage_of(end: datetime, now: datetime) -> timedelta | None:
    """Return the shortest time to warn at that has come, or None if the end is far."""
    return next((each for each in WARN_AT if end - now <= each), None)
