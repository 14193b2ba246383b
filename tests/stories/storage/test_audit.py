"""The audit: whoever writes to the database without the keys is noticed before anything acts."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from bot.domain.approval_requests import RequestState, Vote
from bot.domain.events import Event
from bot.domain.people import Refusal
from bot.domain.registration import Status
from bot.domain.runs import RunKind
from bot.domain.secrets import RemovalReason
from bot.playground.clock import MovableClock
from bot.storage import audit, history, registrations
from bot.storage import database as databases
from bot.storage.database import Database
from bot.storage.rows import plain
from bot.storage.tables import approval_requests as requests
from bot.storage.tables import history as entries
from bot.storage.tables import previous_requesters
from bot.storage.tables import registrations as rows
from bot.storage.tables import secrets as kept
from bot.storage.tables import votes as given
from bot.storage.vault import Vault
from tests.support.concurrency import URL, RegistrarEnvs
from tests.support.factories import ADA, BEN, GRACE, ROSA, ids
from tests.support.registrar_env import (
    DIGEST,
    KEY,
    SECRET,
    VAULT,
    RegistrarEnv,
    opened,
    registrar_env,
)
from tests.support.secret_lives import SecretLife

ASKED_BY_GRACE = sa.update(requests).values(asked_by=plain(GRACE))
OTHER = Fernet.generate_key().decode()


@pytest.fixture
def env(database: Database, clock: MovableClock) -> RegistrarEnv:
    """A registrar in which Ben, too, may ask."""
    return registrar_env(database, clock, requesters=ids(ROSA, BEN))


async def _findings(database: Database, id: str) -> str:
    return "\n".join(await database.read(audit.findings, id))


async def _write(env: RegistrarEnv, *statements: sa.Executable) -> None:
    """Do what somebody with the database's password can do, and the keys are elsewhere."""
    async with env.database.transaction() as tx:
        for each in statements:
            await tx.execute(each)


async def _row(env: RegistrarEnv, table: sa.Table, **where: Any) -> dict[str, Any]:
    conditions = [table.c[name] == value for name, value in where.items()]
    async with env.database.reading() as tx:
        row = (await tx.execute(sa.select(table).where(*conditions))).mappings().one()
    return dict(row)


async def _reveal(env: RegistrarEnv, id: str) -> str | None:
    look = await env.registrar.secrets.reveal(id, by=ROSA, answer_to=URL)
    await env.registrar.secrets.shown(id, look.secret, by=ROSA)
    return next((it.text for it in look.values.lines if it.text == SECRET), None)


async def test_what_nobody_has_changed_is_as_it_was_signed(env: RegistrarEnv) -> None:
    for id in (await env.submitted(), await env.pending(), await env.failed()):
        assert not await _findings(env.database, id)
    id = await env.ready()
    assert not await _findings(env.database, id)
    await _reveal(env, id)
    await env.registrar.requests.rotation(id, by=ROSA)
    rotation = await env.asked(id)
    await env.registrar.approval.approve(id, rotation.id, by=ADA)
    assert not await _findings(env.database, id)
    await env.end_run(id)
    await env.registrar.revocation.revoke(id, by=ROSA)
    assert not await _findings(env.database, id)


def _entry(seq: int) -> sa.ColumnElement[bool]:
    return entries.c.seq == seq


