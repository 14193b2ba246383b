"""The steps of a registration, as data: stages in order, and the steps of a stage all at once. The
last ones stand here: the client secret is made, sealed at once and tested; strays are removed.

The order is a promise: a secret never exists for an application that is not consented, and nothing
is announced before the new credential has been tested.

Graph shows a secret once, in the answer to the call that makes it. If that answer is lost the
secret exists and its value is lost. So each attempt carries its own nonce in the secret's name; a
new attempt makes a new one, and sweeps later remove secrets that carry our id but are not known.
learn.microsoft.com/graph/api/application-addpassword

First the test signs in, and its token must carry exactly the plan's permissions. Then it reads like
the connector, and must be refused one read that no plan allows. Both wait while grants replicate.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from graph.application import APPLICATION, SERVICE_PRINCIPAL
from graph.calls import Answer, Call, Json, filled, identifier
from graph.client import Token
from graph.errors import (
    Forbidden,
    GraphError,
    LostAnswer,
    NoSuchSecret,
    NotFound,
    RolesDiffer,
    RolesMissing,
    SecretsLost,
    TokenExpired,
    TooMuchAllowed,
)
from graph.grants import grants
from graph.plan import Plan
from graph.removal import is_gone, is_young, unless_gone
from graph.retry import BRIEFLY
from graph.signin_errors import SETTLING
from graph.step_context import Facts, Sealed, Step, StepContext
from graph.tenant_cache import organization_of

_COUNTED = {"ConsistencyLevel": "eventual"}

USER_READERS = frozenset({"User.Read.All", "Directory.Read.All"})
"""Roles that read users with `accountEnabled` and `userType`."""

BASIC_USER_READERS = USER_READERS | {"User.ReadBasic.All"}
"""Roles that read users at all."""

GROUP_READERS = frozenset({"Group.Read.All", "GroupMember.Read.All", "Directory.Read.All"})

ORGANIZATION_READERS = frozenset({"Organization.Read.All", "Directory.Read.All"})


async def make_secret(context: StepContext) -> Facts:
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
    path = f"{_path(context)}/addPassword"
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
            path = f"{_path(context)}/removePassword"
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


async def undo_secret(context: StepContext) -> None:
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
    read = partial(context.graph.get, _path(context), shape)
    held = await unless_gone(context, object_id, read, created_at=created_at)
    return held["passwordCredentials"] if held else []


def mark(registration: str) -> str:
    """Return the mark in the name of every secret of a registration."""
    return f" · {registration} · "


def _mark(context: StepContext) -> str:
    return mark(context.plan.registration)


def _path(context: StepContext) -> str:
    return f"/applications/{context.fact('application', 'object_id')}"


async def sign_in(context: StepContext) -> Facts:
    """Sign in with the new secret. Learns the `roles` of its token, and `signed_in_at`.

    Raises RolesDiffer, RolesMissing or SignInFailed once replication is no excuse for it.
    """
    token = await context.retry_until_replicated(
        lambda: _signed_in(context), settling=(*SETTLING, RolesMissing)
    )
    # The next step reads with it, if it is not killed.
    context.sign_in.hold(context.fact("application", "app_id"), token)
    return {"roles": sorted(token.roles), "signed_in_at": context.now()}


async def read_directory(context: StepContext) -> Facts:
    """Read with the plan's permissions, and be refused one read beyond them. Raises GraphError.

    Learns `refused` and `tested_at`; where the plan allows to read them, the numbers of all `users`
    and `groups`, how many users on the first page (`users_read`) are `disabled`, `guests` and
    `without_mail`, and whether the tenant still has the plan's domain (`domain_ok`).
    """
    return await context.retry_until_replicated(
        lambda: _read(context), settling=(*SETTLING, RolesMissing, Forbidden, TokenExpired)
    )


async def _signed_in(context: StepContext) -> Token:
    secret = await context.journal.unseal(context.fact("secret", "sealed_id"))
    app_id = context.fact("application", "app_id")
    # A partial would show the secret in its repr, which a lambda does not.
    token = await context.graph.retry_through_outage(lambda: context.sign_in.token(app_id, secret))
    wanted = {permission.name for permission in context.plan.roles}
    if extra := sorted(token.roles - wanted):
        raise RolesDiffer(sentence=f"{RolesDiffer.TEXT} Not in the plan: {', '.join(extra)}.")
    if lacking := sorted(wanted - token.roles):
        raise RolesMissing(sentence=f"{RolesMissing.TEXT} Missing: {', '.join(lacking)}.")
    return token


async def _read(context: StepContext) -> Facts:
    token = context.sign_in.take(context.fact("application", "app_id")) or await _signed_in(context)
    try:
        answers = await context.graph.with_token(token).batch(reads(context.plan))
    except TokenExpired:  # it may have lived its hour while the bot was made to wait
        token = await _signed_in(context)
        answers = await context.graph.with_token(token).batch(reads(context.plan))
    _must_be_refused(answers.pop("policy"))
    return {**_summary(answers, context.plan), "refused": True, "tested_at": context.now()}


def reads(plan: Plan) -> dict[str, Call]:
    """Return the reads that the plan allows, and one that it must not: the tenant's policy."""
    roles = frozenset(permission.name for permission in plan.roles)
    calls = {"policy": Call("GET", "/policies/defaultAppManagementPolicy")}
    if roles & BASIC_USER_READERS:
        fields = "id,accountEnabled,userType,mail" if roles & USER_READERS else "id,mail"
        calls["users"] = _collection("/users", fields)
    if roles & GROUP_READERS:
        calls["groups"] = _collection("/groups", "id")
    if roles & ORGANIZATION_READERS:
        calls["organization"] = Call("GET", "/organization", {"$select": "id,verifiedDomains"})
    return calls


