"""Logs: one line an event, on standard error, with ids and never with bodies."""

import logging
import sys

import structlog

LOUD = (
    # At INFO or DEBUG these print requests, responses, envelopes or statement parameters.
    "aiohttp",
    "aiosqlite",
    "alembic",
    "asyncio",
    "dbos",
    "httpcore",
    "httpx",
    "msal",
    "slack_bolt",
    "slack_sdk",
    "sqlalchemy",
    "urllib3",
)


def slack_logger() -> logging.Logger:
    """Return a logger for Slack's libraries that never prints what they send or receive.

    They hand their logger's own level on, so it is set here whatever `set_up` was told. Even their
    warnings quote bodies.
    """
    logger = logging.getLogger("slack")
    logger.setLevel(logging.ERROR)
    return logger


def socket_logger() -> logging.Logger:
    """Return a logger for Slack's socket, whose errors quote the address with its ticket.

    What goes wrong there is told by whoever watches over the socket.
    """
    logger = logging.getLogger("slack.socket")
    logger.setLevel(logging.CRITICAL)
    return logger


def set_up(level: str) -> None:
    """Log to standard error: our own events from `level` on, the libraries' from WARNING on."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(message)s", force=True)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
