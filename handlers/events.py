"""Mentions. The answer stands in a thread that the whole channel reads: the least view only."""

from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.registrar import Registrar
from bot.registration import Person
from handlers.views import card, help

Json = dict[str, Any]


async def mention(body: Json, client: AsyncWebClient, registrar: Registrar, person: Person) -> None:
    """Answer `@bot status AAD-7K3F` in the thread; Slack repeats events, so each counts once."""
    event = body["event"]
    if not await registrar.is_news(body["event_id"]):
        return
    await client.chat_postMessage(
        channel=event["channel"],
        thread_ts=event.get("thread_ts") or event["ts"],
        text=await _answer(event.get("text") or "", registrar, person),
    )


async def _answer(text: str, registrar: Registrar, person: Person) -> str:
    words = [word.strip(",.!?") for word in text.split() if not word.startswith("<@")]
    match [word.lower() for word in words]:
        case ["status"]:
            return "Name one: `status AAD-7K3F`."
        case ["status", *_]:
            return card.least(await registrar.status(words[1], by=person))
        case [] | ["help", *_]:
            return help.HELP
        case _:
            return help.unknown(words[0])
