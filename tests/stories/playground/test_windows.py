"""What a window is sent: everything at first, then what has changed for its person."""

import asyncio
import json
import socket
from urllib.parse import urlsplit

import aiohttp
import pytest

from bot.playground.page.running import Page, on_stage
from bot.playground.stage import Stage
from tests.support.page_window import SECONDS, Window, window

HOSTILE = "<script>alert(1)</script> \u202e\u2028 </> <!channel> & \"' " + "x" * 2900


async def test_the_first_event_holds_everything_and_later_ones_what_changed(page: Page) -> None:
    async with window(page.url, "rosa") as rosa:
        first = json.loads(rosa.events[0])
        assert first["reset"]
        assert {"now", "me", "people", "names", "channels", "tenant", "trouble", "vendor"} <= set(
            first["set"]
        )
        await rosa.do("say", text="hello", channel="general")
        await rosa.until(lambda: rosa.says("hello"))
        later = [json.loads(event) for event in rosa.events[1:]]
        assert not any(event["reset"] for event in later)
        assert not any("people" in event["set"] for event in later)


async def test_two_windows_are_two_people(page: Page) -> None:
    async with window(page.url, "rosa") as rosa, window(page.url, "ext") as eve:
        assert rosa.shown["me"] != eve.shown["me"]
        assert {it["name"] for it in rosa.shown["channels"]} == {
            *("general", "random", "partners", "aad-setup")
        }
        assert {it["name"] for it in eve.shown["channels"]} == {"partners", "aad-setup"}
        await rosa.do("say", text="not for partners", channel="general")
        await rosa.do("say", text="hello @ext", channel="partners")
        await eve.until(lambda: eve.says("hello"))
        assert not eve.says("not for partners")
        [notification] = eve.of("notification/")
        assert notification["text"] == "hello @ext"
        assert not rosa.of("notification/")


async def test_people_have_roles(page: Page) -> None:
    async with window(page.url, "ben") as ben:
        roles = {it["name"]: it["role"] for it in ben.shown["people"]}
    assert roles == {
        "rosa": "requester",
        "ada": "approver",
        "grace": "approver",
        "ben": "member",
        "gus": "guest",
        "una": "guest",
        "ext": "external",
    }


async def test_hostile_text_arrives_as_it_was_written(page: Page) -> None:
    async with window(page.url, "ben") as ben, window(page.url, "rosa") as rosa:
        await rosa.do("say", text=HOSTILE, channel="general")
        [said] = await ben.until(lambda: ben.of("message/"))
        assert (
            said["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == HOSTILE
        )
        assert all("\u2028" not in event and "\n" not in event for event in ben.events)


@pytest.mark.slow
async def test_a_closed_modal_and_a_reloaded_ephemeral_are_dropped(running_page: Page) -> None:
    async with window(running_page.url, "rosa") as rosa:
        await rosa.do("command", text="help")
        await rosa.until(lambda: any(it["only_for_you"] for it in rosa.of("message/")))
        assert rosa.of("notification/")
        await rosa.do("command")
        await rosa.until(lambda: "modal" in rosa.shown)
        assert rosa.shown["modal"]["depth"] == 1
        await rosa.do("close_view")
        await rosa.until(lambda: "modal" not in rosa.shown)
        await rosa.do("reload")
        await rosa.until(lambda: not rosa.of("message/"))
        assert not rosa.of("notification/")


@pytest.mark.slow
async def test_home_is_shown_once_it_is_opened(running_page: Page) -> None:
    async with window(running_page.url, "rosa") as rosa:
        await rosa.do("open_home")
        await rosa.until(lambda: "home" in rosa.shown)
        assert rosa.shown["home"]["type"] == "home"


@pytest.mark.slow
async def test_faults_are_set_and_seen_and_cleared(page: Page) -> None:
    async with window(page.url, "ada") as ada:
        await ada.ask("tenant/faults", {"latency": 0.5})
        await ada.ask("tenant/policy", {"longest_secret_days": 30})
        await ada.ask("workspace/faults", {"fault": "throttle", "method": "chat.update"})
        await ada.until(lambda: ada.shown["trouble"]["workspace"])
        trouble = ada.shown["trouble"]
        assert (trouble["latency"], trouble["policy"]["longest_secret_days"]) == (0.5, 30)
        [fault] = trouble["workspace"]
        assert (fault["method"], fault["status"]) == ("chat.update", 429)
        assert (await ada.ask("tenant/faults", method="DELETE")).status == 200
        await ada.until(lambda: ada.shown["trouble"]["latency"] == 0)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("workspace/state", {}, 404),
        ("workspace/revoke_token", {}, 404),
        ("workspace/clock", {"seconds": 1}, 404),
        ("workspace/click", {"person": "rosa", "label": "Fly"}, 409),
        ("workspace/click", {"person": "rosa"}, 409),
        ("tenant/administrators", {"rights": []}, 404),
        ("tenant/consent", {"app_id": "none"}, 400),
        ("tenant/faults", {"what": 1}, 400),
        ("clock", {"seconds": -1}, 400),
        ("clock", {"seconds": True}, 400),
        ("clock", {"seconds": "NaN"}, 400),
        ("clock", {"seconds": 1e12}, 400),
        ("nothing", {}, 404),
    ],
)
async def test_what_the_page_may_not_do_is_refused_in_a_sentence(
    page: Page, path: str, body: object, status: int
) -> None:
    async with window(page.url, "rosa") as rosa:
        answer = await rosa.ask(path, body)
        assert answer.status == status
        assert list(answer.body) == ["error"]
        assert answer.error


async def test_a_stranger_has_no_window(page: Page) -> None:
    async with aiohttp.ClientSession() as session:
        it = Window(url=page.url, person="mallory", session=session)
        assert (await it.ask("events?as=mallory", method="GET")).status == 404


@pytest.mark.slow
async def test_a_reader_that_does_not_read_is_cut_off(stage: Stage) -> None:
    async with on_stage(stage, patience=0.1) as page:
        for _ in range(20):
            await page.stage.workspace.say("rosa", "x" * 1_000_000)
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            parts = urlsplit(page.url)
            reader.connect((parts.hostname, parts.port))
            asked = f"GET {parts.path}events?as=ben HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
            reader.sendall(asked.encode())
            async with asyncio.timeout(SECONDS):
                while not page.feed.cut:
                    await page.stage.workspace.next_change.wait()
