"""Applications of administrators, made without Graph, and the ways in which they sign in."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from bot.playground.tenant import certificates, secrets
from bot.playground.tenant.directory import Directory, stamp
from bot.playground.tenant.new_application import blank_application
from bot.playground.tenant.replicas import Kind
from bot.playground.tenant.service_principals import blank_service_principal


@dataclass(frozen=True, kw_only=True)
class Credential:
    """How an application of the tenant signs in."""

    client_id: str
    client_secret: str = field(repr=False)


def new_application(directory: Directory) -> Credential:
    """Make an application with a secret and without rights, effective at once."""
    store = directory.store
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
    return Credential(client_id=application["appId"], client_secret=secret["secretText"])


def new_managed_identity(directory: Directory) -> Credential:
    """Make an identity for machines: a service principal without application or secret."""
    application = blank_application(directory, id=directory.new_id(), creator=None)
    application |= {"displayName": "bot-machine"}
    principal = blank_service_principal(directory, application, directory.new_id())
    principal |= {"servicePrincipalType": "ManagedIdentity"}
    directory.store.plant(Kind.SERVICE_PRINCIPAL, principal["id"], principal)
    return Credential(client_id=principal["appId"], client_secret="")


def trust(
    directory: Directory,
    credential: Credential,
    uploaded: Iterable[x509.Certificate],
    *,
    days: int | None,
) -> None:
    """Let an application sign in with the keys of these certificates and of no others.

    `days` limits how long Entra takes them, which may be shorter than they say themselves.
    """
    application = _application_of(directory, credential)
    ders = [each.public_bytes(Encoding.DER) for each in uploaded]
    wanted: list[dict[str, Any]] = [
        {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(der).decode()}
        for der in ders
    ]
    if days is not None:
        end = stamp(directory.now() + timedelta(days=days))
        wanted = [{**entry, "endDateTime": end} for entry in wanted]
    keys = certificates.replaced(directory, application, wanted)
    changed = {**application, "keyCredentials": keys}
    directory.store.plant(Kind.APPLICATION, application["id"], changed)
    certificates.announce(directory, changed, wanted)


def federate(
    directory: Directory, credential: Credential, issuer: str, key: RSAPublicKey, *, subject: str
) -> None:
    """Let tokens that this issuer signs with its key for a subject sign an application in."""
    directory.issuers[issuer] = key
    row = {
        "id": directory.new_id(),
        "applicationId": _application_of(directory, credential)["id"],
        "audiences": [directory.cloud.federated_audience],
        "description": None,
        "issuer": issuer,
        "name": "playground",
        "subject": subject,
    }
    directory.store.plant(Kind.FEDERATED_CREDENTIAL, row["id"], row)


def _application_of(directory: Directory, credential: Credential) -> dict[str, Any]:
    application = directory.find(Kind.APPLICATION, appId=credential.client_id)
    if application is None:
        raise LookupError(f"{credential} is no application of this tenant")
    return application
