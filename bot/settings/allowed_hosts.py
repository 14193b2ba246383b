"""Where the bot may send a token: to Slack's own hosts, to Microsoft's, or to this machine."""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from graph.calls import parts_of

SLACK_HOSTS = ("slack.com", "slack-gov.com")


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_slack(url: str) -> bool:
    """Whether an address is Slack's own over https, or this machine's."""
    scheme, host = _address(url)
    if is_loopback(host):
        return scheme in ("http", "https")
    if not re.fullmatch(r"[a-z0-9.-]+", host):
        return False
    known = any(host == name or host.endswith("." + name) for name in SLACK_HOSTS)
    return scheme == "https" and known


def response_urls(api_url: str, *, ids: Collection[str]) -> re.Pattern[str]:
    """Return a pattern that a whole `response_url` must match: of the Slack whose methods are at
    `api_url`, and of a click or command in the workspace or organization that has one of these ids.

    docs.slack.dev/interactivity/handling-user-interaction
    """
    origins = "|".join(map(re.escape, _hooks_origins(api_url)))
    owners = "|".join(each for each in ids if re.fullmatch("[A-Z0-9]+", each)) or "(?!)"
    path = f"/(?:actions|commands)/(?:{owners})(?:/[A-Za-z0-9_-]+)+"
    return re.compile(f"(?:{origins}){path}", re.ASCII)


def _hooks_origins(api_url: str) -> Collection[str]:
    """Return where Slack takes answers. Another Slack than the real one has a single address."""
    if is_loopback(_address(api_url)[1]):
        return ("{0.scheme}://{0.netloc}".format(urlsplit(api_url)),)
    return [f"https://hooks.{each}" for each in SLACK_HOSTS]


def is_at(url: str, own: str) -> bool:
    """Whether an address is over https at the host of another one, or at this machine."""
    scheme, host = _address(url)
    return scheme == "https" and (host == urlsplit(own).hostname or is_loopback(host))


def _address(url: str) -> tuple[str, str]:
    """Return scheme and host, or an empty text if it is no URL or has a user name."""
    parts = parts_of(url)
    if parts is None or parts.username is not None:
        return "", ""
    return parts.scheme, parts.hostname or ""
