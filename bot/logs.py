"""Logs: one line per event, on standard error, with ids and never with bodies.

Our own events and the lines of libraries have one form: logfmt for people, JSON for programs.
"""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog
from structlog.typing import Processor

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
ENGINE = "dbos"
FORMATS = ("console", "json")

Event = MutableMapping[str, Any]


def slack_logger() -> logging.Logger:
    """Return a logger for Slack's libraries that never prints requests or answers.

    They hand their logger's own level on, so it is set here whatever `set_up` was told. Even their
    warnings quote bodies.
    """
    logger = logging.getLogger("slack")
    logger.setLevel(logging.ERROR)
    return logger


def socket_logger() -> logging.Logger:
    """Return a logger for Slack's socket, whose errors quote the address with its ticket.

    The watcher of the socket logs its errors.
    """
    logger = logging.getLogger("slack.socket")
    logger.setLevel(logging.CRITICAL)
    return logger


def set_up(level: str, form: str = "console") -> None:
    """Log to standard error: our own events from `level` on, the libraries' from WARNING on."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Processor] = [_printable, _renderer(form)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, _without_traceback],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    _adopt_engine(handler, level)
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _adopt_engine(handler: logging.StreamHandler[Any], level: str) -> None:
    """Give the engine's logger our handler: without any it would make one of its own form.

    The engine sets its logger's level itself, so the handler's own counts.
    """
    own = logging.StreamHandler(handler.stream)
    own.setFormatter(handler.formatter)
    own.setLevel(level)
    own.addFilter(_is_no_stop)
    logger = logging.getLogger(ENGINE)
    logger.handlers = [own]
    logger.propagate = False


def _is_no_stop(record: logging.LogRecord) -> bool:
    """Whether a record is about anything but a run that our own stop has cancelled."""
    return not str(record.msg).startswith("Asyncio task cancelled for workflow")


def _renderer(form: str) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(serializer=json.dumps)  # ASCII only
    return structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])


def _printable(_: Any, __: str, event: Event) -> Event:
    """Escape characters that could move a cursor, begin a line or reorder text."""
    return {name: _escaped(value) for name, value in event.items()}


def _escaped(value: Any) -> Any:
    match value:
        case str():
            return "".join(
                each if each.isprintable() else each.encode("unicode_escape").decode()
                for each in value
            )
        case Mapping():
            return {_escaped(name): _escaped(each) for name, each in value.items()}
        case Sequence() | set() | frozenset():
            return [_escaped(each) for each in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return _escaped(str(value))


def _without_traceback(_: Any, __: str, event: Event) -> Event:
    """Keep only the type of a library's exception: its text may quote the request."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple) and error[0] is not None:
        event["type"] = error[0].__name__
    event.pop("stack_info", None)
    return event
