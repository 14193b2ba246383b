"""The tenant as a test or the playground sees it: addresses, administrators, state, faults."""

import base64
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from bot.playground.tenant import (
    app_role_assignments,
    audit_log,
    certificates,
    permissions,
    portal,
    quota,
    secrets,
)
from bot.playground.tenant import machine as machines
from bot.playground.tenant.calls import Call
from bot.playground.tenant.directory import Directory, stamp
from bot.playground.tenant.faults import Faults
from bot.playground.tenant.log import Log
from bot.playground.tenant.machine import Machine
from bot.playground.tenant.new_application import blank_application
from bot.playground.tenant.policy import AppManagementPolicy
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.seeding import People
from bot.playground.tenant.service_principals import blank_service_principal
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


@dataclass(frozen=True, kw_only=True)
class Credential:
    """How an application of the tenant signs in."""

    client_id: str
    client_secret: str = field(repr=False)


class Tenant:
    ca_file: Path
    """The certificate of the authority that signed the tenant's own."""
    host_names: tuple[str, ...] = ()
    """Hosts of Microsoft's as which it answers, too."""

    def __init__(self, directory: Directory, log: Log) -> None:
        self._directory = directory
        self._log = log
        self._plant_microsoft_graph()
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
        directory, store = self._directory, self._directory.store
        application = blank_application(directory, id=directory.new_id(), creator=None)
        application |= {"displayName": "aad-setup", "signInAudience": "AzureADMyOrg"}
        principal = blank_service_principal(directory, application, directory.new_id())
        now = directory.now()
        end = now + secrets.DEFAULT_LIFE
        secret = secrets.new_secret(directory, name="playground", start=now, end=end)
        application["passwordCredentials"] = [secrets.without_text(secret)]
        store.plant(Kind.APPLICATION, application["id"], application)
        store.plant(Kind.SERVICE_PRINCIPAL, principal["id"], principal)
        bound = {**secret, "appId": application["appId"]}
        store.plant(Kind.SECRET, secret["keyId"], bound)
        credential = Credential(client_id=application["appId"], client_secret=secret["secretText"])
        self.allow(credential, *rights)
        return credential

    def add_managed_identity(self, rights: Iterable[str] = AUTONOMOUS) -> Credential:
        """Make an identity for machines: a service principal without application or secret."""
        directory = self._directory
        application = blank_application(directory, id=directory.new_id(), creator=None)
        application |= {"displayName": "bot-machine"}
        principal = blank_service_principal(directory, application, directory.new_id())
        principal |= {"servicePrincipalType": "ManagedIdentity"}
        directory.store.plant(Kind.SERVICE_PRINCIPAL, principal["id"], principal)
        identity = Credential(client_id=principal["appId"], client_secret="")
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
        """Let an application sign in with the keys of these certificates and of no others.

        `days` limits how long Entra takes them, which may be shorter than they say themselves.
        """
        application = self._application_of(administrator)
        ders = [each.public_bytes(Encoding.DER) for each in uploaded]
        wanted: list[dict[str, Any]] = [
            {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(der).decode()}
            for der in ders
        ]
        if days is not None:
            end = stamp(self._directory.now() + timedelta(days=days))
            wanted = [{**entry, "endDateTime": end} for entry in wanted]
        keys = certificates.replaced(self._directory, application, wanted)
        changed = {**application, "keyCredentials": keys}
        self._directory.store.plant(Kind.APPLICATION, application["id"], changed)
        certificates.announce(self._directory, changed, wanted)

    def federate(
        self, administrator: Credential, issuer: str, key: RSAPublicKey, *, subject: str
    ) -> None:
        """Let tokens that this issuer signs with its key for a subject sign an application in."""
        self._directory.issuers[issuer] = key
        row = {
            "id": self._directory.new_id(),
            "applicationId": self._application_of(administrator)["id"],
            "audiences": [self.cloud.federated_audience],
            "description": None,
            "issuer": issuer,
            "name": "playground",
            "subject": subject,
        }
        self._directory.store.plant(Kind.FEDERATED_CREDENTIAL, row["id"], row)

    def allow(self, administrator: Credential, *rights: str) -> None:
        """Give rights; tokens issued from now on carry them."""
        principal = self._principal_of(administrator)
        resource = self._principal_of_graph()
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

    def grant_admin_consent(self, app_id: str) -> None:
        """Press *Grant admin consent* on the application's API permissions page."""
        portal.grant_admin_consent(self._directory, app_id)

    def give(self, app_id: str, *, roles: Iterable[str] = (), scopes: Iterable[str] = ()) -> None:
        """Grant these to an application by other means, whatever it asks for."""
        portal.give(self._directory, app_id, roles=roles, scopes=scopes)

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

    def _application_of(self, administrator: Credential) -> dict[str, Any]:
        application = self._directory.find(Kind.APPLICATION, appId=administrator.client_id)
        if application is None:
            raise LookupError(f"{administrator} is no application of this tenant")
        return application

    def _principal_of(self, administrator: Credential) -> dict[str, Any]:
        principal = self._directory.find(Kind.SERVICE_PRINCIPAL, appId=administrator.client_id)
        if principal is None:
            raise LookupError(f"{administrator} is no application of this tenant")
        return principal

    def _principal_of_graph(self) -> dict[str, Any]:
        principal = self._directory.find(Kind.SERVICE_PRINCIPAL, appId=permissions.MICROSOFT_GRAPH)
        assert principal is not None
        return principal

    def _plant_microsoft_graph(self) -> None:
        id = self._directory.new_id()
        application = blank_application(self._directory, id=id, creator=None)
        application |= {
            "appId": permissions.MICROSOFT_GRAPH,
            "displayName": "Microsoft Graph",
            "signInAudience": "AzureADMultipleOrgs",
            "identifierUris": [self._directory.cloud.graph],
        }
        principal = blank_service_principal(self._directory, application, id) | {
            "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a",
            "appRoles": permissions.app_roles(),
            "oauth2PermissionScopes": permissions.scopes(),
        }
        self._directory.store.plant(Kind.SERVICE_PRINCIPAL, id, principal)
