"""Intake: how what people do in Slack reaches the listeners: by a socket or by signed requests."""

from typing import Protocol

REST_SECONDS = 5.0
"""How long a stop waits for running listeners. `serve` ends the process before that."""


class CannotListen(Exception):
    """The intake cannot start; the sentence says why."""


class Transport(Protocol):
    """What the two transports have in common."""

    async def start(self) -> None:
        """Take what Slack delivers from now on. Raises CannotListen."""

    async def is_up(self) -> bool:
        """Whether Slack can deliver right now."""

    async def stop(self) -> None:
        """Take nothing more; return when running listeners have answered, or have had their time.

        Whatever comes meanwhile is not acknowledged: Slack delivers events again, and tells people
        that their click or command failed.
        """
