"""The tables of version 0.2.0, the first release, which made them: here the upgrades begin.

A new database gets today's tables at once, by `bot/storage/migrating.py`.
"""

revision = "0005"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Never called: an older database is refused before, and a new one is not migrated.
    raise NotImplementedError
