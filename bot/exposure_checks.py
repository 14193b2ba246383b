"""Exposure: data open to others on this machine, or on the way to the database."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import sqlalchemy as sa

from bot.settings.settings import Settings
from bot.storage.database import sqlite_path

OTHERS = stat.S_IRWXG | stat.S_IRWXO
ENCRYPTED = ("require", "verify-ca", "verify-full")
"""Of libpq's modes; an attacker on the way can make all others use clear text."""
LOCAL = ("localhost", "127.0.0.1", "::1")


def exposures(settings: Settings, environ: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Yield a sentence with advice for each. `folder` is where `.env` is looked for."""
    for path in (folder / ".env", *_database_files(settings.database_url)):
        if _is_open(path):
            yield f"{path.name} can be read by others on this machine: chmod 600 it."
    if _may_be_clear_text(settings.database_url, environ):
        yield (
            "DATABASE_URL: the connection to PostgreSQL may be in clear text: add"
            " ?sslmode=verify-full with sslrootcert, or at least ?sslmode=require."
        )


def _database_files(url: str) -> Iterator[Path]:
    if (path := sqlite_path(url)) is not None:
        yield from sorted(path.absolute().parent.glob(f"{path.stem}*{path.suffix}*"))


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & OTHERS) and not path.name.endswith(".lock")
    except OSError:
        return False


def _may_be_clear_text(url: str, environ: Mapping[str, str]) -> bool:
    address = sa.make_url(url)
    if address.get_backend_name() != "postgresql":
        return False
    host = str(address.query.get("host") or address.host or environ.get("PGHOST") or "")
    is_local = not host or host.startswith("/") or host in LOCAL  # a socket, or this machine
    mode = address.query.get("sslmode") or environ.get("PGSSLMODE")
    return not is_local and mode not in ENCRYPTED
