"""Who may reach the page: browsers on this machine that know its address, from the page itself.

A page of another origin can send requests to loopback, and a name of its own can be made to point
there. So the address holds a secret, the host must be loopback by name, and what a browser says of
its origin must be ours.
"""

import hmac

from aiohttp import web

from bot.playground.guard import Handler, is_loopback

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
WITH_BODY = ("POST", "PUT", "PATCH")


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of every answer, errors and streams included."""
    response.headers.update(HEADERS)


class Access:
    """Checks each request before anything else sees it."""

    def __init__(self, token: str, port: int) -> None:
        self._token = token.encode()
        self._port = str(port)

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what comes from elsewhere. Answer every refusal as JSON."""
        try:
            self._check(request)
            return await handler(request)
        except web.HTTPException as refused:
            words = refused.text or refused.reason
            return web.json_response({"error": words}, status=refused.status)

    def _check(self, request: web.Request) -> None:
        given = request.path.removeprefix("/").partition("/")[0].encode(errors="replace")
        if not hmac.compare_digest(given, self._token):
            raise web.HTTPNotFound(text="Use the address that the demo printed.")
        _, _, port = request.host.rpartition(":")
        if not is_loopback(request.host) or port != self._port:
            raise web.HTTPForbidden(text="Open the page at a loopback address.")
        origin = request.headers.get("Origin", f"http://{request.host}")
        site = request.headers.get("Sec-Fetch-Site", "none")
        if origin != f"http://{request.host}" or site not in ("same-origin", "none"):
            raise web.HTTPForbidden(text="Other pages may not use this one.")
        if request.method in WITH_BODY and request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(text="Send JSON: Content-Type: application/json.")