LATER = datetime(2036, 1, 1, tzinfo=UTC)
CHANGES: dict[str, tuple[Sequence[sa.Executable], str]] = {
    "who": ([sa.update(entries).where(_entry(2)).values(user_id="U0EVE")], "2 was changed"),
    "what": ([sa.update(entries).where(_entry(2)).values(what="denied")], "2 was changed"),
    "when": ([sa.update(entries).where(_entry(2)).values(at=LATER)], "2 was changed"),
    "details": (
        [sa.update(entries).where(_entry(2)).values(details={"digest": "e"})],
        "2 was changed",
    ),
    "signature of another": (
        [sa.update(entries).where(_entry(2)).values(mac=VAULT.sign("entry:other"))],
        "2 is not as it was signed",
    ),
    "no signature": ([sa.update(entries).where(_entry(2)).values(mac=None)], "2 is not signed"),
    "missing": ([sa.delete(entries).where(_entry(1))], "lacks what stood between entries 0 and 2"),
    "cut off": ([sa.delete(entries).where(_entry(4))], "ends with entry 3, and should end with"),
    "cut off with its head": (
        [sa.delete(entries).where(_entry(4)), sa.update(rows).values(head=None)],
        "nothing that was signed says where history ends",
    ),
    "all of it": ([sa.delete(entries), sa.update(rows).values(head=None)], "does not begin"),
    "reordered": (
        [
            sa.update(entries).where(_entry(2)).values(seq=9),
            sa.update(entries).where(_entry(3)).values(seq=2),
            sa.update(entries).where(_entry(9)).values(seq=3),
        ],
        "2 does not follow the one before",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_of_history_is_found_and_nothing_is_shown(
    env: RegistrarEnv, name: str
) -> None:
    id = await env.ready()
    await env.registrar.requests.handover(id, to=BEN, by=ROSA)
    statements, said = CHANGES[name]
    await _write(env, *statements)
    assert said in await _findings(env.database, id)
    with pytest.raises(Refusal, match=f"audit verify {id}"):
        await _reveal(env, id)
    assert await env.secret_life(id) is SecretLife.SEALED


async def test_an_entry_put_in_is_found_also_after_the_bot_has_gone_on(env: RegistrarEnv) -> None:
    id = await env.approved()
    forged = await _row(env, entries, registration=id, seq=3)
    forged |= {"seq": 4, "previous": forged["hash"], "what": "handed over"}
    forged["details"] = {"to": "U0EVE"}
    forged["hash"] = history.digest(forged)
    await _write(env, sa.insert(entries).values(**forged))
    assert "4 is not as it was signed" in await _findings(env.database, id)
    await env.database.write(history.write, id, Event.FAILED, now=env.clock.now())
    told = await _findings(env.database, id)
    assert "4 is not as it was signed" in told
    assert "the history before entry 5 was not as it was signed" in told


async def test_a_head_cannot_be_made_true_by_going_on(env: RegistrarEnv) -> None:
    """Cut off the end, say that the rest is all there was, and let the bot sign that."""
    id = await env.approved()
    first = await _row(env, entries, registration=id, seq=1)
    head = f"1:{first['hash']}:{first['mac']}"
    await _write(
        env, sa.delete(entries).where(entries.c.seq > 1), sa.update(rows).values(head=head)
    )
    await env.database.write(history.write, id, Event.REMINDED, now=env.clock.now())
    assert "before entry 2 was not as it was signed" in await _findings(env.database, id)


async def test_a_secret_pointed_at_another_registration_is_not_shown(env: RegistrarEnv) -> None:
    mine, other = await env.ready(), await env.ready()
    theirs = (await env.found(other)).secret
    own = (await env.found(mine)).secret
    assert theirs is not None
    assert own is not None
    stolen = (await _row(env, kept, id=theirs.id))["sealed"]
    run = (await _row(env, kept, id=own.id))["run"]
    await _write(env, sa.update(kept).where(kept.c.id == own.id).values(sealed=stolen))
    with pytest.raises(Refusal, match="was changed by something else"):
        await _reveal(env, mine)
    await _write(
        env,
        sa.update(kept)
        .where(kept.c.id == own.id)
        .values(removed_because=RemovalReason.REPLACED, sealed=None),
        sa.update(kept).where(kept.c.id == theirs.id).values(registration=mine, run=run),
    )
    with pytest.raises(Refusal, match="was changed by something else"):
        await _reveal(env, mine)
    assert "does not open for its owner" in await _findings(env.database, mine)


async def test_a_registration_pointed_at_another_requester_shows_nothing(env: RegistrarEnv) -> None:
    id = await env.ready()
    await _write(env, sa.update(rows).where(rows.c.id == id).values(user_id=BEN.user_id))
    assert "its requester is not the one" in await _findings(env.database, id)
    with pytest.raises(Refusal, match="was changed by something else"):
        await env.registrar.secrets.reveal(id, by=BEN, answer_to=URL)


async def test_a_secret_put_back_is_not_shown_again(env: RegistrarEnv) -> None:
    id = await env.ready()
    found = await env.newest_secret(id)
    before = await _row(env, kept, id=found.id)
    assert await _reveal(env, id) == SECRET
    await env.registrar.secrets.masked(id, found.id)
    await _write(env, sa.update(kept).where(kept.c.id == found.id).values(**before))
    with pytest.raises(Refusal, match="has been shown before"):
        await _reveal(env, id)
    assert "that has been shown before" in await _findings(env.database, id)


async def test_a_vote_that_nobody_gave_does_not_help_to_approve(careful: RegistrarEnvs) -> None:
    env, _ = careful
    id = await env.pending()
    await env.cast(id, Vote(person=GRACE, verdict="approve", at=env.clock.now(), digest=DIGEST))
    with pytest.raises(Refusal, match="was changed by something else"):
        await env.registrar.approval.approve(id, by=ADA, seen=[GRACE])
    assert (await env.found(id)).status is Status.PENDING
    assert "the approvals are not those" in await _findings(env.database, id)


@pytest.mark.parametrize("end", [Event.CANCELLED, Event.EXPIRED, Event.UNDONE, Event.REVOKED])
async def test_approvals_from_before_an_end_do_not_count(env: RegistrarEnv, end: Event) -> None:
    id = await env.approved()
    async with env.database.transaction() as tx:
        registration = await registrations.locked(tx, id)
        assert registration is not None
        approvals = registration.approvals()
        await audit.check_approved(tx, registration, None, approvals)
        await history.write(tx, id, end, now=env.clock.now())
        with pytest.raises(Refusal):
            await audit.check_approved(tx, registration, None, approvals)


async def test_the_approvals_of_a_rotation_that_a_revocation_overrules_end_with_it(
    env: RegistrarEnv,
) -> None:
    """Else a row of a run that is added later would make a secret by them."""
    id = await env.ready()
    await _reveal(env, id)
    secret = await env.newest_secret(id)
    await env.registrar.secrets.masked(id, secret.id)
    await env.registrar.requests.rotation(id, by=ROSA)
    await env.registrar.approval.approve(id, (await env.asked(id)).id, by=ADA)
    found, asked = await env.found(id), await env.asked(id)
    assert found.run is RunKind.ADD_SECRET
    await env.database.read(audit.check_approved, found, asked, found.counting(asked))
    await env.registrar.revocation.revoke(id, by=ADA)
    async with env.database.reading() as tx:
        with pytest.raises(Refusal):
            await audit.check_approved(tx, found, asked, found.counting(asked))
        assert await audit.findings(tx, id) == []
        told = await history.read(tx, id)
    assert [each.what for each in told[-2:]] == ["failed", "revoke asked"]
    assert told[-2].details == {"run": "rotate", "code": "overruled"}
    assert (await env.asked(id)).state is RequestState.SUPERSEDED


async def test_a_quorum_that_was_made_less_is_not_one(careful: RegistrarEnvs) -> None:
    env, _ = careful
    id = await env.pending()
    await env.registrar.approval.approve(id, by=ADA)
    quorum = {"needed": 1, "distinct_groups": False}
    await _write(env, sa.update(rows).values(status=Status.APPROVED, quorum=quorum))
    async with env.database.transaction() as tx:
        registration = await registrations.locked(tx, id)
        assert registration is not None
        with pytest.raises(Refusal):
            await audit.check_approved(tx, registration, None, registration.approvals())


@pytest.fixture
def all_do_all(database: Database, clock: MovableClock) -> RegistrarEnv:
    """A registrar in which three people both ask and approve, and two approvals are needed."""
    people = ids(ROSA, BEN, ADA)
    return registrar_env(database, clock, requesters=people, approvers=people, approvals_needed=2)


async def test_nobody_confirms_a_handover_that_they_asked_for_themselves(
    all_do_all: RegistrarEnv,
) -> None:
    id = await all_do_all.pending()
    await all_do_all.registrar.requests.handover(id, to=BEN, by=ADA)
    await _write(all_do_all, ASKED_BY_GRACE.where(requests.c.kind == "handover"))
    with pytest.raises(Refusal, match="was changed by something else"):
        await all_do_all.confirm_handover(id, to=BEN, by=ADA)


async def test_nobody_takes_over_what_history_says_they_approved(all_do_all: RegistrarEnv) -> None:
    id = await all_do_all.pending()
    await all_do_all.registrar.approval.approve(id, by=BEN)
    await _write(all_do_all, sa.delete(given))
    await all_do_all.registrar.requests.handover(id, to=BEN, by=ROSA)
    with pytest.raises(Refusal, match="was changed by something else"):
        await all_do_all.confirm_handover(id, to=BEN, by=ADA)


async def test_a_former_requester_who_was_forgotten_does_not_approve(
    all_do_all: RegistrarEnv,
) -> None:
    id = await all_do_all.pending()
    await all_do_all.registrar.requests.handover(id, to=BEN, by=ROSA)
    await all_do_all.confirm_handover(id, to=BEN, by=ADA)
    await _write(all_do_all, sa.delete(previous_requesters), ASKED_BY_GRACE)
    await all_do_all.registrar.approval.approve(id, by=ROSA)
    with pytest.raises(Refusal, match="was changed by something else"):
        await all_do_all.registrar.approval.approve(id, by=ADA, seen=[ROSA])
    assert "approved their own request" in await _findings(all_do_all.database, id)


async def test_nobody_confirms_a_rotation_that_history_says_they_asked_for(
    env: RegistrarEnv,
) -> None:
    id = await env.ready()
    await _reveal(env, id)
    await env.registrar.requests.rotation(id, by=ADA)
    await _write(env, ASKED_BY_GRACE.where(requests.c.kind == "rotation"))
    rotation = await env.asked(id)
    await env.registrar.approval.approve(id, rotation.id, by=ADA)
    async with env.database.reading() as tx:
        found = await env.found(id)
        with pytest.raises(Refusal):
            await audit.check_approved(tx, found, rotation, (await env.asked(id)).approvals())


async def test_a_handover_seals_for_the_new_requester(env: RegistrarEnv) -> None:
    id = await env.ready()
    await env.registrar.requests.handover(id, to=BEN, by=ROSA)
    await env.confirm_handover(id, to=BEN, by=ADA)
    assert not await _findings(env.database, id)
    look = await env.registrar.secrets.reveal(id, by=BEN, answer_to=URL)
    assert any(it.text == SECRET for it in look.values.lines)


async def test_an_older_key_proves_what_it_signed_and_can_go_after_a_start(
    database_url: str, clock: MovableClock
) -> None:
    async with opened(database_url) as database:
        id = await registrar_env(database, clock).approved()
    async with databases.opened(database_url, Vault([OTHER, KEY])) as database:
        assert not await _findings(database, id)
    async with databases.opened(database_url, Vault([OTHER])) as database:
        assert not await _findings(database, id)
        await _write(
            registrar_env(database, clock),
            sa.update(entries).where(_entry(2)).values(user_id="U0EVE"),
        )
        assert "2 was changed" in await _findings(database, id)


async def test_a_key_that_was_lost_is_named_and_can_come_back(
    database_url: str, clock: MovableClock
) -> None:
    async with opened(database_url) as database:
        id = await registrar_env(database, clock).approved()
    async with databases.opened(database_url, Vault([OTHER])) as database:
        assert "which VAULT_KEYS lacks" in await _findings(database, id)
        async with database.transaction() as tx:  # what must go on, goes on
            await registrations.bump_version(tx, id)
            await history.write(tx, id, Event.REMINDED, now=clock.now())
    async with databases.opened(database_url, Vault([OTHER, KEY])) as database:
        assert not await _findings(database, id)


async def test_an_entry_costs_three_statements(env: RegistrarEnv) -> None:
    """One more than without signatures."""
    id = await env.pending()
    seen: list[str] = []
    async with env.database.transaction() as tx:
        assert tx.sync_connection is not None
        sa.event.listen(
            tx.sync_connection,
            "before_cursor_execute",
            lambda *arguments: seen.append(arguments[2]),
        )
        await history.write(tx, id, Event.REMINDED, now=env.clock.now())
    assert len(seen) == 3
