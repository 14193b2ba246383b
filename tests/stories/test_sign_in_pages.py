"""Approvers' sign-ins that do not end well: what the pages say, and what is kept of them."""

import asyncio

import pytest
import sqlalchemy as sa

from bot.app import App
from bot.domain.lifetimes import DAY
from bot.storage.tables import sign_ins
from tests.support.signing_in import (
    CALLBACK,
    SigningIn,
    came_back,
    landed,
    link_for,
    signed_in,
    waiting,
)
from tests.support.signing_in_fixtures import running, story, world
from tests.support.story import Story

pytestmark = pytest.mark.slow

__all__ = ["running", "story", "world"]

COOKIE = {"__Host-aad-setup-x": "1"}
"""Lets an answer pass as one of a browser that has begun a sign-in."""


async def test_after_a_part_was_granted_no_page_says_that_nothing_was(
    world: SigningIn, story: Story
) -> None:
    id = await waiting(story)
    story.tenant.faults.refuse("POST", "/oauth2PermissionGrants", times=1)
    browser, link = world.browser(), await link_for(story, "ada", id)
    landing = await landed(world, browser, link)
    partial = await came_back(browser, landing)
    again = await came_back(browser, landing)
    for page in (partial, again, await browser.get(link)):
        assert (page.status, "Nothing was granted" in page.text) == (403, False)
    for page in (partial, again):
        assert "Check the card" in page.text
    assert (await signed_in(world, story, id)).status == 200


@pytest.mark.parametrize(
    ("header", "body"),
    [("Transfer-Encoding: chunked", b"no length\r\n"), ("Content-Length: 100", b"state=")],
    ids=["badly chunked", "cut off"],
)
async def test_a_body_that_cannot_be_read_is_no_bug(
    world: SigningIn,
    running: App,
    capsys: pytest.CaptureFixture[str],
    header: str,
    body: bytes,
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    head = f"POST /consent/callback HTTP/1.1\r\nHost: a\r\nCookie: {next(iter(COOKIE))}=1\r\n"
    kind = f"Content-Type: application/x-www-form-urlencoded\r\n{header}\r\n\r\n"
    writer.write((head + kind).encode())
    assert (await world.browser().get(CALLBACK)).status == 405  # by now the body is awaited
    writer.write(body)
    writer.write_eof()
    await reader.read()
    writer.close()
    assert (await world.browser().get(CALLBACK)).status == 405
    assert "bug" not in "".join(capsys.readouterr())


async def test_an_answer_to_no_sign_in_does_not_wait_for_its_turn_to_write(
    world: SigningIn, running: App
) -> None:
    browser = world.browser()
    browser.cookies = dict(COOKIE)
    async with running.services.database.transaction(), asyncio.timeout(5):
        page = await browser.post(CALLBACK, {"state": "invented", "code": "invented"})
    assert (page.status, "not known" in page.text) == (403, True)


async def test_of_a_sign_in_that_was_given_up_nothing_sealed_is_kept(
    world: SigningIn, story: Story, running: App
) -> None:
    await world.browser().press(await link_for(story, "ada", await waiting(story)))

    async def flows() -> list[bytes | None]:
        async with running.services.database.reading() as tx:
            return list(await tx.scalars(sa.select(sign_ins.c.flow)))

    [begun] = await flows()
    assert begun
    story.clock.move(DAY)
    await running.scheduler.look()
    assert await flows() == [None]
