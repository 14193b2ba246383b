"""Migrations: give a new database the tables of this program, upgrade those of an older one.

Alembic is imported only when there is something to do: most starts find nothing.
"""

from enum import Enum
from pathlib import Path

import sqlalchemy as sa

from bot.storage.tables import metadata

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATING = 0x41AD0000
"""Ours among a database's advisory locks, which slots use, too."""

HEAD = "0013"
"""The last revision of the chain."""


class Age(Enum):
    """How a database's tables compare with those that this program knows."""

    EMPTY = "empty"  # no bot has started here yet
    OLDER = "older"  # the next start migrates them
    CURRENT = "current"
    UNKNOWN = "unknown"  # a newer program made them, or one from before 0.2.0


def age(connection: sa.Connection) -> Age:
    """Compare the database's tables with those of this program."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return Age.EMPTY
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    if found is None:
        return Age.EMPTY
    if found == HEAD:
        return Age.CURRENT
    known = {file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("*.py")}
    return Age.OLDER if found in known else Age.UNKNOWN


def migrate(connection: sa.Connection) -> str | None:
    """Make the tables, or upgrade them. Return why that cannot be, as a sentence."""
    if connection.dialect.name == "postgresql":
        # Replicas that start together migrate one after another; SQLite's BEGIN has seen to that.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
    found = age(connection)
    if found is Age.UNKNOWN:
        return (
            "DATABASE_URL: a newer version of this program made that database, or one from before"
            " 0.2.0: on such a database, start 0.2.0 once."
        )
    if found is Age.EMPTY:
        # Tables that are there without a revision are an error: they may be of any age.
        metadata.create_all(connection, checkfirst=False)
        _alembic("stamp", connection)
    elif found is Age.OLDER:
        _alembic("upgrade", connection)
    return None


def _alembic(command: str, connection: sa.Connection) -> None:
    from alembic import command as commands
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    getattr(commands, command)(config, "head")
