"""Read the body of an answer, within limits of size and time.

Answers are asked for uncompressed, and a compressed one is refused: a few kilobytes of a compressed
body can become gigabytes of memory before they are counted.
"""

import time

import httpx

from graph.errors import UnexpectedAnswer

MOST_BYTES = 16 * 2**20
"""The largest answers that the bot asks for, pages of 999 applications, have a few."""

LONGEST_SECONDS = 120.0
"""How long a body may take in all: a time-out for each part alone lets one drip for ever."""

UNCOMPRESSED = {"Accept-Encoding": "identity"}


async def read_body(response: httpx.Response, *, call: str) -> bytes:
    """Read a streamed answer. Raises UnexpectedAnswer and httpx.RequestError."""
    body = _Body(response, call)
    async for part in response.aiter_bytes():
        body.add(part)
    return bytes(body.content)


def read_body_here(response: httpx.Response, *, call: str) -> bytes:
    """Do the same in a thread."""
    body = _Body(response, call)
    for part in response.iter_bytes():
        body.add(part)
    return bytes(body.content)


def request_id_of(response: httpx.Response) -> str | None:
    """Return Microsoft's id of a request: the sign-in service has a name of its own for it."""
    headers = response.headers
    id: str | None = headers.get("x-ms-request-id") or headers.get("request-id")
    return id


class _Body:
    def __init__(self, response: httpx.Response, call: str) -> None:
        self.content = bytearray()
        self._response = response
        self._call = call
        self._until = time.monotonic() + LONGEST_SECONDS
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
