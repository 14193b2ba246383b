"""Tell the approvers the result of a restore: the one message without a registration."""

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.restore.reconciliation import Report
from handlers.slack.api_errors import ADVICE, NO_ANSWER, SHARED, ErrorScope, code_of, meaning_of
from handlers.slack.approval_channel import ApprovalChannel, ChannelShared
from handlers.views.notices import HEADLINE, restore_summary

log = structlog.get_logger()


async def tell(client: AsyncWebClient, channel: ApprovalChannel, report: Report) -> bool:
    """Post it in the approval channel. False if Slack may take it later."""
    try:
        await channel.check()
        await client.chat_postMessage(
            channel=channel.id,
            text=f"{HEADLINE}.",
            blocks=restore_summary(report),
            unfurl_links=False,
            unfurl_media=False,
        )
    except ChannelShared:
        log.error("approvers could not be told of the restore", code=SHARED, advice=ADVICE[SHARED])
    except NO_ANSWER as error:
        log.warning("approvers are told later", type=type(error).__name__)
        return False
    except SlackApiError as error:
        if meaning_of(error) is ErrorScope.TOO_OFTEN:
            return False
        # The log has said everything; a channel that is closed must not keep the bot from working.
        log.error("approvers could not be told of the restore", code=code_of(error))
    return True
