"""The HTTP of all calls to Microsoft: bodies within limits, request ids, and proxies.

Answers are asked for uncompressed, and a compressed one is refused: a few kilobytes of a compressed
body can become gigabytes of memory before they are counted. One rule chooses the proxy, also of
calls to Slack: each library reads HTTPS_PROXY, ALL_PROXY and NO_PROXY in its own way, and one of
them not at all.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # typeshed lacks it

import httpx

from graph.calls import parts_of
from graph.errors import NoAnswer, UnexpectedAnswer, Unreachable

MOST_BYTES = 16 * 2**20
"""The largest answers that the bot asks for, pages of 999 applications, have a few."""

LONGEST_SECONDS = 120.0
"""How long a body may take in all: a time-out for each part alone lets one drip for ever."""

UNREACHABLE = (
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout),
    *(httpx.UnsupportedProtocol, httpx.InvalidURL),  # the environment may name any address
)
"""The errors after which nothing was sent."""

UNCOMPRESSED = {"Accept-Encoding": "identity"}


async def read_body(response: httpx.Response, *, call: str) -> bytes:
    """Read a streamed answer, and keep its request id for the log.

    Raises UnexpectedAnswer and httpx.RequestError.
    """
    body = _Body(response, call)
    async for part in response.aiter_bytes():
        body.add(part)
    return bytes(body.content)


def exchange(
    request: AbstractContextManager[httpx.Response],
    *,
    call: str,
    unreachable: type[Unreachable] = Unreachable,
) -> tuple[httpx.Response, object]:
    """Return the answer to a call of msal's, which is made in a thread, and its JSON.

    Raises UnexpectedAnswer, `unreachable` and NoAnswer.
    """
    try:
        with request as response:
            body = _Body(response, call)
            for part in response.iter_bytes():
                body.add(part)
    except UNREACHABLE as error:
        raise unreachable(call=call) from error
    except httpx.RequestError as error:
        raise NoAnswer(call=call) from error
    return response, read_json(bytes(body.content))


def request_id_of(response: httpx.Response) -> str | None:
    """Return Microsoft's id of a request: the sign-in service has a name of its own for it."""
    headers = response.headers
    id: str | None = headers.get("x-ms-request-id") or headers.get("request-id")
    return id


def read_json(content: bytes) -> object:
    """Return the JSON of an answer, an empty object for no content, None if it is not JSON."""
    if not content:
        return {}
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


class _Body:
    def __init__(self, response: httpx.Response, call: str) -> None:
        self.content = bytearray()
        self._response = response
        self._call = call
        self._until = time.monotonic() + LONGEST_SECONDS
        _note(request_id_of(response))
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._unexpected(
                "an answer was compressed although the bot asked for none that is"
            )

    def add(self, part: bytes) -> None:
        if len(self.content) + len(part) > MOST_BYTES:
            raise self._unexpected(f"an answer was larger than {MOST_BYTES // 2**20} MB")
        if time.monotonic() > self._until:
            raise httpx.ReadTimeout("The answer did not end.", request=self._response.request)
        self.content += part

    def _unexpected(self, what: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(
            status=self._response.status_code,
            request_id=request_id_of(self._response),
            call=self._call,
            sentence=f"Microsoft's service cannot be read: {what}.",
        )


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
        urls = {it: url if "://" in url else f"http://{url}" for it, url in said.items() if url}
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


def _is_usable(url: str) -> bool:
    parts = parts_of(url)
    is_http = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    return is_http and url.isprintable()


MOST_REQUESTS = 5
"""How many ids are kept, the latest: a step may ask often until a write is seen."""

_collected: ContextVar[list[str] | None] = ContextVar("request ids", default=None)


@contextmanager
def collecting_requests() -> Iterator[list[str]]:
    """Collect the ids of the calls that are made inside, also by tasks that begin there."""
    ids: list[str] = []
    token = _collected.set(ids)
    try:
        yield ids
    finally:
        _collected.reset(token)


def _note(id: str | None) -> None:
    """Keep the id of a call, if ids are being collected."""
    ids = _collected.get()
    if ids is not None and id is not None:
        ids.append(id)
        del ids[:-MOST_REQUESTS]


def latest_request() -> str | None:
    """Return the id of the latest call of the work under way."""
    ids = _collected.get()
    return ids[-1] if ids else None
