"""slack_sdk's own clients, blocking and not, tour the simulated workspace as it stands alone."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import ActionsBlock, ButtonElement, SectionBlock
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from tests.support.simulator_process import SimulatorProcess, simulator_process

pytestmark = pytest.mark.slow


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[SimulatorProcess]:
    async with simulator_process("workspace", "--json", folder=tmp_path) as workspace:
        yield workspace


@pytest.fixture
def client(workspace: SimulatorProcess) -> WebClient:
    return WebClient(token=workspace.facts["bot_token"], base_url=workspace.facts["api_url"])


def test_a_tour_of_the_methods(workspace: SimulatorProcess, client: WebClient) -> None:
    facts = workspace.facts
    people, general = facts["people"], facts["channels"]["general"]
    who = client.auth_test()
    assert who["bot_id"]
    assert "chat:write" in who.headers["X-OAuth-Scopes"]
    assert client.users_info(user=people["rosa"])["user"]["id"] == people["rosa"]
    assert client.conversations_info(channel=facts["channels"]["approvals"])["channel"][
        "is_private"
    ]
    direct = client.conversations_open(users=people["rosa"])["channel"]["id"]
    blocks = [
        SectionBlock(text="*Hello*"),
        ActionsBlock(elements=[ButtonElement(text="Go", action_id="go")]),
    ]
    for channel in (general, direct):
        posted = client.chat_postMessage(channel=channel, text="Hello", blocks=blocks)
        assert posted["message"]["blocks"][1]["elements"][0]["action_id"] == "go"
        changed = client.chat_update(channel=channel, ts=posted["ts"], text="Changed", blocks=[])
        assert changed["ts"] == posted["ts"]
    assert client.chat_postEphemeral(channel=general, user=people["ada"], text="You")["message_ts"]


def test_refusals_are_errors_that_the_sdk_understands(
    workspace: SimulatorProcess, client: WebClient
) -> None:
    with pytest.raises(SlackApiError) as refused:
        client.chat_postMessage(channel="C0000000000", text="Nobody")
    assert refused.value.response["error"] == "channel_not_found"
    wrong = WebClient(token="xoxb-wrong", base_url=workspace.facts["api_url"])
    with pytest.raises(SlackApiError, match="invalid_auth"):
        wrong.auth_test()


def test_the_blocking_socket_mode_client_is_called_and_answers(
    workspace: SimulatorProcess, client: WebClient
) -> None:
    heard: list[str] = []

    def answer(socket: SocketModeClient, request: SocketModeRequest) -> None:
        heard.append(request.type)
        payload = {"text": "Heard"} if request.accepts_response_payload else None
        socket.send_socket_mode_response(
            SocketModeResponse(envelope_id=request.envelope_id, payload=payload)
        )

    socket = SocketModeClient(app_token=workspace.facts["app_token"], web_client=client)
    # Their type hint names another base class than the one they call it with.
    socket.socket_mode_request_listeners.append(answer)  # type: ignore[arg-type]
    try:
        socket.connect()
        asked = {"person": "rosa", "text": "hello"}
        said = httpx.post(f"{workspace.facts['url']}/sim/command", json=asked, timeout=20)
        assert said.json()["ok"], said.text
        assert "Heard" in said.text
    finally:
        socket.close()
    assert heard == ["slash_commands"]
