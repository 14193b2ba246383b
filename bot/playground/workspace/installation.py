"""Who the app is in this workspace: its ids, tokens and scopes, and what it has subscribed to."""

from dataclasses import dataclass, field

from bot.playground.workspace.ids import Ids
from bot.playground.workspace.wire import Json

SCOPES = frozenset(
    {"app_mentions:read", "chat:write", "commands", "im:write", "usergroups:read", "users:read"}
)
BOT_NAME = "aad-setup"
EVENTS = frozenset({"app_mention", "app_home_opened"})


@dataclass(kw_only=True)
class Installation:
    """The app as this workspace has installed it. Scopes, commands and events may be changed."""

    team_id: str
    team_domain: str
    api_app_id: str
    bot_user_id: str
    bot_id: str
    bot_token: str = field(repr=False)
    app_token: str = field(repr=False)
    signing_secret: str = field(repr=False)
    enterprise_id: str | None = None
    """The organization on Enterprise Grid that the workspace belongs to."""
    is_org_wide: bool = False
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    commands: set[str] = field(default_factory=lambda: {"/aad-setup"})
    events: set[str] = field(default_factory=lambda: set(EVENTS))
    app_scopes: set[str] = field(default_factory=lambda: {"connections:write"})
    home_enabled: bool = True
    messages_tab_enabled: bool = True
    messages_tab_read_only: bool = False
    socket_mode_enabled: bool = True
    refused_tokens: dict[str, str] = field(default_factory=dict, repr=False)
    """Tokens that were good once, and Slack's word for why they are not: token_revoked, …"""

    @property
    def tokens(self) -> set[str]:
        """The tokens that are good now."""
        return {self.bot_token, self.app_token} - set(self.refused_tokens)

    def follow(self, manifest: Json) -> None:
        """Take on what a manifest says of scopes, events, commands and the app's own tabs.

        docs.slack.dev/reference/app-manifest
        """
        features, settings = manifest["features"], manifest["settings"]
        home = features.get("app_home", {})
        self.scopes = set(manifest["oauth_config"]["scopes"]["bot"])
        self.events = set(settings.get("event_subscriptions", {}).get("bot_events", []))
        self.commands = {it["command"] for it in features.get("slash_commands", [])}
        self.home_enabled = home.get("home_tab_enabled", False)
        self.messages_tab_enabled = home.get("messages_tab_enabled", False)
        self.messages_tab_read_only = home.get("messages_tab_read_only_enabled", False)
        self.socket_mode_enabled = settings.get("socket_mode_enabled", False)

    @classmethod
    def new(cls, ids: Ids) -> "Installation":
        return cls(
            team_id=ids.new("T"),
            team_domain="playground",
            api_app_id=ids.new("A"),
            bot_user_id=ids.new("U"),
            bot_id=ids.new("B"),
            bot_token=ids.secret("xoxb-playground-"),
            app_token=ids.secret("xapp-1-playground-"),
            signing_secret=ids.secret(""),
        )
