"""Checks of what the bot may do in Entra: too little, too much, and within which limits."""

from collections.abc import Awaitable, Iterator

from bot.checks import lacking_rights, unlimiting_rights
from bot.doctor.findings import Finding, doubt, well, wrong
from bot.domain.catalogue import Catalogue, permissions_of
from bot.own_credential import granting, removing
from bot.planning.plans import ALMIGHTY
from bot.settings.settings import Settings
from graph.connection import Connection
from graph.consent_policy import (
    APPLICATION_UPDATE,
    POLICY_ID,
    held_roles,
    policy_differences,
    role_differences,
)
from graph.errors import Forbidden
from graph.rights import ConsentMode, Right, excess, missing, rights, too_wide, unread

SET_UP = "Set it up as `aad-setup consent-policy` prints it."
PROVE = "`aad-setup doctor --live` proves that Entra obeys it."


def check_rights(
    settings: Settings, held: frozenset[str], catalogue: Catalogue
) -> Iterator[Finding]:
    """Yield which rights are missing, and which are too many for the consent mode."""
    mode, grant_it = ConsentMode(settings.consent_mode), granting(settings.credential)
    remove_it = removing(settings.credential)
    refused = list(_refused(mode, held, catalogue))
    unused = sorted(excess(mode, held) - frozenset(too_wide(mode, held)))
    needless = [f"{name} is held and never used in CONSENT_MODE={mode}." for name in unused]
    must_change = [
        *(wrong(f"Rights: {each}", grant_it) for each in lacking_rights(settings, held)),
        *(wrong(f"Rights: {each}", remove_it) for each in unlimiting_rights(settings, held)),
        *(doubt(f"Rights: {each}", grant_it) for each in refused),
        *(doubt(f"Rights: {each}", remove_it) for each in needless),
    ]
    yield from must_change
    for right in _stood_in_for(mode, held, catalogue):
        said = f"Rights: {right.name} is not held. One that is too much stands in for it."
        yield doubt(said, f"Before that one goes: {grant_it}")
    for right in unread(mode, held):
        said = f"Rights: {right.name} (optional) is missing. It is needed to {right.needed_to}."
        yield doubt(said, grant_it)
    if mode is ConsentMode.AUTONOMOUS:
        yield doubt(
            f"Rights: CONSENT_MODE={mode}. {ALMIGHTY}", "The other modes need none of them."
        )
    if not must_change:
        yield well(f"Rights: enough for CONSENT_MODE={mode}, and none too many.")


async def check_limits(
    settings: Settings, tenant: Connection, catalogue: Catalogue, held: frozenset[str]
) -> list[Finding]:
    """Compare the policy and the role that limit the bot with what they should be.

    What a missing right hides is left out: that right is named as such. Raises GraphError.
    """
    if settings.consent_mode != ConsentMode.LIMITED:
        return []
    policy = _policy(settings, tenant, catalogue)
    return [
        *await _shown("Consent policy", "Policy.Read.PermissionGrant" in held, policy),
        *await _shown(
            "Consent role", "RoleManagement.Read.Directory" in held, _role(settings, tenant)
        ),
    ]


async def _shown(name: str, is_permitted: bool, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await look
    except Forbidden as error:
        said = f"{name}: could not be compared, because Entra refuses to show it ({error.code})."
        return [doubt(said, "Check that the tenant has Entra ID P1.")] if is_permitted else []


async def _policy(settings: Settings, tenant: Connection, catalogue: Catalogue) -> list[Finding]:
    differences = await policy_differences(
        tenant.graph,
        permissions_of(catalogue),
        tenant_id=settings.tenant_id,
        resource=await tenant.tenant_cache.resource(),
    )
    as_it_is = f"{POLICY_ID} allows what the profiles ask for, and nothing else."
    return list(_compared("Consent policy", differences, as_it_is))


async def _role(settings: Settings, tenant: Connection) -> list[Finding]:
    roles = await held_roles(tenant.graph, settings.client_id)
    as_it_is = (
        "assigned to the bot, and no other role directly. Roles through groups are not checked."
    )
    found = list(_compared("Consent role", role_differences(roles), as_it_is))
    for role in roles:
        if APPLICATION_UPDATE in role.actions:
            said = f"Consent role: “{role.name}” also allows {APPLICATION_UPDATE}."
            found.append(doubt(said, "Remove it, unless `--live` has shown that it is needed."))
    return found


def _compared(name: str, differences: list[str], as_it_is: str) -> Iterator[Finding]:
    for sentence in differences:
        yield wrong(f"{name}: {sentence}", SET_UP)
    if not differences:
        yield well(f"{name}: {as_it_is}", PROVE)


def _refused(mode: ConsentMode, held: frozenset[str], catalogue: Catalogue) -> Iterator[str]:
    """Yield the rights that only profiles with delegated permissions lack, with these profiles."""
    always = missing(mode, held, scopes=())
    named = ", ".join(each.id for each in catalogue.values() if each.scopes)
    for right in missing(mode, held, scopes=_scopes(catalogue)):
        if right not in always:
            yield f"{right.name} is missing for CONSENT_MODE={mode}: plans are refused for {named}."


def _stood_in_for(mode: ConsentMode, held: frozenset[str], catalogue: Catalogue) -> Iterator[Right]:
    """Yield the rights that will be missing once those that are too many are gone."""
    already = missing(mode, held, scopes=_scopes(catalogue))
    for right in missing(mode, held & rights(mode), scopes=_scopes(catalogue)):
        if right not in already:
            yield right


def _scopes(catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(scope for profile in catalogue.values() for scope in profile.scopes)
