"""What Slack's errors mean, also those that are no answers of Slack's at all."""

from datetime import timedelta
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from handlers.slack.api_errors import ErrorScope, advice_on, code_of, meaning_of, retry_after


def error(status: int, data: Any, **headers: str) -> SlackApiError:
    answer = AsyncSlackResponse(
        client=AsyncWebClient(),
        http_verb="POST",
        api_url="chat.update",
        req_args={},
        data=data,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        status_code=status,
    )
    return SlackApiError("refused", answer)  # type: ignore[no-untyped-call] # slack_sdk left it


@pytest.mark.parametrize(
    ("given", "code", "trouble"),
    [
        (error(200, {"ok": False, "error": "message_not_found"}), "message_not_found", "GONE"),
        (error(200, {"ok": False, "error": "is_archived"}), "is_archived", "CLOSED"),
        (error(200, {"ok": False, "error": "token_revoked"}), "token_revoked", "SHUT_OUT"),
        (error(200, {"ok": False, "error": "fatal_error"}), "fatal_error", "PASSING"),
        (error(429, {"ok": False, "error": "ratelimited"}), "ratelimited", "TOO_OFTEN"),
        (error(429, "Slow down"), "429", "TOO_OFTEN"),  # a proxy's words
        (error(503, "Service unavailable"), "503", "PASSING"),
        (error(502, {}), "502", "PASSING"),
        (error(200, {"ok": False, "error": "xoxb-1 is wrong"}), "200", "PASSING"),
        (error(200, {"ok": False, "error": "x" * 65}), "200", "PASSING"),
        (error(200, {"ok": False, "error": ["not_authed"]}), "200", "PASSING"),
    ],
    ids=str,
)
def test_each_error_has_a_meaning(given: SlackApiError, code: str, trouble: str) -> None:
    assert code_of(given) == code
    assert meaning_of(given) is ErrorScope[trouble]


def test_an_answer_that_is_no_json_is_an_answer_of_the_http_library() -> None:
    class Answer:
        status = 500

    given = SlackApiError("no JSON", Answer())  # type: ignore[no-untyped-call] # as above
    assert (code_of(given), meaning_of(given)) == ("500", ErrorScope.PASSING)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 30),
        ("0", 1),
        ("", 1),
        ("soon", 1),
        ("2.5", 2.5),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 1),
    ],
)
def test_slack_says_how_long_to_wait(said: str, seconds: float) -> None:
    given = error(429, {"ok": False, "error": "ratelimited"}, Retry_After=said)
    assert retry_after(given) == timedelta(seconds=seconds)


def test_there_is_advice_for_whoever_runs_the_bot() -> None:
    assert "invite" in advice_on("not_in_channel", ErrorScope.CLOSED)
    assert "SLACK_BOT_TOKEN" in advice_on("token_revoked", ErrorScope.SHUT_OUT)
    assert advice_on("restricted_action", ErrorScope.CLOSED)
