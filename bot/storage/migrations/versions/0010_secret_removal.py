"""A secret's state says whether it was seen. Whether Entra still holds it, and why not, has columns
of its own; whether it could be masked is a matter of the message that shows it.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from bot.storage.tables import Moment

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

REMOVED = ("removed", "replaced")

CHANGES = """
UPDATE secrets SET removed_because = 'followed'
    WHERE state = 'replaced' AND remove_at IS NOT NULL;
UPDATE secrets SET removed_because = 'replaced'
    WHERE state = 'replaced' AND remove_at IS NULL;
UPDATE secrets SET removed_because = 'application deleted'
    WHERE state IN ('closed', 'removed') AND registration IN (
        SELECT id FROM registrations WHERE status IN ('revoking', 'revoked', 'undone')
    );
UPDATE secrets SET removed_because = 'unfinished'
    WHERE state IN ('closed', 'removed') AND removed_because IS NULL AND NOT EXISTS (
        SELECT id FROM runs WHERE runs.id = secrets.run AND runs.outcome = 'ready'
    );
UPDATE secrets SET removed_because = 'unread'
    WHERE state IN ('closed', 'removed') AND removed_because IS NULL;
UPDATE messages SET trouble = 'mask_failed'
    WHERE kind = 'mask' AND subject IN (SELECT id FROM secrets WHERE state = 'unmasked');
UPDATE secrets SET state = 'seen' WHERE state IN ('shown', 'masked', 'unmasked');
UPDATE secrets SET state = 'unknown'
    WHERE state = 'replaced' OR state = 'removed' AND removed_because = 'application deleted';
UPDATE secrets SET state = 'sealed' WHERE state IN ('closed', 'removed')
"""
"""Of removed secrets, only those that were closed unseen are known not to have been seen."""


def upgrade() -> None:
    op.execute("ALTER TABLE installation RENAME COLUMN patrolled_at TO searched_at")
    op.execute("ALTER TABLE secrets RENAME COLUMN retires_at TO remove_at")
    op.add_column("secrets", sa.Column("removed_because", sa.String(24)))
    op.add_column("secrets", sa.Column("removed_at", Moment()))
    secrets = sa.table(
        "secrets", sa.column("state", sa.String()), sa.column("removed_at", Moment())
    )
    # When they were removed is not known. By now they are.
    now = datetime.now(UTC)
    op.execute(sa.update(secrets).where(secrets.c.state.in_(REMOVED)).values(removed_at=now))
    for statement in CHANGES.split(";"):
        op.execute(statement)
