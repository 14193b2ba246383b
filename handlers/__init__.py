"""Slack's side of the bot: every listener on one screen."""

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.registrar import Registrar
from handlers.listeners import buttons, commands, errors, events, home, modals
from handlers.listeners.command_parser import Command
from handlers.listeners.preview import PreviewMaker
from handlers.outbox.home_publisher import HomePublisher
from handlers.slack.response_url import ResponseUrls
from handlers.slack.users import Users, middleware
from handlers.views import ids


def register(
    app: AsyncApp,
    *,
    client: AsyncWebClient,
    registrar: Registrar,
    users: Users,
    response_urls: ResponseUrls,
    home_publisher: HomePublisher,
    preview_maker: PreviewMaker,
    contact: str,
    plain: bool,
) -> None:
    """Connect what people do in Slack with the verbs of the registrar."""
    app.use(
        middleware(
            client, users, registrar, response_urls, home_publisher, preview_maker, plain=plain
        )
    )
    app.error(errors.handler(client, response_urls, home_publisher, contact))

    app.command(ids.COMMAND)(commands.command)
    app.view(ids.FORM)(modals.submit_form)
    app.view(ids.DENIAL)(modals.submit_denial)
    app.action(ids.CHOOSE_PROFILE)(modals.choose_profile)
    app.action(ids.PREVIEW)(modals.preview)

    app.action(ids.APPROVE)(buttons.approve)
    app.action(ids.DENY)(buttons.deny)
    app.action(ids.WITHDRAW)(buttons.decide(registrar.approval.withdraw))
    app.action(ids.CANCEL)(buttons.decide(registrar.approval.cancel))
    app.action(ids.AGAIN)(buttons.again)
    app.action(ids.RETRY)(buttons.retry)
    app.action(ids.UNDO)(buttons.click(registrar.recovery.undo))
    app.action(ids.REVOKE)(buttons.click(registrar.revocation.revoke))
    app.action(ids.VALUES)(buttons.values)
    app.action(ids.REVEAL)(buttons.reveal)
    app.action(ids.HIDE)(buttons.hide)
    app.action(ids.RENEW)(buttons.renew)
    app.action(ids.ROTATE)(buttons.click(registrar.requests.rotation))
    app.action(ids.RETIRE)(buttons.click(registrar.rotation.remove_previous))

    for id, verb, what in (
        (ids.UNDO_ASKED, registrar.recovery.undo, "{id} is being undone"),
        (
            ids.RETIRE_ASKED,
            registrar.rotation.remove_previous,
            "The previous secret of {id} is being removed",
        ),
        (ids.REVOKE_ASKED, registrar.revocation.revoke, "{id} is being revoked"),
    ):
        app.action(id)(commands.confirmed(verb, what))
    app.action(ids.MINE)(buttons.answer(Command(word="list", which="mine")))
    app.action(ids.HELP)(buttons.answer(Command(word="help")))
    for id in ids.REPLACED:
        app.action(id)(buttons.replaced)
    app.action(ids.OPEN_FORM)(commands.form_button)
    app.action(ids.HOME_BACK)(home.turn)
    app.action(ids.HOME_ON)(home.turn)

    app.event("app_mention")(events.mention)
    app.event("message")(events.direct_message)
    app.event("app_home_opened")(home.opened)
