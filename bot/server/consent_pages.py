"""The pages by which approvers sign in at Entra: at PORT, in Socket Mode, too.

A link is only looked at until its button is pressed, so that previews cannot use it up. No script,
no resource of others; nothing of a request is logged.
"""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from aiohttp import web

from bot.domain.lifetimes import SIGN_IN_TTL
from bot.domain.people import Refusal
from bot.domain.registration import Registration
from bot.registrar.sign_ins import AGAIN, COOKIE, OTHER_BROWSER, PATH, UNKNOWN
from bot.server.consent_flow import ConsentFlow
from bot.server.http_server import CLIENT_ERRORS, Routes, is_of_client
from bot.settings.consent_client import CALLBACK
from bot.settings.settings import Settings
from bot.worker.loops import run_guarded, went_wrong
from graph.permissions import KIND_WORDS
from graph.plan import Plan
from handlers.transport import REST_SECONDS, InFlight
from handlers.transport.http import Bodies, TooLarge

log = structlog.get_logger()

UNFINISHED = "Sign-in not completed"
"""The title of refusals of Entra's answer: grants may have been made, now or before."""
LOOK = "Check the card in Slack: it shows what is granted."
LARGEST_BODY = 32 * 1024
"""Bytes. Entra sends a code of some thousand characters, state, and a few short fields."""
MOST_FIELDS = 20
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
FORM = "application/x-www-form-urlencoded"
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:42em;margin:3em auto;padding:0 1em}"
    "button{font:inherit;padding:.5em 1em}"
)
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    # form-action holds for redirects, too, and Entra may send the browser on to the tenant's own
    # identity provider, which is unknown here.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action https:;"
        " base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of every answer."""


class ConsentPages:
    """Serves the pages while there is a flow behind them: 503 otherwise."""

    def __init__(self, settings: Settings) -> None:
        self._contact = settings.contact
        self.routes: Routes = {}
        if settings.approver_sign_ins is not None:
            link = self._guarded(self._link, "This link cannot be used")
            callback = self._guarded(self._callback, UNFINISHED, LOOK)
            self.routes = {CALLBACK: callback, f"{PATH}{{token}}": link}
        self._flow: ConsentFlow | None = None
        self._in_flight = InFlight()
        self._bodies = Bodies(largest=LARGEST_BODY)

    @asynccontextmanager
    async def serving(self, flow: ConsentFlow | None) -> AsyncIterator[None]:
        """Let approvers sign in while inside; then let requests under way end."""
        self._flow = flow
        try:
            yield
        finally:
            self._flow = None
            if left := await self._in_flight.drained(REST_SECONDS):
                log.warning("stopped before these sign-ins had ended", requests=left)

    def _guarded(
        self,
        handle: Callable[[ConsentFlow, web.Request], Awaitable[web.Response]],
        refused: str,
        *more: str,
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return the handler of a route. What goes wrong in it is a page, never a traceback.

        `refused` is the title of a refusal's page; its text, and that of a bug, ends with `more`.
        """

        async def handled(request: web.Request) -> web.StreamResponse:
            if self._flow is None:
                said = "The bot is starting or stopping. Reload in a minute."
                return _page("Not ready", [said], status=503)
            flow, answer = self._flow, _page("", [])

            async def answered() -> None:
                nonlocal answer
                try:
                    answer = await handle(flow, request)
                except Refusal as refusal:
                    answer = _page(refused, [_plain(refusal), *more], status=403)

            with self._in_flight.count():
                bug = await run_guarded("a sign-in of an approver", answered)
            if bug is None:
                return answer
            sorry = went_wrong(bug, self._contact)
            return _page("That did not work", [sorry, *more], status=500)

        return handled

    async def _link(self, flow: ConsentFlow, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        if not TOKEN.fullmatch(token):
            raise Refusal(UNKNOWN)
        if request.method in ("GET", "HEAD"):
            _, registration = await flow.registrar.sign_ins.offer(token)
            return _page("Sign in and grant", _offered(registration), button="Sign in")
        if request.method != "POST":
            return _not_allowed("GET, HEAD, POST")
        uri, name, cookie = await flow.begin(token, request.cookies)
        answer = _page("Signing in", [], status=303)
        answer.headers["Location"] = uri
        # Entra's answer is a form that is sent from its page: without None the cookie would stay.
        answer.set_cookie(
            name,
            cookie,
            max_age=int(SIGN_IN_TTL.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="None",
        )
        return answer

    async def _callback(self, flow: ConsentFlow, request: web.Request) -> web.Response:
        """Take Entra's answer. Nothing is read of one from a browser that has begun nothing."""
        if request.method != "POST":
            return _not_allowed("POST")
        if request.content_type != FORM:
            return _unreadable()
        if not any(name.startswith(COOKIE) for name in request.cookies):
            raise Refusal(OTHER_BROWSER)
        try:
            self._bodies.check_length(request)
            form = _read(bytes(await self._bodies.read(request)))
        except (TooLarge, TimeoutError, ValueError, RuntimeError, *CLIENT_ERRORS) as error:
            if isinstance(error, RuntimeError) and not is_of_client(error):
                raise
            return _unreadable()
        said = await flow.finish(form, request.cookies)
        return _page("Granted", [said, "You can close this page."])


def _read(body: bytes) -> Mapping[str, str]:
    """Return the fields of a form, each only once. Raises ValueError."""
    found = parse_qs(body.decode(), max_num_fields=MOST_FIELDS)
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _offered(registration: Registration) -> Iterator[str]:
    plan = Plan.from_json(dict(registration.plan or {}))
    yield (
        f"Permissions for “{plan.name}” ({registration.id}) in {plan.tenant_name} ({plan.domain}),"
        " for the whole tenant:"
    )
    for each in (*plan.roles, *plan.scopes):
        yield f"{each.name} ({KIND_WORDS[each.kind]}): {each.meaning}"
    yield (
        "Sign in with your own account. The bot grants exactly this with it, at once. It stores no"
        " password or token; the card shows which account granted."
    )


def _page(
    title: str, paragraphs: Iterator[str] | list[str], *, status: int = 200, button: str = ""
) -> web.Response:
    form = f'<form method="post"><button>{escape(button)}</button></form>' if button else ""
    text = "".join(f"<p>{escape(each)}</p>" for each in paragraphs)
    return web.Response(
        text=f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{text}{form}</body></html>",
        content_type="text/html",
        status=HTTPStatus(status),
        headers=HEADERS,
    )


def _unreadable() -> web.Response:
    return _page(UNFINISHED, [_plain(Refusal(AGAIN))], status=400)


def _not_allowed(allowed: str) -> web.Response:
    answer = _page("Not allowed", [_plain(Refusal(AGAIN))], status=405)
    answer.headers["Allow"] = allowed
    return answer


def _plain(refusal: Refusal) -> str:
    """Return a refusal without Slack's markup."""
    said = str(refusal)
    for person in refusal.people:
        said = said.replace(f"<@{person.user_id}>", person.name)
    return re.sub(r"[*`]", "", re.sub(r"<@\w+>", "another approver", said))
