"""Build a plan request from a form and its profile, before the tenant is read."""

from bot.domain.catalogue import Profile
from bot.domain.registration import Form
from graph.permissions import explain_retired
from graph.plan import PlanRequest


def plan_request_of(
    form: Form,
    profile: Profile,
    *,
    registration: str,
    key: str,
    installation: str,
    requester: str,
    consent_mode: str,
) -> PlanRequest:
    """Return the request, with the profile's warnings."""
    retired = explain_retired(profile.legacy, roles=profile.roles, scopes=profile.scopes)
    return PlanRequest(
        registration=registration,
        key=key,
        installation=installation,
        profile=profile.id,
        profile_digest=profile.digest,
        name=form.name,
        reason=form.reason,
        requester=requester,
        roles=profile.roles,
        scopes=profile.scopes,
        redirect=form.redirect,
        secret_name=profile.secret_name,
        secret_days=form.secret_days,
        profile_days=profile.longest_secret_days,
        warnings=(*profile.warnings, *([retired] if retired else ())),
        consent_mode=consent_mode,
    )
