"""When an event that the app did not take is sent again: docs.slack.dev/apis/events-api.

At once, after a minute, after five more. Commands, clicks and submissions are not on that page:
a person is waiting, so over a socket they are sent once more and over HTTP not at all.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from graph.clock import Clock

LATER = (timedelta(minutes=1), timedelta(minutes=5))
"""How long the second and third retry wait, by the workspace's clock; the first does not."""
EVENT = "events_api"


async def later(clock: Clock, failed: datetime) -> AsyncIterator[int]:
    """Yield the number of each further retry when its time has come, from when the first failed."""
    for attempt, wait in enumerate(LATER, start=2):
        due = failed + wait
        await clock.sleep((due - clock.now()).total_seconds())
        yield attempt
        failed = clock.now()
