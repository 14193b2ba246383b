"""Who may reach `/sim/` of either simulator: programs on this machine, and no page in a browser.

A page of another origin can send requests to loopback, and a name of its own can be made to point
there. So the host must be loopback by name, nothing that carries a browser's `Origin` or
`Sec-Fetch-Site` of elsewhere is served, and a body must be JSON, which a form cannot send.
"""

import json
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX = "/sim/"
_WITH_BODY = {"POST", "PUT", "PATCH"}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse with 403 or 415 before anything has happened."""
    if request.path.startswith(PREFIX):
        _check(request)
    return await handler(request)


def _check(request: web.Request) -> None:
    if not is_loopback(request.headers.get("Host", "")):
        raise _refusal(web.HTTPForbidden, "Ask at a loopback address or at localhost.")
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
        raise _refusal(web.HTTPForbidden, "Pages in a browser may not use this.")
    if request.method in _WITH_BODY and request.content_type != "application/json":
        raise _refusal(web.HTTPUnsupportedMediaType, "Send JSON: Content-Type: application/json.")


def is_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine, with or without a port."""
    name, _, port = host.rpartition(":") if _has_port(host) else (host, "", "")
    if port and not (port.isascii() and port.isdigit()):
        return False
    if name.lower() == "localhost":
        return True
    try:
        return ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _has_port(host: str) -> bool:
    return ":" in host and not host.endswith("]")


def _refusal(kind: type[web.HTTPException], words: str) -> web.HTTPException:
    return kind(text=json.dumps({"error": words}), content_type="application/json")
