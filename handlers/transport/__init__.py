"""Transports from Slack to the listeners: Socket Mode, or signed HTTP requests."""

from typing import Protocol

from bot.problems import Unusable

REST_SECONDS = 5.0
"""How long a stop waits for running listeners. `serve` ends the process before that."""


class CannotListen(Unusable):
    """The transport cannot start."""


class Transport(Protocol):
    """The interface of both transports."""

    async def start(self) -> None:
        """Accept deliveries of Slack from now on. Raises CannotListen."""

    async def is_up(self) -> bool:
        """Whether Slack can deliver right now."""

    async def stop(self) -> None:
        """Take nothing more; return when running listeners have answered, or have had their time.

        Whatever comes meanwhile is not acknowledged: Slack delivers events again, and tells people
        that their click or command failed.
        """
