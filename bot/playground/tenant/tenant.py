"""The tenant as a test or the playground sees it: addresses, administrators, state, faults."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from bot.playground.tenant import (
    app_role_assignments,
    audit_log,
    browser,
    built_in_roles,
    consent_client,
    credentials,
    microsoft_graph,
    permissions,
    portal,
    quota,
)
from bot.playground.tenant import machine as machines
from bot.playground.tenant.browser import Blocked, Landing
from bot.playground.tenant.calls import Call
from bot.playground.tenant.consent_client import User
from bot.playground.tenant.credentials import Credential
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.faults import Faults
from bot.playground.tenant.log import Log
from bot.playground.tenant.machine import Machine
from bot.playground.tenant.policy import AppManagementPolicy
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.seeding import People
from graph.clouds import Cloud

AUTONOMOUS = (
    "Application.ReadWrite.OwnedBy",
    "Application.Read.All",
    "Organization.Read.All",
    "Policy.Read.All",
    "AppRoleAssignment.ReadWrite.All",
    "DelegatedPermissionGrant.ReadWrite.All",
)
"""What a bot needs that grants consent itself."""

PORTAL = AUTONOMOUS[:4]
"""What a bot needs that leaves consent to an administrator."""


class Tenant:
    ca_file: Path
    """The certificate of the authority that signed the tenant's own."""
    host_names: tuple[str, ...] = ()
    """Hosts of Microsoft's as which it answers, too."""

    def __init__(self, directory: Directory, log: Log) -> None:
        self._directory = directory
        self._log = log
        microsoft_graph.plant(directory)
        self.administrator = self.add_administrator(AUTONOMOUS)

    @property
    def id(self) -> str:
        return self._directory.id

    @property
    def name(self) -> str:
        return self._directory.name

    @property
    def domain(self) -> str:
        return self._directory.domain

    @property
    def initial_domain(self) -> str:
        return self._directory.initial_domain

    @property
    def url(self) -> str:
        return self._directory.url

    @property
    def authority(self) -> str:
        return f"{self.url}/{self.id}"

    @property
    def graph_url(self) -> str:
        return self.url

    @property
    def cloud(self) -> Cloud:
        return self._directory.cloud

    @property
    def faults(self) -> Faults:
        return self._directory.faults

    @property
    def policy(self) -> AppManagementPolicy:
        return self._directory.policy

    @property
    def log(self) -> list[Call]:
        return self._log.calls

    @property
    def people(self) -> People:
        return self._directory.people

    @property
    def applications(self) -> list[dict[str, Any]]:
        """Applications made through Graph, as they truly are; without the administrators' own."""
        rows = self._directory.store.all(Kind.APPLICATION)
        return [row for row in rows if row["createdByAppId"] is not None]

    @property
    def service_principals(self) -> list[dict[str, Any]]:
        """Service principals made through Graph, as they truly are."""
        rows = self._directory.store.all(Kind.SERVICE_PRINCIPAL)
        return [row for row in rows if row["createdByAppId"] is not None]

    @property
    def assignments(self) -> list[dict[str, Any]]:
        """Application permissions granted, the administrators' own included."""
        return self._directory.store.all(Kind.ASSIGNMENT)

    @property
    def grants(self) -> list[dict[str, Any]]:
        """Delegated permissions granted."""
        return self._directory.store.all(Kind.GRANT)

    @property
    def audits(self) -> list[dict[str, Any]]:
        """What the audit log shows now, newest first."""
        return audit_log.entries(self._directory, self._directory.now())

    @property
    def deleted(self) -> list[dict[str, Any]]:
        """What was deleted and can still be restored: applications and service principals."""
        return [body for _, body in self._directory.deleted.values()]

    @property
    def minted(self) -> list[str]:
        """The text of every secret ever made here, removed ones too: what must never leak."""
        made = self._directory.store.ever(Kind.SECRET)
        return sorted({secret["secretText"] for secret in made})

    @property
    def issued_to_users(self) -> list[str]:
        """Every code and token ever issued at a person's sign-in: what must never leak, either."""
        return list(self._directory.logins.issued)

    def calls(self, method: str = "", path: str = "") -> list[Call]:
        """Return the calls with that method whose path contains these words."""
        return [
            call
            for call in self.log
            if call.method.startswith(method) and path.lower() in call.path.lower()
        ]

    def applications_named(self, name: str) -> list[dict[str, Any]]:
        return [row for row in self.applications if row["displayName"] == name]

    def live_secrets(self, app_id: str) -> list[dict[str, Any]]:
        """Return the secrets that an application truly has and that have not expired."""
        application = self._directory.find(Kind.APPLICATION, appId=app_id)
        held = application["passwordCredentials"] if application else []
        now = self._directory.now()
        return [s for s in held if datetime.fromisoformat(s["endDateTime"]) > now]

    def roles_of(self, app_id: str) -> set[str]:
        """Return the names of Microsoft Graph's roles granted to an application."""
        principal = self._directory.find(Kind.SERVICE_PRINCIPAL, appId=app_id)
        if principal is None:
            return set()
        ids = {a["appRoleId"] for a in self.assignments if a["principalId"] == principal["id"]}
        return {role["value"] for role in permissions.app_roles() if role["id"] in ids}

    def scopes_of(self, app_id: str) -> set[str]:
        """Return the delegated scopes granted to an application for everybody."""
        principal = self._directory.find(Kind.SERVICE_PRINCIPAL, appId=app_id)
        if principal is None:
            return set()
        granted = [grant for grant in self.grants if grant["clientId"] == principal["id"]]
        return {scope for grant in granted for scope in grant["scope"].split()}

    def add_administrator(self, rights: Iterable[str]) -> Credential:
        """Make an application that holds these rights over the tenant, effective at once."""
        credential = credentials.new_application(self._directory)
        self.allow(credential, *rights)
        return credential

    def add_managed_identity(self, rights: Iterable[str] = AUTONOMOUS) -> Credential:
        """Make an identity for machines: a service principal without application or secret."""
        identity = credentials.new_managed_identity(self._directory)
        self.allow(identity, *rights)
        return identity

    def machine(
        self, *, system: Credential | None = None, assigned: Iterable[Credential] = ()
    ) -> AbstractAsyncContextManager[Machine]:
        """Return a machine to enter: with an identity of its own, and others assigned to it."""
        machine = Machine(
            directory=self._directory,
            log=self._log,
            system=system.client_id if system else None,
            assigned=tuple(each.client_id for each in assigned),
        )
        return machines.running(machine)

    def trust(
        self, administrator: Credential, *uploaded: x509.Certificate, days: int | None = None
    ) -> None:
        """Let an application sign in with the keys of these certificates and of no others."""
        credentials.trust(self._directory, administrator, uploaded, days=days)

    def federate(
        self, administrator: Credential, issuer: str, key: RSAPublicKey, *, subject: str
    ) -> None:
        """Let tokens that this issuer signs with its key for a subject sign an application in."""
        credentials.federate(self._directory, administrator, issuer, key, subject=subject)

    def allow(self, administrator: Credential, *rights: str) -> None:
        """Give rights; tokens issued from now on carry them."""
        principal = self._principal_of(administrator)
        resource = microsoft_graph.principal(self._directory)
        for right in set(rights) - self.roles_of(administrator.client_id):
            assignment = app_role_assignments.new_assignment(
                self._directory, principal, resource, permissions.role_id(right)
            )
            for kind in (Kind.ASSIGNMENT, Kind.ROLE):
                self._directory.store.plant(kind, assignment["id"], assignment)

    def deny(self, administrator: Credential, *rights: str) -> None:
        """Take rights away; tokens issued from now on lack them."""
        principal = self._principal_of(administrator)
        ids = {permissions.role_id(right) for right in rights}
        for assignment in self.assignments:
            if assignment["principalId"] == principal["id"] and assignment["appRoleId"] in ids:
                for kind in (Kind.ASSIGNMENT, Kind.ROLE):
                    self._directory.store.plant(kind, assignment["id"], None)

    def assign_role(self, user: User, name: str) -> None:
        """Give a user of `people` a directory role, such as `Privileged Role Administrator`.

        Tokens issued from now on carry it. LookupError for a role that this tenant does not know.
        """
        built_in_roles.assign(self._directory, user, name)

    def remove_role(self, user: User, name: str) -> None:
        """Take a directory role away; it counts no more at once, whatever a token says."""
        built_in_roles.remove(self._directory, user, name)

    def add_consent_client(
        self,
        redirect_uri: str,
        *,
        assigned: Iterable[User] | None = None,
        scopes: Iterable[str] = consent_client.SCOPES,
        public_flows: bool = False,
    ) -> Credential:
        """Make an application for people to sign in to, with these delegated permissions of Graph.

        `assigned` are the only users who may, and for each of them alone the scopes are granted;
        None lets everybody sign in, and grants them for everybody. `public_flows` lets people sign
        in with codes for devices, too.
        """
        client = self.add_administrator(())
        consent_client.set_up(
            self._directory,
            client.client_id,
            redirect_uri,
            assigned=assigned,
            scopes=scopes,
            public_flows=public_flows,
        )
        return client

    async def sign_in_as(
        self,
        user: User,
        url: str,
        *,
        cancel: bool = False,
        blocked: Blocked | None = None,
        acrs: Iterable[str] = (),
        on_page: bool = False,
        user_code: str = "",
    ) -> Landing:
        """Open an authorization request in the user's browser and sign in, without a password; or
        the page for the codes of devices, and enter that code there first.

        The browser stops where the page leads: open or post that with the cookies of your choice.
        `blocked`: Conditional Access refuses (53003) the sign-in or the code's redemption. `acrs`:
        the authentication contexts that the user satisfies. `on_page`: refusals of the user are
        told on Entra's own page, as the real service mostly does, instead of at the redirect URI.
        """
        own = self.url.removeprefix("https://")
        return await browser.sign_in(
            self.ca_file,
            user["id"],
            url,
            hosts=dict.fromkeys((own, *self.host_names), own),
            decision="cancel" if cancel else "sign-in",
            blocked=blocked,
            acrs=acrs,
            on_page=on_page,
            user_code=user_code,
        )

    def grant_admin_consent(self, app_id: str) -> None:
        """Press *Grant admin consent* on the application's API permissions page."""
        portal.grant_admin_consent(self._directory, app_id)

    def give(
        self,
        app_id: str,
        *,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        user: str | None = None,
    ) -> None:
        """Grant these to an application by other means, whatever it asks for; scopes for one user,
        if an object id is given.
        """
        portal.give(self._directory, app_id, roles=roles, scopes=scopes, user=user)

    def withdraw(self, app_id: str, *names: str) -> None:
        """Take permissions from an application."""
        portal.withdraw(self._directory, app_id, *names)

    def set_policy(
        self,
        *,
        secrets_banned: bool = False,
        longest_secret: timedelta | None = None,
        longest_certificate: timedelta | None = None,
        audiences_banned: Iterable[str] = (),
        redirect_domains: Iterable[str] | None = None,
        identifier_uris_checked: bool = False,
        reference_required: bool = False,
        exempt: Iterable[str] = (),
        tells_beta: bool = False,
    ) -> None:
        """Set the tenant's default app management policy; what is not named is not restricted.

        What each means: `AppManagementPolicy`. Restrictions on audiences and redirect URIs are
        enforced, but v1.0 only shows them with `tells_beta`.
        """
        self._directory.policy = AppManagementPolicy(
            secrets_banned=secrets_banned,
            longest_secret=longest_secret,
            longest_certificate=longest_certificate,
            audiences_banned=tuple(audiences_banned),
            redirect_domains=None if redirect_domains is None else tuple(redirect_domains),
            identifier_uris_checked=identifier_uris_checked,
            reference_required=reference_required,
            exempt=tuple(exempt),
            tells_beta=tells_beta,
        )

    def set_quota(self, *, used: int, total: int) -> None:
        """Let the directory hold so many objects, of which so many are there now."""
        self._directory.quota = quota.limited(self._directory, used=used, total=total)

    def _principal_of(self, administrator: Credential) -> dict[str, Any]:
        principal = self._directory.find(Kind.SERVICE_PRINCIPAL, appId=administrator.client_id)
        if principal is None:
            raise LookupError(f"{administrator} is no application of this tenant")
        return principal
