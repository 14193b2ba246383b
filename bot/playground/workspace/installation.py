"""Who the app is in this workspace: its ids, tokens and scopes, and what it has subscribed to."""

from dataclasses import dataclass, field

from bot.playground.workspace.ids import Ids

SCOPES = frozenset(
    {"app_mentions:read", "chat:write", "commands", "im:write", "usergroups:read", "users:read"}
)
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
    scopes: set[str] = field(default_factory=lambda: set(SCOPES))
    commands: set[str] = field(default_factory=lambda: {"/aad-setup"})
    events: set[str] = field(default_factory=lambda: set(EVENTS))
    home_enabled: bool = True

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
