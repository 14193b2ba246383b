"""Choose the proxy of a call, by one rule for all calls to Slack and to Microsoft.

Each library reads HTTPS_PROXY, ALL_PROXY and NO_PROXY in its own way, and one of them not at all.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks it

VARIABLES = {"https": "HTTPS_PROXY", "http": "HTTP_PROXY", "all": "ALL_PROXY"}
EXCEPTIONS = "NO_PROXY"
ENTRY = re.compile(r"[A-Za-z0-9_.*:/\[\]-]+", re.ASCII)
"""A host, a domain, an address or a network. The last fits no name, and stands there for others."""
SAME_AS = {"wss": "https", "ws": "http"}


@dataclass(frozen=True, kw_only=True)
class Proxies:
    """The proxies that the environment names; by default none."""

    urls: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold passwords
    exceptions: str = ""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Proxies":
        """Read the usual variables; in lower case they count more, as with other programs."""
        said = {scheme: _said(environ, name) for scheme, name in VARIABLES.items()}
        urls = {scheme: _with_scheme(url) for scheme, url in said.items() if url}
        return cls(urls=urls, exceptions=_said(environ, EXCEPTIONS))

    def of(self, url: str) -> str | None:
        """Return the proxy for a call to this address, if it goes through one."""
        parts = urlsplit(url)
        proxy = self.urls.get(SAME_AS.get(parts.scheme, parts.scheme)) or self.urls.get("all")
        if proxy is None or proxy_bypass_environment(parts.netloc, {"no": self.exceptions}):
            return None
        return proxy

    def problems(self) -> Iterator[str]:
        """Yield a sentence about each variable that cannot be used, without its value."""
        for scheme, url in self.urls.items():
            if not _is_usable(url):
                yield (
                    f"{VARIABLES[scheme]} must be the address of an HTTP proxy, such as"
                    " http://proxy.example:3128. Other kinds, such as SOCKS, are not supported."
                )
        entries = [each.strip() for each in self.exceptions.split(",")]
        if not all(ENTRY.fullmatch(each) and "//" not in each for each in entries if each):
            yield (
                f"{EXCEPTIONS} must list hosts and domains with commas between them, such as"
                " localhost,.example.com."
            )


DIRECT = Proxies()


def shown(proxy: str) -> str:
    """Return a proxy's address without user and password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _said(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.lower(), environ.get(name, "")).strip()


def _with_scheme(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _is_usable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.isprintable()
