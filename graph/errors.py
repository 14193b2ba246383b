"""Errors between this bot and Microsoft Graph, as a tree.

    GraphError                 everything that leaves graph/ as a failure
    ├── NotThereYet            our own write has not reached the replica that answered
    │   └── NotFound           a plain 404: not there yet, or gone; only the age of our write tells
    │       └── NoSuchSecret   the application is there, but holds no secret with this key id
    ├── AlreadyThere           the request is already fulfilled, or another owner has the key
    ├── Conflict               two writes to one object at once
    ├── Throttled              too many calls; `retry_after` says how long to wait
    ├── Unavailable            an outage: 5xx, a time-out, a page where JSON should be
    │   ├── Unreachable        no connection: nothing was sent
    │   ├── NoAnswer           the connection broke off, or nothing came in time
    │   └── LostAnswer         the call may have taken effect, and must not simply be repeated
    ├── SecretsLost            the answer was lost each time that a secret was asked for
    ├── UnexpectedAnswer       the answer lacks a documented part, or never ends
    ├── TokenExpired           401: the token is no longer accepted
    ├── Forbidden              403: a right is missing
    ├── PolicyForbids          the tenant's policy says no
    ├── QuotaExceeded          the directory is full for this creator
    ├── BadRequest             Graph did not understand: a mistake of ours
    ├── NotOurs                the key belongs to a foreign application
    ├── Restored               the object to delete permanently is no longer in Entra's bin
    ├── RolesDiffer            the new credential can do more, or less, than was approved
    │   └── RolesMissing       less: the grants may still be on their way
    ├── TooMuchAllowed         the new credential can read data that no plan allows
    └── SignInFailed           the token endpoint said no (its branches: graph/signin_errors.py)

Each error has a sentence for people and advice for an administrator. None carries requests or
answers: graph/error_mapping.py tells which answer means which error, and drops the rest.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple


@dataclass(kw_only=True, eq=False, repr=False)
class GraphError(Exception):
    """A failure, with a sentence for people and advice for an administrator."""

    TEXT: ClassVar[str] = "Microsoft Graph gave an answer that this bot does not understand."
    ADVICE: ClassVar[str] = "Try again. If it happens again, report the request id to Microsoft."

    code: str = ""
    status: int | None = None
    request_id: str | None = None
    call: str = ""
    sentence: str = ""
    advice: str = ""
    retry_after: float | None = None
    """Seconds that Graph asked to wait, if it did."""
    tries: int = field(default=1, init=False)
    """How often the call was sent before it was given up."""

    def __post_init__(self) -> None:
        self.code = self.code or type(self).__name__
        self.sentence = self.sentence or self.TEXT
        self.advice = self.advice or self.ADVICE
        super().__init__(" ".join(filter(None, (self.call, str(self.status or ""), self.code))))

    def meaning(self, kind: "type[GraphError]", **words: Any) -> "GraphError":
        """Return the same failure with another meaning."""
        kept = ("code", "status", "request_id", "call", "retry_after")
        return kind(**{name: getattr(self, name) for name in kept}, **words)


class NotThereYet(GraphError):
    TEXT = (
        "Entra does not know an object that the bot has just written: it has not replicated, "
        "or it was removed."
    )
    ADVICE = (
        "Look in the Entra admin centre whether the application is there. "
        "If it is, retry in some minutes; if not, undo this registration and ask again."
    )


class NotFound(NotThereYet):
    TEXT = "Entra does not find the object: it has not replicated, or it has been removed."


class NoSuchSecret(NotFound):
    TEXT = "Entra does not find the secret: it has not replicated, or it has been removed."


class AlreadyThere(GraphError):
    TEXT = "Entra already has an object with this key."
    ADVICE = "Retry. If it happens again, look for a second installation of this bot."


class Conflict(GraphError):
    TEXT = "Entra refused because something else is changing the same object."
    ADVICE = "Retry in some minutes."


class Throttled(GraphError):
    TEXT = "Microsoft limits how often this tenant may be called, and asked the bot to wait longer."
    ADVICE = "Retry in some minutes. Look for other tools that poll this tenant."


class Unavailable(GraphError):
    TEXT = "Microsoft's service had an outage and did not recover in time."
    ADVICE = "Look at Microsoft's service health, then retry."


class Unreachable(Unavailable):
    TEXT = "The bot could not reach the tenant: no connection to Microsoft's service."
    ADVICE = "Check the bot's network, proxy and certificate settings, then retry."


class NoAnswer(Unavailable):
    TEXT = "Microsoft's service did not answer: the connection broke off, or nothing came in time."
    ADVICE = "Check the bot's network and Microsoft's service health, then retry."


class LostAnswer(Unavailable):
    TEXT = "The answer of Entra was lost on the way, so it is unknown whether the change was made."
    ADVICE = "Retry: the bot replaces what may have been left over."


class SecretsLost(GraphError):
    TEXT = (
        "Entra's answer was lost each time the bot asked for the client secret, so it stopped"
        " asking: each time may have made a secret whose value is lost."
    )
    ADVICE = (
        "Check Microsoft's service health, then retry. The bot removes the secrets that were made."
    )


class UnexpectedAnswer(GraphError):
    TEXT = "Microsoft's service answered in another form than it documents."
    ADVICE = "Nothing was done with that answer. Retry; if it happens again, report the request id."


class TokenExpired(GraphError):
    TEXT = "Entra no longer accepts the token, and a new one did not help."
    ADVICE = "Check whether the application that signs in was disabled or its access revoked."


class Forbidden(GraphError):
    TEXT = "Entra refused: a right is missing (insufficient privileges)."
    ADVICE = (
        "Ask this bot's administrators to check its rights in Entra: aad-setup doctor lists what"
        " is missing. A few minutes after that, retry."
    )


class PolicyForbids(GraphError):
    TEXT = "A policy of the tenant forbids this."
    ADVICE = "Look at “Application policies” in the Entra admin centre, or ask for an exemption."


class QuotaExceeded(GraphError):
    TEXT = "The bot's quota of directory objects is used up; deleted ones count for 30 days."
    ADVICE = "Purge deleted applications in the Entra admin centre or raise the quota, then retry."


class BadRequest(GraphError):
    TEXT = "Microsoft Graph rejected what the bot sent."
    ADVICE = "Something is wrong on our side. Give the request ID to this bot's administrators."


class NotOurs(GraphError):
    TEXT = "The key of this registration belongs to an application that this bot did not make."
    ADVICE = (
        "Nothing of it was adopted. Look for a second installation that uses a copied database."
    )


class Restored(GraphError):
    TEXT = "The application was restored in Entra, so it was not deleted permanently."
    ADVICE = "If it is no longer needed, delete it in the Entra admin centre, then repeat this."


class RolesDiffer(GraphError):
    TEXT = "The new application holds other permissions than were approved."
    ADVICE = "Remove the grants that the plan does not name, then retry."


class RolesMissing(RolesDiffer):
    TEXT = (
        "The new application's token lacks permissions that were granted: "
        "the grants have not reached Entra's sign-in service, or they were removed."
    )
    ADVICE = "Look at the application's permissions in the Entra admin centre, then retry."


class TooMuchAllowed(GraphError):
    TEXT = "The new application could read a tenant policy, which no plan allows."
    ADVICE = "Look for further grants to this application in the Entra admin centre."


class SignInFailed(GraphError):
    TEXT = "Entra refused the sign-in."
    ADVICE = "Look at the sign-in logs of the application in the Entra admin centre."


class Meaning(NamedTuple):
    """The error that an answer means, with words of its own where those of the class do not fit."""

    error: type[GraphError]
    sentence: str = ""
    advice: str = ""
