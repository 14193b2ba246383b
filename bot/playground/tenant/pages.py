"""What a person's browser gets from the sign-in: pages, and the ways back to an application."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode, urlsplit

from bot.playground.tenant.calls import Answer
from bot.playground.tenant.directory import Directory
from bot.playground.tenant.errors import SignInFailure
from bot.playground.tenant.sign_in import failure_body

_HTML = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
HERE, THERE = "sign-in", "redemption"
"""Where Conditional Access refuses: when the person signs in, or when the code is redeemed."""


@dataclass(frozen=True, kw_only=True)
class Return:
    """How the browser is sent back to an application."""

    redirect_uri: str
    mode: str
    """`query` or `form_post`."""
    state: str | None


def sign_in(directory: Directory, context: str, *, hint: str) -> Answer:
    """Show the sign-in page. It takes any user without a password.

    Its other fields say what a real tenant finds out by itself: what Conditional Access makes of
    this sign-in, and which authentication contexts the person satisfies.
    """
    choices = "".join(f"<option>{each}</option>" for each in ("", HERE, THERE))
    return _page(
        f"Sign in to {directory.name}",
        f'<form method="post" action="/{directory.id}/login">'
        f'<input type="hidden" name="ctx" value="{escape(context)}">'
        f'<p><label>User <input name="login" value="{escape(hint)}"></label></p>'
        f'<p><label>Satisfies <input name="acrs" placeholder="c1 c2"></label></p>'
        f'<p><label>Blocked at <select name="blocked">{choices}</select></label></p>'
        '<p><button name="decision" value="sign-in">Sign in</button>'
        ' <button name="decision" value="cancel">Cancel</button></p></form>',
    )


def code_entry(directory: Directory) -> Answer:
    """Show the page on which people enter the code that their device shows."""
    return _page(
        "Enter code",
        f'<form method="post" action="/{directory.id}/oauth2/deviceauth">'
        "<p>Do not enter codes from sources you do not trust.</p>"
        '<p><label>Code <input name="otc"></label></p><button>Next</button></form>',
    )


def told(sentence: str) -> Answer:
    """End a sign-in that leads nowhere: a device asks for what came of it."""
    return _page(sentence, "")


def failed(directory: Directory, failure: SignInFailure, trace: str) -> Answer:
    """Tell an error on the service's own page, from which no way leads back."""
    description = _description(directory, failure, trace)["error_description"]
    return _page("Sorry, but we’re having trouble signing you in.", escape(description), status=400)


def refused(directory: Directory, back: Return, failure: SignInFailure, trace: str) -> Answer:
    """Tell an application that no user signed in."""
    return answered(back, _description(directory, failure, trace))


def answered(back: Return, fields: Mapping[str, str]) -> Answer:
    """Send the browser back to the application with these fields and its state."""
    fields = dict(fields) if back.state is None else {**fields, "state": back.state}
    if back.mode == "query":
        mark = "&" if urlsplit(back.redirect_uri).query else "?"
        location = f"{back.redirect_uri}{mark}{urlencode(fields)}"
        return Answer(status=302, headers={**_HTML, "Location": location})
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    return _page(
        "Working...",
        f'<form method="post" action="{escape(back.redirect_uri)}">{inputs}'
        "<button>Continue</button></form><script>document.forms[0].submit()</script>",
    )


def _description(directory: Directory, failure: SignInFailure, trace: str) -> dict[str, str]:
    body = failure_body(
        failure, directory.cloud, at=directory.now(), trace=trace, correlation=trace
    )
    return {name: body[name] for name in ("error", "error_description", "error_uri")}


def _page(title: str, content: str, *, status: int = 200) -> Answer:
    text = (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        f"<body><h1>{escape(title)}</h1>{content}</body></html>"
    )
    return Answer(status=status, text=text, headers=_HTML)
