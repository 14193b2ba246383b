"""Migrations: what brings the tables of a database to those of this program.

Alembic is imported only when there is something to migrate: most starts find nothing.
"""

from enum import Enum
from pathlib import Path

import sqlalchemy as sa
import structlog

from bot.storage.vault import SealBroken, Vault

log = structlog.get_logger()

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATING = 0x41AD0000
"""Ours among a database's advisory locks, which slots use, too."""

HEAD = "0007"
"""The last revision of the chain, which is not in the order of the files."""

SIGNED_BEFORE = (
    "DATABASE_URL: history in this database was signed before, and somebody has removed the"
    " signatures, so nothing in it can be believed. Put a backup in its place by `aad-setup restore"
    " FILE`, and look at it by `aad-setup audit verify`."
)


class CannotMigrate(Exception):
    """The tables are not for this program to change. Its text is a sentence."""


class Age(Enum):
    """How a database's tables compare with those that this program knows."""

    EMPTY = "empty"  # nobody has started here yet
    OLDER = "older"  # the next start migrates them
    CURRENT = "current"
    UNKNOWN = "unknown"  # a newer program made them


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


def migrate(connection: sa.Connection, vault: Vault, *, has_watermark: bool) -> None:
    """Bring the tables up to date. Raises CannotMigrate.

    A watermark beside the database shows that it was in use by a version that signs history.
    """
    if connection.dialect.name == "postgresql":
        # Replicas that start together migrate one after another; SQLite's BEGIN has seen to that.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
    _check_first_signing(connection, vault, has_watermark=has_watermark)
    found = age(connection)
    if found is Age.UNKNOWN:
        raise CannotMigrate("DATABASE_URL: a newer version of this program made that database.")
    if found is not Age.CURRENT:
        _upgrade(connection, vault)


def _upgrade(connection: sa.Connection, vault: Vault) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes |= {"connection": connection, "vault": vault}
    command.upgrade(config, "head")


def _check_first_signing(connection: sa.Connection, vault: Vault, *, has_watermark: bool) -> None:
    """Log that history without signatures is about to be signed. Whoever can change tables can
    bring that about again, to have signed what they have written.

    Raises CannotMigrate if something shows that it was signed before.
    """
    found = sa.inspect(connection)
    if not found.has_table("history") or "mac" in _columns(found, "history"):
        return
    later = {"head", "place"} & {
        *_columns(found, "registrations"),
        *_columns(found, "installation"),
    }
    if later or has_watermark or _is_sealed_anew(connection, vault):
        raise CannotMigrate(SIGNED_BEFORE)
    if entries := connection.scalar(sa.text("SELECT count(*) FROM history")):
        log.warning("history signed for the first time", entries=entries)


def _columns(found: sa.Inspector, table: str) -> set[str]:
    return {it["name"] for it in found.get_columns(table)}


def _is_sealed_anew(connection: sa.Connection, vault: Vault) -> bool:
    """Whether something is sealed as it is only since history is signed: for more than its row."""
    secrets = sa.table("secrets", sa.column("id"), sa.column("sealed"), sa.column("answer_to"))
    for id, *sealed in connection.execute(sa.select(secrets)):
        for each in filter(None, sealed):
            try:
                vault.open(id, each)
            except SealBroken:
                if vault.holds_key_of(each):
                    return True
    return False
