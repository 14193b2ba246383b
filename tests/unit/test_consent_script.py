"""What the calls that set up the limited mode say about the cloud."""

import pytest

from bot.domain.catalogue import permissions_of, read_catalogue
from bot.planning.consent_script import ConsentScript, az_lines
from graph.clouds import CLOUDS


@pytest.mark.parametrize(
    ("cloud", "name", "is_told"),
    [
        *(("public", "", False), ("usgov", "AzureUSGovernment", False)),
        *(("usgov-dod", "AzureUSGovernment", True), ("china", "AzureChinaCloud", False)),
    ],
)
def test_az_is_put_into_the_cloud_and_told_a_graph_that_it_does_not_know(
    cloud: str, name: str, is_told: bool
) -> None:
    script = ConsentScript(
        permissions=permissions_of(read_catalogue()),
        tenant_id="11111111-2222-3333-4444-555555555555",
        client_id="66666666-7777-8888-9999-000000000000",
        graph_url=CLOUDS[cloud].graph,
        cloud=cloud,
    )
    lines = list(az_lines(script))
    assert [line for line in lines if "az cloud set" in line] == (
        [f"# az cloud set --name {name}"] if name else []
    )
    calls = "\n".join(lines).count("az rest --method")
    assert calls > 5
    resource = f"--resource {CLOUDS[cloud].graph}"
    assert "\n".join(lines).count(resource) == (calls if is_told else 0)
