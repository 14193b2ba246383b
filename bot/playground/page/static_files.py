"""The page's own files, read from the package at each request: a changed one needs no restart."""

from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web

TYPES = {"css": "text/css", "html": "text/html", "js": "text/javascript"}


async def index(_: web.Request) -> web.Response:
    return _answer(_folder() / "index.html")


async def file(request: web.Request) -> web.Response:
    found = _folder()
    for part in request.match_info["path"].split("/"):
        if part in ("", ".", "..") or "\\" in part or "\0" in part:
            raise web.HTTPNotFound(text="There is no such file.")
        found = found / part
    return _answer(found)


def _folder() -> Traversable:
    return resources.files(__package__) / "static"


def _answer(found: Traversable) -> web.Response:
    kind = TYPES.get(found.name.rpartition(".")[2])
    if kind is None or not found.is_file():
        raise web.HTTPNotFound(text="There is no such file.")
    return web.Response(body=found.read_bytes(), content_type=kind, charset="utf-8")
