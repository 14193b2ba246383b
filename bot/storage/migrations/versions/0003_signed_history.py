"""History and its heads are signed, and what is sealed names more than its row."""

import json

import sqlalchemy as sa
from alembic import op

from bot.storage.vault import SealBroken, Vault

revision = "0003"
down_revision = "0006"
branch_labels = None
depends_on = None

installation = sa.table("installation", sa.column("id", sa.String))
registrations = sa.table(
    "registrations",
    sa.column("id", sa.String),
    sa.column("team_id", sa.String),
    sa.column("user_id", sa.String),
    sa.column("head", sa.String),
)
history = sa.table(
    "history",
    sa.column("registration", sa.String),
    sa.column("seq", sa.Integer),
    sa.column("hash", sa.String),
    sa.column("mac", sa.String),
)
secrets = sa.table(
    "secrets",
    sa.column("id", sa.String),
    sa.column("registration", sa.String),
    sa.column("sealed", sa.LargeBinary),
    sa.column("answer_to", sa.LargeBinary),
)


def upgrade() -> None:
    op.add_column("registrations", sa.Column("head", sa.String(length=160), nullable=True))
    op.add_column("history", sa.Column("mac", sa.String(length=80), nullable=True))
    config = op.get_context().config
    assert config is not None
    vault: Vault = config.attributes["vault"]
    _sign(op.get_bind(), vault)
    _seal_again(op.get_bind(), vault)


def _sign(connection: sa.Connection, vault: Vault) -> None:
    """Sign the history that is there: from now on an entry without a signature is a finding."""
    rows = connection.execute(sa.select(history).order_by(history.c.registration, history.c.seq))
    heads, entries = {}, []
    for id, seq, hash, _ in rows.all():
        entries.append({"id": id, "number": seq, "signature": vault.sign(f"entry:{hash}")})
        heads[id] = f"{seq}:{hash}:{vault.sign(f'head:{id}:{seq}:{hash}')}"
    entry = sa.update(history).where(
        history.c.registration == sa.bindparam("id"), history.c.seq == sa.bindparam("number")
    )
    _each(connection, entry.values(mac=sa.bindparam("signature")), entries)
    head = sa.update(registrations).where(registrations.c.id == sa.bindparam("of"))
    signed = [{"of": id, "signature": head} for id, head in heads.items()]
    _each(connection, head.values(head=sa.bindparam("signature")), signed)


def _seal_again(connection: sa.Connection, vault: Vault) -> None:
    """Let each seal name its owner. What no key opens stays as it is: nobody can be shown it."""
    here = connection.scalar(sa.select(installation.c.id))
    query = sa.select(secrets, registrations.c.team_id, registrations.c.user_id).join(
        registrations, registrations.c.id == secrets.c.registration
    )
    kept = sa.or_(secrets.c.sealed.is_not(None), secrets.c.answer_to.is_not(None))
    for row in connection.execute(query.where(kept)).mappings().all():
        for purpose in ("sealed", "answer_to"):
            owner = [here, row["registration"], row["team_id"], row["user_id"], row["id"], purpose]
            if row[purpose] is None:
                continue
            try:
                text = vault.open(row["id"], row[purpose])
            except SealBroken:
                continue
            again = {purpose: vault.seal(json.dumps(owner), text)}
            connection.execute(sa.update(secrets).where(secrets.c.id == row["id"]).values(again))


def _each(connection: sa.Connection, query: sa.Update, rows: list[dict[str, object]]) -> None:
    for start in range(0, len(rows), 1000):
        connection.execute(query, rows[start : start + 1000])


def downgrade() -> None:
    op.drop_column("history", "mac")
    op.drop_column("registrations", "head")
