"""One wish from command to approval, through real sockets: the whole main road."""

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.workspace import Workspace
from bot.playground.workspace.wire import Json
from tests.support.small_bot import connected

FORM: Json = {
    "type": "modal",
    "callback_id": "wish",
    "title": {"type": "plain_text", "text": "Request"},
    "submit": {"type": "plain_text", "text": "Send"},
    "close": {"type": "plain_text", "text": "Cancel"},
    "blocks": [
        {
            "type": "input",
            "block_id": "name",
            "label": {"type": "plain_text", "text": "Name"},
            "element": {"type": "plain_text_input", "action_id": "name", "max_length": 20},
        },
        {
            "type": "input",
            "block_id": "kind",
            "label": {"type": "plain_text", "text": "Kind"},
            "element": {
                "type": "static_select",
                "action_id": "kind",
                "options": [
                    {"text": {"type": "plain_text", "text": "Mimecast"}, "value": "mimecast"}
                ],
            },
        },
    ],
}


def card(person: str, name: str) -> list[Json]:
    return [
        {"type": "header", "text": {"type": "plain_text", "text": name}},
        {
            "type": "section",
            "fields": [{"type": "mrkdwn", "text": f"*Asked by*\n<@{person}>"}],
        },
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": "approve",
                    "text": {"type": "plain_text", "text": "Approve"},
                    "value": name,
                }
            ],
        },
    ]


def teach(app: AsyncApp, channel: str) -> None:
    @app.command("/aad-setup")
    async def ask(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)
        await ack()

    @app.view("wish")
    async def sent(ack: AsyncAck, body: Json, client: AsyncWebClient) -> None:
        name = body["view"]["state"]["values"]["name"]["name"]["value"]
        if name == "taken":
            await ack(response_action="errors", errors={"name": "This name is taken."})
            return
        await ack()
        await client.chat_postMessage(
            channel=channel, text=name, blocks=card(body["user"]["id"], name)
        )

    @app.action("approve")
    async def approve(ack: AsyncAck, body: Json, respond: AsyncRespond) -> None:
        await ack()
        await respond(f"Approved by <@{body['user']['id']}>", replace_original=True, blocks=[])


async def test_a_wish_goes_from_command_to_approval(workspace: Workspace, app: AsyncApp) -> None:
    channel = workspace.channels["approvals"].id
    teach(app, channel)
    async with connected(app, workspace):
        reply = await workspace.command("rosa")
        assert reply.acked
        refused = await workspace.submit("rosa", {"Name": "taken", "Kind": "Mimecast"})
        assert refused.errors == {"Name": "This name is taken."}
        sent = await workspace.submit("rosa", {"Name": "payroll"})
        assert sent.view is None
        [posted] = await workspace.until(lambda: workspace.messages("approvals"))
        assert workspace.text_of(posted) == "payroll\nAsked by: @rosa\n[Approve]"
        assert (await workspace.click("ada", "Approve")).acked
        [approved] = workspace.messages("approvals")
        assert workspace.text_of(approved) == "Approved by @ada"
    assert workspace.complaints == []
