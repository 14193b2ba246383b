"""The client secret: made, sealed at once, and every stray one removed.

Graph shows a secret once, in the answer to the call that makes it. If that answer is lost the
secret exists and its value is lost. So each attempt carries its own nonce in the secret's name; a
new attempt makes a new one, and sweeps later remove secrets that carry our id but are not known.
learn.microsoft.com/graph/api/application-addpassword
"""

from datetime import datetime, timedelta

from graph.calls import Json, filled, identifier
from graph.errors import LostAnswer, NoSuchSecret, NotFound, SecretsLost
from graph.removal import is_gone, is_young
from graph.retry import BRIEFLY
from graph.step_context import Facts, Sealed, Step, StepContext


async def make(context: StepContext) -> Facts:
    """Make a secret and seal it. Raises GraphError.

    Learns `sealed_id` (in the vault), `key_id` and `hint` (its first letters), both as Entra shows
    them for ever, and `expires_at` and `made_at`.
    """
    attempt: Sealed | str | None = None
    lost: LostAnswer | None = None

    async def mint() -> Sealed:
        """Use the same nonce again only where Entra has certainly made nothing with it."""
        nonlocal attempt, lost
        try:
            attempt = attempt or await context.journal.attempt()
            return await _mint(context, attempt)
        except SecretsLost as error:
            error.request_id = lost.request_id if lost else None
            raise
        except LostAnswer as error:
            attempt, lost = None, error
            raise

    sealed = await context.retry_until_replicated(mint)
    return {
        "sealed_id": sealed.id,
        "key_id": sealed.key_id,
        "hint": sealed.hint,
        "expires_at": sealed.expires_at.isoformat(),
        "made_at": context.now(),
    }


async def _mint(context: StepContext, attempt: Sealed | str) -> Sealed:
    if isinstance(attempt, Sealed):  # before a crash
        return attempt
    now = context.clock.now().replace(microsecond=0)
    expires_at = now + timedelta(days=context.plan.secret_days)
    if context.secret_until is not None:
        expires_at = min(expires_at, context.secret_until)
    path = f"{_application(context)}/addPassword"
    wanted = {
        "displayName": f"{context.plan.secret_name}{_mark(context)}{attempt}",
        "endDateTime": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    answer = await context.graph.send(
        "POST", path, body={"passwordCredential": wanted}, repeatable=False
    )
    made = answer.read({"keyId": identifier, "secretText": filled, "hint?": str})
    key_id, hint = made["keyId"], made.get("hint") or ""
    id = await context.journal.seal(
        attempt, secret=made["secretText"], key_id=key_id, hint=hint, expires_at=expires_at
    )
    return Sealed(id=id, key_id=key_id, expires_at=expires_at, hint=hint)


async def remove_secret(
    context: StepContext, key_id: str, *, unproven_since: datetime | None = None
) -> None:
    """Remove a secret of the application; one that is not there is removed.

    A young application that Entra does not know is waited for. So is a secret that was made lately
    and that Entra has never shown to know, but only briefly: NotFound leaves it to a sweep.
    """
    object_id = context.fact("application", "object_id")
    created_at = context.created_at("application")

    async def once() -> None:
        try:
            path = f"{_application(context)}/removePassword"
            await context.graph.send("POST", path, body={"keyId": key_id})
        except NoSuchSecret as error:
            # The answer to an earlier try of this call, which removed it, may have been lost.
            if is_young(context, unproven_since) and error.tries == 1:
                raise
        except NotFound:
            if not await is_gone(context, object_id, created_at=created_at):
                raise

    if unproven_since is None:
        await context.retry_while_young(once, created_at=created_at)
    else:
        await context.retry_while_young(once, created_at=context.clock.now(), within=BRIEFLY)


async def remove_strays(context: StepContext, known_key_ids: frozenset[str]) -> list[str]:
    """Remove the secrets that carry this registration's id but are not known. Return their ids."""
    strays = [
        each["keyId"]
        for each in await _secrets(context)
        if _mark(context) in (each.get("displayName") or "") and each["keyId"] not in known_key_ids
    ]
    for key_id in strays:
        await remove_secret(context, key_id)
    return strays


async def undo(context: StepContext) -> None:
    """Remove every secret that this registration has made.

    One that Entra does not know, not yet or no longer, goes with the application.
    """
    if "application" not in context.facts:
        return
    if "secret" in context.facts:
        await remove_secret(context, context.fact("secret", "key_id"))
    await remove_strays(context, frozenset())


async def _secrets(context: StepContext) -> list[Json]:
    """Return the secrets that the application has; none if it is gone."""
    object_id = context.fact("application", "object_id")
    created_at = context.created_at("application")
    shape = {"passwordCredentials": [{"keyId": identifier, "displayName?": str}]}

    async def once() -> list[Json]:
        try:
            held = await context.graph.get(_application(context), shape)
        except NotFound:
            if not await is_gone(context, object_id, created_at=created_at):
                raise
            return []
        secrets: list[Json] = held["passwordCredentials"]
        return secrets

    return await context.retry_while_young(once, created_at=created_at)


def mark(registration: str) -> str:
    """Return the mark in the name of every secret of a registration."""
    return f" · {registration} · "


def _mark(context: StepContext) -> str:
    return mark(context.plan.registration)


def _application(context: StepContext) -> str:
    return f"/applications/{context.fact('application', 'object_id')}"


SECRET = Step("secret", "Make the client secret", make, undo, "the client secret")
