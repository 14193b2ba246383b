"""What a Web API method is: a function over the workspace's state, and who may call it how."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bot.playground.workspace.state import State
from bot.playground.workspace.wire import ApiError, Json

Do = Callable[[State, Json], Json]
"""Takes the arguments, returns the answer without `ok`, or raises ApiError."""


class Token(Enum):
    BOT = "xoxb"
    APP = "xapp"


@dataclass(frozen=True, kw_only=True)
class Method:
    do: Do
    scope: str | None = None
    token: Token = Token.BOT
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


def require(state: State, scope: str) -> None:
    """Raise ApiError if the app lacks a scope that depends on what it asks for."""
    scopes = state.installation.scopes
    if scope not in scopes:
        raise ApiError("missing_scope", needed=scope, provided=",".join(sorted(scopes)))


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())
