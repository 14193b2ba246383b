"""The tenant's policy for new applications and their credentials: `defaultAppManagementPolicy`.

Shape and restriction types: learn.microsoft.com/graph/api/resources/tenantappmanagementpolicy and
appmanagementapplicationconfiguration; error codes as clients meet them. The restrictions on
audiences and redirect URIs are documented for beta only: v1.0 enforces them without telling them,
unless `tells_beta`, which is v1.0 on the day when they are promoted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from bot.playground.tenant.checks import read_time
from bot.playground.tenant.errors import GraphFailure, bad_request

Json = dict[str, Any]

POLICY_ID = "00000000-0000-0000-0000-000000000000"

_PLATFORMS = ("web", "spa", "publicClient")
_AUDIENCES = {
    "azureAdMultipleOrgs": {"AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount"},
    "personalMicrosoftAccount": {
        "PersonalMicrosoftAccount",
        "AzureADandPersonalMicrosoftAccount",
    },
}
"""Each restriction on audiences and the audiences that it forbids: audiencesconfiguration."""
LONGEST = ("longest_secret", "longest_certificate")
"""Told in days: `longest_secret_days`."""


@dataclass(frozen=True, kw_only=True)
class AppManagementPolicy:
    """What applications may get. Nothing is restricted by default, as in a new tenant."""

    secrets_banned: bool = False
    longest_secret: timedelta | None = None
    longest_certificate: timedelta | None = None
    audiences_banned: tuple[str, ...] = ()
    """`azureAdMultipleOrgs`, `personalMicrosoftAccount`."""
    redirect_domains: tuple[str, ...] | None = None
    """Only these, where given."""
    identifier_uris_checked: bool = False
    """They must hold a verified domain, the tenant's id or the application's."""
    reference_required: bool = False
    """Applications must have a `serviceManagementReference`. Not told by any policy."""
    exempt: tuple[str, ...] = ()
    """Client ids of whom nothing is asked, by their custom security attributes."""
    tells_beta: bool = False

    def __post_init__(self) -> None:
        if unknown := set(self.audiences_banned) - _AUDIENCES.keys():
            raise ValueError(f"the policy knows no audience {', '.join(sorted(unknown))}")

    def told(self) -> Json:
        """Return all that is set, as `/sim/policy` tells it."""
        shown = asdict(self)
        for name in LONGEST:
            longest = shown.pop(name)
            shown[f"{name}_days"] = longest and longest.days
        return shown

    def check(self, *, caller: str | None, start: datetime, end: datetime) -> None:
        """Refuse a secret that may not be, or not live so long."""
        if caller in self.exempt:
            return
        if self.secrets_banned:
            raise _type_not_allowed()
        if self.longest_secret is not None and end - start > self.longest_secret:
            raise _lives_too_long()

    def check_application(
        self, after: Json, *, before: Json | None, caller: str | None, names: Iterable[str]
    ) -> None:
        """Refuse what a new application is, or what a change adds to one that is there.

        `names` are what makes an identifier URI the tenant's own: its id and its domains.
        """
        if self.reference_required and not after["serviceManagementReference"]:
            raise _no_reference("Create" if before is None else "Update")
        if caller in self.exempt:
            return
        old = before or {}
        if after["signInAudience"] != old.get("signInAudience"):
            self._check_audience(after["signInAudience"])
        for platform, uri in sorted(_redirects(after) - _redirects(old)):
            self._check_redirect(platform, uri)
        for uri in set(after["identifierUris"]) - set(old.get("identifierUris", ())):
            self._check_identifier(uri, {*names, after["appId"]})
        for key in after["keyCredentials"]:
            if key not in old.get("keyCredentials", ()):
                self._check_certificate(key)

    def to_json(self) -> Json:
        """Return it as v1.0 tells it."""
        secrets, keys = self._of_secrets(), self._of_certificates()
        restrictions: Json = {"passwordCredentials": secrets, "keyCredentials": keys}
        told = {name: dict(self._group(name)) for name in _GROUPS}
        restrictions["identifierUris"] = told["identifierUris"] or None
        if self.tells_beta:
            restrictions |= {name: told[name] or None for name in ("audiences", "redirectUris")}
        return {
            "id": POLICY_ID,
            "displayName": "Default app management tenant policy",
            "description": "Default tenant policy that enforces app management restrictions.",
            "isEnabled": any([secrets, keys, *told.values()]),
            "applicationRestrictions": restrictions,
            "servicePrincipalRestrictions": {"passwordCredentials": [], "keyCredentials": []},
        }

    def _check_audience(self, audience: str) -> None:
        for name in self.audiences_banned:
            if audience in _AUDIENCES[name]:
                # The text is from clients' own tests; the code is Microsoft's.
                message = f"'signInAudience' property value '{audience}' is not allowed."
                raise bad_request(message, code="SignInAudienceNotAllowedAsPerAppPolicy")

    def _check_redirect(self, platform: str, uri: str) -> None:
        host = (urlsplit(uri).hostname or "").casefold()
        allowed = self.redirect_domains
        if allowed is not None and host not in {each.casefold() for each in allowed}:
            raise _redirect_not_allowed(platform)

    def _check_identifier(self, uri: str, names: set[str]) -> None:
        if self.identifier_uris_checked and not any(name in uri for name in names):
            message = (
                f"Failed to add identifier URI {uri}. All newly added URIs must contain a tenant"
                " verified domain, tenant ID, or app ID, as per the default tenant policy of your"
                " organization."
            )
            raise bad_request(message, code="InvalidUniqueTenantIdentifierAsPerAppPolicy")

    def _check_certificate(self, key: Json) -> None:
        longest = self.longest_certificate
        start, end = (read_time(key.get(name) or "") for name in ("startDateTime", "endDateTime"))
        if longest is not None and start and end and end - start > longest:
            raise _lives_too_long()

    def _of_secrets(self) -> list[Json]:
        restrictions = []
        if self.secrets_banned:
            restrictions.append(self._lasting("passwordAddition", None))
        if self.longest_secret is not None:
            restrictions.append(self._lasting("passwordLifetime", self.longest_secret))
        return restrictions

    def _of_certificates(self) -> list[Json]:
        if self.longest_certificate is None:
            return []
        return [self._lasting("asymmetricKeyLifetime", self.longest_certificate)]

    def _group(self, name: str) -> Iterator[tuple[str, Json]]:
        if name == "audiences":
            yield from ((audience, self._entry()) for audience in self.audiences_banned)
        elif name == "identifierUris":
            if self.identifier_uris_checked:
                more = {"excludeAppsReceivingV2Tokens": False, "excludeSaml": False}
                entry = self._entry(isStateSetByMicrosoft=False, **more)
                yield "uriAdditionWithoutUniqueTenantIdentifier", entry
        elif self.redirect_domains is not None:
            yield "uriWithoutAllowedDomain", self._entry(allowedDomains=list(self.redirect_domains))

    def _lasting(self, kind: str, longest: timedelta | None) -> Json:
        lifetime = f"P{longest.days}D" if longest is not None else None
        return self._entry(restrictionType=kind, maxLifetime=lifetime)

    def _entry(self, **more: Any) -> Json:
        return {
            "state": "enabled",
            "restrictForAppsCreatedAfterDateTime": None,
            "excludeActors": {"customSecurityAttributes": [_EXEMPTION]} if self.exempt else None,
            **more,
        }


_GROUPS = ("identifierUris", "audiences", "redirectUris")
_EXEMPTION: Mapping[str, object] = {
    "@odata.type": "#microsoft.graph.customSecurityAttributeStringValueExemption",
    "id": "PolicyExemptions_AppManagementExemption",
    "operator": "equals",
    "value": "ExemptFromRestriction",
}


def _redirects(application: Json) -> set[tuple[str, str]]:
    return {
        (platform, uri)
        for platform in _PLATFORMS
        for uri in application.get(platform, {}).get("redirectUris", ())
    }


def _type_not_allowed() -> GraphFailure:
    message = "Credential type not allowed as per assigned policy."
    return bad_request(message, code="CredentialTypeNotAllowedAsPerAppPolicy")


def _lives_too_long() -> GraphFailure:
    message = (
        f"Credential lifetime exceeds the max value allowed as per assigned policy '{POLICY_ID}'."
    )
    detail = {"code": "InvalidKeyEndDate", "message": message, "target": "EndDate"}
    return bad_request(message, code="CredentialInvalidLifetimeAsPerAppPolicy", details=[detail])


def _redirect_not_allowed(platform: str) -> GraphFailure:
    # Not documented and not met anywhere: code and text are made after those of its siblings.
    message = f"'{platform}.redirectUris' holds a value that is not allowed as per assigned policy."
    return bad_request(message, code="RedirectUriNotAllowedAsPerAppPolicy")


def _no_reference(verb: str) -> GraphFailure:
    # As clients meet it in tenants that ask for one; Microsoft's reference does not list it.
    message = (
        f"ServiceManagementReference field is required for {verb}, but is missing in the request."
    )
    return bad_request(message, code="ServiceTreeValueMissing")
