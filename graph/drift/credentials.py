"""Credentials of the application: secrets, certificates, federated credentials."""

from collections.abc import Iterator
from datetime import datetime

from graph.calls import Json
from graph.drift import snapshot as parts
from graph.drift.expected import Expected, Loss
from graph.drift.snapshot import Snapshot
from graph.secret import mark


def secrets(expected: Expected, application: Json) -> Iterator[str]:
    held = {each["keyId"]: each for each in application["passwordCredentials"]}
    for key_id in sorted(expected.secrets.keys() - held.keys()):
        yield Loss(
            f"The secret is gone (key id {key_id}). The connector can no longer sign in with it."
        )
    for key_id, end in sorted(expected.secrets.items()):
        if key_id in held and end <= expected.now:
            yield Loss(f"The secret expired on {end.date()} (key id {key_id}).")
    for key_id in sorted(held.keys() - expected.secrets.keys() - expected.closing):
        yield _foreign_secret(expected, held[key_id])
    for each in application["keyCredentials"]:
        yield f"A certificate was added by hand{named(each)}{_ending(each, expected.now)}."


def _foreign_secret(expected: Expected, secret: Json) -> str:
    details = f"{named(secret)}, key id {secret['keyId']}{_ending(secret, expected.now)}"
    if mark(expected.plan.registration) in (secret.get("displayName") or ""):
        return f"A secret carries this registration's id and is not known: a leftover{details}."
    return f"A secret was added by hand{details}."


def federated(seen: Snapshot) -> Iterator[str]:
    """Yield every one: the bot makes none, and each lets others sign in without a secret."""
    for each in seen.items(parts.FEDERATED) or ():
        yield (
            f"A federated credential was added by hand (“{each['name']}”): {each['issuer']} lets"
            f" “{_subject(each)}” sign in as this application, without a secret."
        )


def _subject(credential: Json) -> str:
    """Return the subject that it lets in; a flexible one has an expression instead (beta)."""
    expression = (credential.get("claimsMatchingExpression") or {}).get("value")
    return str(credential.get("subject") or expression or "anybody")


def waiting(expected: Expected, application: Json | None) -> Iterator[str]:
    held = application["passwordCredentials"] if application else ()
    for each in held:
        if each["keyId"] in expected.closing:
            yield (
                f"A secret of ours{named(each)} is closed and waits for its removal"
                f" (key id {each['keyId']})."
            )


def named(credential: Json) -> str:
    return f" “{credential['displayName']}”" if credential.get("displayName") else " without a name"


def _ending(credential: Json, now: datetime) -> str:
    end = credential.get("endDateTime")
    if end is None:
        return ""
    verb = "expired on" if datetime.fromisoformat(end) <= now else "works until"
    return f", {verb} {day(end)}"


def day(moment: str) -> str:
    return moment[:10]
