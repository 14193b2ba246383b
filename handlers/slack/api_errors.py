"""Slack API errors: their scope, that is, the messages that each of them stops."""

import re
from datetime import timedelta
from enum import Enum
from http import HTTPStatus

import aiohttp
from slack_sdk.errors import SlackApiError

from graph.error_mapping import retry_after as seconds_asked


class ErrorScope(Enum):
    """Scope of a Slack API error."""

    TOO_OFTEN = "too often"  # the method waits
    GONE = "gone"  # nothing can be drawn there any more
    CLOSED = "closed"  # nothing can be written in that channel until it is changed
    SHUT_OUT = "shut out"  # nothing can be done at all until the app is changed
    PASSING = "passing"  # this message waits a while


NO_ANSWER = (aiohttp.ClientError, TimeoutError)
"""Errors of a call that Slack has not answered: its effect is unknown."""
FAILED = (SlackApiError, *NO_ANSWER)
"""Errors of a call of Slack's API."""

DELETED = "message_not_found"
TOO_LATE = "expired_trigger_id"
"""The interaction is more than three seconds ago: docs.slack.dev/surfaces/modals."""

WORD = re.compile(r"[a-z_]{1,60}")
"""The form of Slack's error codes. Any other text is not quoted."""

SHARED = "channel_is_shared"
"""Our own word: Slack would take the message, but people of another organization would read it."""

CODES = {
    ErrorScope.TOO_OFTEN: "ratelimited rate_limited",
    ErrorScope.GONE: f"{DELETED} cant_update_message edit_window_closed",
    ErrorScope.CLOSED: (
        f"channel_not_found not_in_channel is_archived is_inactive {SHARED} restricted_action"
        " restricted_action_read_only_channel messages_tab_disabled cannot_dm_bot user_not_found"
    ),
    ErrorScope.SHUT_OUT: (
        "token_revoked token_expired account_inactive invalid_auth not_authed no_permission"
        " missing_scope org_login_required access_denied"
    ),
}
MEANING = {code: scope for scope, codes in CODES.items() for code in codes.split()}
"""docs.slack.dev/reference/methods: chat.postMessage, chat.update."""
DOWN = ("internal_error", "fatal_error", "service_unavailable", "request_timeout")
"""Slack's errors for being down: the same call may succeed later."""

ADVICE = {
    "not_in_channel": "Type /invite @aad-setup there.",
    "channel_not_found": "If it is private, type /invite @aad-setup there; else look at the id.",
    "is_archived": "Unarchive it, or set APPROVAL_CHANNEL to another and start again.",
    "invalid_blocks": "Set PLAIN_CARDS=true: Slack does not take the bot's blocks here.",
    "invalid_blocks_format": "Set PLAIN_CARDS=true: Slack does not take the bot's blocks here.",
    "seal_broken": "Put the key that VAULT_KEYS lacks back: without it no secret can be masked.",
    SHARED: "It is shared with another organization: end that, or set APPROVAL_CHANNEL to a"
    " channel of your own and start again.",
    "missing_scope": "Compare the app's scopes with `aad-setup manifest` and install it again.",
}
LOOK_AT_LOG = "The bot's log says more; look for this code there."
INSTALL_AGAIN = "Install the app again, set SLACK_BOT_TOKEN, and start again."
LOOK_AT_SLACK = "Check the posting permissions of the channel in Slack."


def code_of(error: Exception) -> str:
    """Return Slack's word for it, or the HTTP status: a proxy's page has no word. Without an answer
    of Slack's, return the error's type.
    """
    if not isinstance(error, SlackApiError):
        return type(error).__name__
    return word_of(error) or str(status_of(error))


def word_of(error: Exception) -> str | None:
    """Return Slack's word for it, if it said one."""
    data = getattr(getattr(error, "response", None), "data", None)
    said = data.get("error") if isinstance(data, dict) else None
    return said if isinstance(said, str) and WORD.fullmatch(said) else None


def status_of(error: SlackApiError) -> int:
    """Return the HTTP status. An answer that is no JSON comes as the client library's own."""
    answer = error.response
    name = "status_code" if hasattr(answer, "status_code") else "status"
    return int(getattr(answer, name))


def meaning_of(error: Exception) -> ErrorScope:
    if isinstance(error, SlackApiError) and status_of(error) == HTTPStatus.TOO_MANY_REQUESTS:
        return ErrorScope.TOO_OFTEN
    return MEANING.get(code_of(error), ErrorScope.PASSING)


def is_outage(error: Exception) -> bool:
    """Whether Slack is away, down or busy, which says nothing about the request."""
    if not isinstance(error, SlackApiError):
        return True
    is_down = status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR or word_of(error) in DOWN
    return is_down or meaning_of(error) is ErrorScope.TOO_OFTEN


def retry_after(error: Exception) -> timedelta:
    """Return how long Slack asks to be left alone; a second at least, whatever it says."""
    said = error.response.headers if isinstance(error, SlackApiError) else {}
    headers = {str(name).lower(): str(value) for name, value in said.items()}
    return timedelta(seconds=max(1.0, seconds_asked(headers) or 0.0))


def advice_on(code: str, scope: ErrorScope) -> str:
    """Return advice for operators."""
    otherwise = {ErrorScope.SHUT_OUT: INSTALL_AGAIN, ErrorScope.PASSING: LOOK_AT_LOG}
    return ADVICE.get(code, otherwise.get(scope, LOOK_AT_SLACK))
