"""The steps of a registration, as data: stages in order, and the steps of a stage all at once.

The order is a promise: a secret never exists for an application that is not consented, and nothing
is announced before the new credential has been tested. The tests, its last two steps, stand here.
First it signs in, and its token must carry exactly the plan's permissions. Then it reads like the
connector, and must be refused one read that no plan allows. Both wait while grants replicate.
"""

from collections.abc import Mapping

from graph.application import APPLICATION, SERVICE_PRINCIPAL
from graph.calls import Answer, Call, Json
from graph.client import Token
from graph.errors import (
    Forbidden,
    GraphError,
    RolesDiffer,
    RolesMissing,
    TokenExpired,
    TooMuchAllowed,
)
from graph.grants import grants
from graph.plan import Plan
from graph.secret import SECRET
from graph.signin_errors import SETTLING
from graph.step_context import Facts, Step, StepContext
from graph.tenant_cache import organization_of

_COUNTED = {"ConsistencyLevel": "eventual"}

USER_READERS = frozenset({"User.Read.All", "Directory.Read.All"})
"""Roles that read users with `accountEnabled` and `userType`."""

BASIC_USER_READERS = USER_READERS | {"User.ReadBasic.All"}
"""Roles that read users at all."""

GROUP_READERS = frozenset({"Group.Read.All", "GroupMember.Read.All", "Directory.Read.All"})

ORGANIZATION_READERS = frozenset({"Organization.Read.All", "Directory.Read.All"})


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


SIGN_IN = Step("sign_in", "Sign in with the new secret", sign_in)

DIRECTORY = Step("directory", "Read the directory as the connector will", read_directory)


def stages(plan: Plan) -> list[list[Step]]:
    """Return the stages that carry a plan out. To undo it, go through them in reverse."""
    order = [[APPLICATION], [SERVICE_PRINCIPAL], grants(plan), [SECRET], [SIGN_IN], [DIRECTORY]]
    return [stage for stage in order if stage]
