"""What befalls an app in a simulated workspace: its connections, deliveries and tokens."""

from bot.playground.workspace.place import Place
from bot.playground.workspace.record import Kind
from bot.playground.workspace.signed_http import SignedHttp
from bot.playground.workspace.wire import CannotAct


class Steering(Place):
    """Everything between Slack and the app that a test may want otherwise."""

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every socket to go: refresh_requested, link_disabled.

        After `link_disabled` no new one opens, until `installation.socket_mode_enabled` is True.
        """
        await self._state.sockets.disconnect(reason)

    async def drop_connections(self, count: int | None = None) -> None:
        """Break every socket, or so many, without a word."""
        await self._state.sockets.drop(count)

    async def redeliver(self, kind: str | None = None) -> None:
        """Tell the app of the latest event, click or command once more, as Slack sometimes does.

        `kind` is one of events_api, interactive and slash_commands; without it, of any.
        """
        sent = [it.sent for it in self._state.record.of(Kind.DELIVERY) if "payload" in it.sent]
        latest = [it for it in sent if kind in (None, it["type"])]
        if not latest:
            raise CannotAct("Nothing has been delivered yet.")
        await self._state.delivery.deliver(latest[-1]["type"], latest[-1]["payload"])

    def deliver_to(self, url: str) -> SignedHttp:
        """Tell the app by signed requests to this URL instead of a socket, which is turned off."""
        http = SignedHttp(
            url=url,
            signing_secret=self.signing_secret,
            record=self._state.record,
            clock=self._state.clock,
            tasks=self._state.tasks,
            ack_seconds=self._state.sockets.ack_seconds,
        )
        self._state.delivery = http
        self.installation.socket_mode_enabled = False
        return http

    def revoke_token(self, error: str = "token_revoked") -> None:
        """Answer every call of the bot with this from now on; account_inactive: uninstalled."""
        self.installation.refused_tokens[self.bot_token] = error