def _collection(path: str, fields: str) -> Call:
    query = {"$select": fields, "$top": "999", "$count": "true"}
    return Call("GET", path, query, headers=_COUNTED)


def _must_be_refused(answer: Answer | GraphError) -> None:
    if isinstance(answer, Answer):
        raise TooMuchAllowed(request_id=answer.request_id)
    if not isinstance(answer, Forbidden):
        raise answer


_USER = {"accountEnabled?": bool, "userType?": str, "mail?": str}


def _summary(answers: Mapping[str, Answer | GraphError], plan: Plan) -> Facts:
    """Count the results; names of people are not kept."""
    read: dict[str, Answer] = {}
    for name, answer in answers.items():
        if isinstance(answer, GraphError):
            raise answer
        read[name] = answer
    summary: Facts = {}
    if "users" in read:
        users = read["users"].read({"value": [_USER], "@odata.count?": int})
        page = users["value"]
        summary["users"] = _count(users)
        summary["users_read"] = len(page)
        summary["disabled"] = sum(user.get("accountEnabled") is False for user in page)
        summary["guests"] = sum(user.get("userType") == "Guest" for user in page)
        summary["without_mail"] = sum(not user.get("mail") for user in page)
    if "groups" in read:
        summary["groups"] = _count(read["groups"].read({"value": [dict], "@odata.count?": int}))
    if "organization" in read:
        tenant = organization_of(read["organization"], plan.tenant_id)
        read["organization"].check(tenant, {"verifiedDomains": [{"name": str}]})
        summary["domain_ok"] = plan.domain in [each["name"] for each in tenant["verifiedDomains"]]
    return summary


def _count(page: Json) -> int:
    """Return the number of all items; a page without a count holds all."""
    count = page.get("@odata.count")
    return len(page["value"]) if count is None else int(count)


SECRET = Step("secret", "Make the client secret", make_secret, undo_secret, "the client secret")

SIGN_IN = Step("sign_in", "Sign in with the new secret", sign_in)

DIRECTORY = Step("directory", "Read the directory as the connector will", read_directory)


def stages(plan: Plan) -> list[list[Step]]:
    """Return the stages that carry a plan out. To undo it, go through them in reverse."""
    order = [[APPLICATION], [SERVICE_PRINCIPAL], grants(plan), [SECRET], [SIGN_IN], [DIRECTORY]]
    return [stage for stage in order if stage]
