"""Answers to refusals and errors.

A refusal is a sentence for the person. Anything else is a bug: it is logged with an id, and the
person gets that id. A form keeps its input.
"""

import re
from collections.abc import Awaitable, Callable, Iterable

import structlog
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError

from bot.domain.forms import FormProblems
from bot.domain.people import Person, Refusal
from bot.worker.loops import is_outage, report_bug, went_wrong
from handlers.listeners.interaction import ListenerServices, json_response
from handlers.outbox.home_publisher import is_home
from handlers.outbox.outcomes import Duplicate
from handlers.slack.api_errors import FAILED, NO_ANSWER, TOO_LATE, word_of
from handlers.views import ids
from handlers.views.form import block_of
from handlers.views.ui import Json, said, sentence_modal

log = structlog.get_logger()


def handler(listening: ListenerServices) -> Callable[..., Awaitable[BoltResponse]]:
    """Return the function for `app.error`. It must answer 200, or Slack shows its own error."""

    async def handle(error: Exception, body: Json) -> BoltResponse:
        if isinstance(error, FormProblems):
            view = body["view"]
            return _errors({block_of(field, view): it for field, it in error.problems.items()})
        slack, sentence = listening.slack, _sentence(error, listening.registrar.policy.contact)
        if body.get("type") == "view_submission":
            if (field := _first_field(body["view"])) is None:
                view = sentence_modal(sentence)
                return json_response({"response_action": "update", "view": view})
            people = error.people if isinstance(error, Refusal) else ()
            return _errors({field: plain(sentence, people)})
        if "command" in body:
            return json_response(
                {"response_type": "ephemeral", "text": sentence, "blocks": said(sentence)}
            )
        if isinstance(url := body.get("response_url"), str) and url:
            if isinstance(error, Duplicate):
                await slack.response_urls.replace(url, text=sentence, blocks=said(sentence))
            else:
                await slack.response_urls.add(url, text=sentence)
        elif is_home(body):
            user = (body.get("user") or {}).get("id", "")
            await _survived("home", listening.home_publisher.say(body, user, sentence))
        elif isinstance(view := body.get("view"), dict) and view.get("type") == "modal":
            # A payload without a trigger is none of Slack's: there is no modal to answer in.
            if trigger := body.get("trigger_id"):
                over = slack.client.views_push(trigger_id=trigger, view=sentence_modal(sentence))
                await _survived("modal", over)
        elif "event" in body:
            await _survived("whisper", _tell(listening, body, sentence))
        return BoltResponse(status=200)

    return handle


def _sentence(error: Exception, contact: str) -> str:
    if isinstance(error, Refusal):
        return str(error)
    bug = _logged("listener", error)
    if isinstance(error, SlackApiError):
        if (word := word_of(error)) == TOO_LATE:
            return "That took too long, so Slack opened nothing. Do it again."
        said = f" ({word})" if word else ""
        return f"Slack did not take the answer{said}. Try again in a moment."
    if isinstance(error, NO_ANSWER):
        return "Slack did not answer. Try again in a moment."
    if is_outage(error):
        return "The bot cannot reach its database. Try again in a moment."
    return went_wrong(bug, contact)


def _logged(what: str, error: Exception) -> str:
    """Log a bug and return its id; an expired trigger is only a warning."""
    if (word := word_of(error)) == TOO_LATE:
        log.warning("too late to open a form", what=what, code=word)
        return ""
    return report_bug(what, error, code=word)


def plain(sentence: str, people: Iterable[Person]) -> str:
    """Return a sentence without markup: beside a field Slack shows it letter by letter."""
    names = {person.user_id: person.name for person in people}
    named = re.sub(r"<@([^>|]+)[^>]*>", lambda it: names.get(it[1]) or "another user", sentence)
    return re.sub(r"[*`]", "", named)


def _first_field(view: Json) -> str | None:
    """Return the block beside which a sentence about the whole form is shown, if it has fields."""
    blocks = [block["block_id"] for block in view["blocks"] if block["type"] == "input"]
    return ids.NAME if ids.NAME in blocks else next(iter(blocks), None)


def _errors(problems: dict[str, str]) -> BoltResponse:
    """Show the sentences beside the fields, and keep the form open as it is."""
    return json_response({"response_action": "errors", "errors": problems})


async def _tell(listening: ListenerServices, body: Json, sentence: str) -> None:
    """Tell the user alone, where they asked: in direct messages, in the channel, at home."""
    event = body["event"]
    if event.get("type") == "app_home_opened":
        await listening.home_publisher.close(body, event.get("user", ""), sentence)
    elif event.get("channel_type") == "im":
        await listening.post(event, sentence)
    else:
        await listening.post_ephemeral(event, sentence)


async def _survived(what: str, telling: Awaitable[object]) -> None:
    """Send it if Slack accepts it; otherwise only log."""
    try:
        await telling
    except FAILED as error:
        _logged(what, error)
