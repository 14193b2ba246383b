"""`aad-setup doctor --live`: prove in the tenant that Entra limits what the bot grants."""

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping

from bot.checks import unlimiting_rights
from bot.doctor.database import current
from bot.doctor.findings import Finding, reported, well, wrong
from bot.doctor.services import why_silent
from bot.domain.catalogue import permissions_of, read_catalogue
from bot.own_credential import removing
from bot.settings.settings import Settings
from graph.clock import Clock
from graph.connection import connected
from graph.consent_policy import APPLICATION_UPDATE
from graph.errors import GraphError
from graph.permissions import KIND_WORDS, Kind, Permission
from graph.probe import FORBIDDEN, ProbeLeft, Trial, context_of, prove
from graph.rights import ConsentMode
from handlers.listeners.commands import RESERVED

KEY_BYTES = 16
COMPARE = "Compare the policy and the role with what `aad-setup consent-policy` prints."
NOT_ALLOWED = (
    f"{COMPARE} If they are as printed, and only then, add {APPLICATION_UPDATE} to the role."
)
LIST_ORPHANS = "`aad-setup doctor --orphans` lists it: delete it in the Entra admin centre."


@reported
async def prove_limits(environ: Mapping[str, str], clock: Clock) -> AsyncIterator[Finding]:
    """Yield whether allowed and forbidden grants of each kind are judged right.

    They are tried on a probe application, whose key is yielded first, and which is removed whatever
    happens, cancellation included.
    """
    settings, catalogue = Settings.read(environ), read_catalogue(reserved=RESERVED)
    if settings.consent_mode != ConsentMode.LIMITED:
        mode = settings.consent_mode
        yield wrong(
            f"Nothing to prove: `--live` is only for CONSENT_MODE=limited, and it is {mode}."
        )
        return
    async with current(settings) as (_, installation):
        pass
    tried = trials(permissions_of(catalogue))
    try:
        async with connected(settings, clock) as tenant:
            if wide := unlimiting_rights(settings, await tenant.graph.roles()):
                for sentence in wide:
                    yield wrong(f"Rights: {sentence}", removing(settings.credential))
                return
            context = await context_of(
                tenant,
                clock,
                client_id=settings.client_id,
                installation=installation,
                nonce=secrets.token_hex(KEY_BYTES),
            )
            yield well(f"Probe: {context.plan.key} is made now, and then removed.")
            outcomes = await prove(context, tried)
    except GraphError as error:
        yield await why_silent(settings, error)
    except ProbeLeft as left:
        yield wrong(f"The probe {left.key} was not removed. {left.error.sentence}", LIST_ORPHANS)
    else:
        for trial in outcomes:
            yield _judged(trial)
        yield well("The probe application was removed.")


def trials(allowed: Iterable[Permission]) -> list[Permission]:
    """Return an allowed permission of each kind that the profiles ask for, then the forbidden ones.

    In this order, because before Entra has heard of the role it refuses everything.
    """
    first: dict[Kind, Permission] = {}
    for permission in allowed:
        first.setdefault(permission.kind, permission)
    return [*first.values(), *FORBIDDEN.values()]


def _judged(trial: Trial) -> Finding:
    permission = trial.permission
    named = f"{permission.name} ({KIND_WORDS[permission.kind]})"
    should_be = permission not in FORBIDDEN.values()
    if should_be and not trial.is_granted:
        return wrong(f"Consent: Entra refused to let the bot grant {named}.", NOT_ALLOWED)
    if trial.is_granted and not should_be:
        said = f"Consent: Entra let the bot grant {named}, which no profile asks for."
        return wrong(said, "Look for other roles and rights of the bot's service principal.")
    outcome = "allowed" if should_be else "refused"
    return well(f"Consent: Entra {outcome} the grant of {named}, as it should.")
