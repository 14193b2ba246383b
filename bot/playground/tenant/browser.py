"""A person's browser at the tenant's sign-in: it opens the page, and sends what they decide."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

import httpx

Blocked = Literal["sign-in", "redemption"]


@dataclass(frozen=True, kw_only=True)
class Landing:
    """Where the sign-in has led the browser, which has not gone there yet."""

    url: str | None
    """The redirect URI, for `query` with the answer in it; None on a page of Entra's own: after an
    error, or once a code for a device was entered.
    """
    form: Mapping[str, str] | None = field(default=None, repr=False)
    """The fields to POST to `url`, for `form_post`; None where `url` is to be opened with GET."""
    error: str | None = None
    """What Entra's own page says, as in `AADSTS50011: …`; the browser stays there."""

    @property
    def answer(self) -> dict[str, str]:
        """The answer to the authorization request, however it travels: code and state, or error."""
        if self.form is not None:
            return dict(self.form)
        return dict(parse_qsl(urlsplit(self.url or "").query))


async def sign_in(
    ca_file: Path,
    login: str,
    url: str,
    *,
    hosts: Mapping[str, str],
    decision: Literal["sign-in", "cancel"],
    blocked: Blocked | None,
    acrs: Iterable[str],
    on_page: bool,
    user_code: str,
) -> Landing:
    """Open an authorization request, or the page for the codes of devices, and send each page back
    filled in.

    `hosts`: the names of the tenant's host, each with the one at which it is reached. ValueError
    for an address elsewhere.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.netloc not in hosts:
        raise ValueError("That is no address of this tenant.")
    url = urlunsplit(parts._replace(netloc=hosts[parts.netloc]))
    context = ssl.create_default_context(cafile=str(ca_file))
    filled = {"login": login, "decision": decision, "blocked": blocked or ""}
    filled |= {"acrs": " ".join(acrs), "on_page": "yes" if on_page else "", "otc": user_code}
    async with httpx.AsyncClient(verify=context, trust_env=False) as http:
        page = await http.get(url)
        for field_name in ("otc", "ctx"):
            read = _Page(page.text)
            if page.status_code == httpx.codes.OK and field_name in read.fields:
                target = urljoin(url, read.action)
                page = await http.post(target, data={**read.fields, **filled})
    return _landing(page)


def _landing(page: httpx.Response) -> Landing:
    if page.status_code == httpx.codes.FOUND:
        return Landing(url=page.headers["Location"])
    read = _Page(page.text)
    if page.status_code == httpx.codes.OK:
        if not read.action:
            return Landing(url=None)
        return Landing(url=read.action, form=read.fields)
    return Landing(url=None, error=read.error or f"HTTP {page.status_code}")


class _Page(HTMLParser):
    """The form of a page, or what it says of an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.error: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        if tag == "input" and "name" in given:
            self.fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if data.startswith("AADSTS"):
            self.error = data
