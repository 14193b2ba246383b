"""Sign-ins of approvers: one link each, bound to one browser, used once.

Of the link's token, of the state that Entra returns, and of the browser's cookie only digests are
stored. State, verifier and nonce are sealed for installation, registration, approver and sign-in,
so that a row that was pointed at another of these does not open.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.domain.lifetimes import SIGN_IN_KEPT, SIGN_IN_TTL
from bot.domain.people import Person
from bot.storage import sqlite
from bot.storage.rows import delete, from_row, insert, update
from bot.storage.tables import installation, sign_ins
from bot.storage.vault import Vault


@dataclass(frozen=True, kw_only=True)
class SignInAttempt:
    """A sign-in that an approver has asked for, as its row says."""

    id: str
    registration: str
    team_id: str
    user_id: str
    browser: str | None
    flow: bytes | None = field(repr=False)
    expires_at: datetime
    used_at: datetime | None
    installation: str

    @property
    def owner(self) -> str:
        """What the seal of its flow names."""
        named = [self.installation, self.registration, self.team_id, self.user_id, self.id, "flow"]
        return json.dumps(named)


def digest(text: str) -> str:
    """Return what is stored of a token, a state or a cookie."""
    return hashlib.sha256(text.encode()).hexdigest()


async def add(
    tx: AsyncConnection, token: str, *, registration: str, by: Person, now: datetime
) -> None:
    """Add a sign-in for the link with this token."""
    await forget_expired(tx, now)
    of = {"registration": registration, "team_id": by.team_id, "user_id": by.user_id}
    await insert(tx, sign_ins, id=digest(token), expires_at=now + SIGN_IN_TTL, **of)


async def forget_expired(tx: AsyncConnection, now: datetime) -> None:
    """Delete the flows of sign-ins that have expired, and sign-ins that did long ago."""
    sqlite.request_cleanup(tx)
    await delete(tx, sign_ins, sign_ins.c.expires_at < now - SIGN_IN_KEPT)
    has_flow = sign_ins.c.flow.is_not(None)
    await update(tx, sign_ins, sign_ins.c.expires_at <= now, has_flow, flow=None)


async def by_token(tx: AsyncConnection, token: str) -> SignInAttempt | None:
    return await _found(tx, sign_ins.c.id == digest(token))


async def by_state(tx: AsyncConnection, state: str) -> SignInAttempt | None:
    return await _found(tx, sign_ins.c.state == digest(state))


async def bind(
    tx: AsyncConnection,
    attempt: SignInAttempt,
    vault: Vault,
    *,
    cookie: str,
    state: str,
    flow: Mapping[str, Any],
) -> bool:
    """Bind it to the browser with this cookie, and keep the flow. False if it is another's, or
    used.
    """
    is_free = sign_ins.c.browser.is_(None) | (sign_ins.c.browser == digest(cookie))
    values = {
        "browser": digest(cookie),
        "state": digest(state),
        "flow": vault.seal(attempt.owner, json.dumps(flow)),
    }
    sqlite.request_cleanup(tx)  # of a flow that was begun before, in the same browser
    return await update(tx, sign_ins, *_unused(attempt), is_free, **values) == 1


async def take(tx: AsyncConnection, attempt: SignInAttempt, *, now: datetime) -> bool:
    """Mark it used, and forget its flow. False if it was used before, or begun anew."""
    sqlite.request_cleanup(tx)
    is_this = sign_ins.c.flow == attempt.flow
    return await update(tx, sign_ins, *_unused(attempt), is_this, used_at=now, flow=None) == 1


def _unused(attempt: SignInAttempt) -> tuple[sa.ColumnElement[bool], ...]:
    return sign_ins.c.id == attempt.id, sign_ins.c.used_at.is_(None)


async def _found(tx: AsyncConnection, which: sa.ColumnElement[bool]) -> SignInAttempt | None:
    here = sa.select(installation.c.id).scalar_subquery().label("installation")
    row = (await tx.execute(sa.select(sign_ins, here).where(which))).mappings().first()
    return from_row(SignInAttempt, row) if row else None
