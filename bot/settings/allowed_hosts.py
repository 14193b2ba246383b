"""Where the bot may send a token: to Slack's own hosts, to Microsoft's, or to this machine."""

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from graph.calls import parts_of

SLACK_HOSTS = ("slack.com", "slack-gov.com")
RESPONSE_PATH = r"/(?:actions|commands)/([A-Z0-9]+)(?:/[A-Za-z0-9_-]+)+"
"""Of a `response_url`: whose it is, and a token.
docs.slack.dev/interactivity/handling-user-interaction"""


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


def takes_answers(url: str, *, api_url: str, ids: Collection[str]) -> bool:
    """Whether a `response_url` is of the Slack whose methods are at `api_url`, and of a click or
    command in the workspace or organization that has one of these ids.
    """
    origins = "|".join(map(re.escape, _hooks_origins(api_url)))
    found = re.fullmatch(f"(?:{origins}){RESPONSE_PATH}", url, re.ASCII)
    return found is not None and found[1] in ids


def _hooks_origins(api_url: str) -> Collection[str]:
    """Return where Slack takes answers. Another Slack than the real one has a single address."""
    if is_loopback(_address(api_url)[1]):
        return ("{0.scheme}://{0.netloc}".format(urlsplit(api_url)),)
    return [f"https://hooks.{each}" for each in SLACK_HOSTS]


def is_one_of(url: str, hosts: Collection[str | None]) -> bool:
    """Whether an address is one of these hosts over https, or this machine's."""
    scheme, host = _address(url)
    return scheme == "https" and (host in hosts or is_loopback(host))


def _address(url: str) -> tuple[str, str]:
    """Return scheme and host, or an empty text if it is no URL or has a user name."""
    parts = parts_of(url)
    if parts is None or parts.username is not None:
        return "", ""
    return parts.scheme, parts.hostname or ""
