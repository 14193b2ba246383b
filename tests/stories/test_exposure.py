"""What the settings leave open to others: said by the doctor and at the start."""

from pathlib import Path

import pytest

from bot.doctor import examine
from bot.doctor.findings import Mark
from bot.exposure_checks import exposures
from bot.playground.stage import Stage
from bot.settings.settings import Settings
from tests.support.http_endpoint import HttpEndpoint
from tests.support.http_modes import environ
from tests.support.serve_process import served
from tests.support.settings_env import GOOD


def found(url: str, folder: Path, **environment: str) -> list[str]:
    return list(exposures(Settings.read(GOOD | {"DATABASE_URL": url}), environment, folder))


def test_files_that_others_can_read_are_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'here.db'}"
    names = (".env", "here.db", "here.db-wal", "here-engine.db", "here.db.lock")
    for name in names:
        (tmp_path / name).touch(mode=0o600)
    assert found(url, tmp_path) == []
    for name in names:
        (tmp_path / name).chmod(0o640)
    said = found(url, tmp_path)
    assert [each.split()[0] for each in said] == [
        ".env",
        "here-engine.db",
        "here.db",
        "here.db-wal",
    ]
    assert all("chmod 600" in each for each in said)


@pytest.mark.parametrize(
    ("url", "environment", "is_open"),
    [
        ("postgresql://u@db.example.com/a", {}, True),
        ("postgres://u@db.example.com/a?sslmode=prefer", {}, True),
        ("postgresql://u@db.example.com/a?sslmode=require", {}, False),
        ("postgresql://u@db.example.com/a", {"PGSSLMODE": "verify-full"}, False),
        ("postgresql://u@localhost/a", {}, False),
        ("postgresql://u@/a?host=/run/postgresql", {}, False),
        ("postgresql://u@/a?host=db.example.com", {}, True),
        ("postgresql:///a", {"PGHOST": "db.example.com"}, True),
        ("postgresql:///a", {}, False),
    ],
)
def test_a_remote_postgresql_without_tls_is_named(
    tmp_path: Path, url: str, environment: dict[str, str], is_open: bool
) -> None:
    said = found(url, tmp_path, **environment)
    assert ["sslmode" in each for each in said] == [True] * is_open


@pytest.mark.slow
async def test_doctor_and_start_say_it(stage: Stage) -> None:
    door = HttpEndpoint()
    settings = stage.environ(**environ("socket mode", door, stage))
    (stage.folder / "aad-setup.db").touch(mode=0o644)
    doubts = [it async for it in examine(settings, stage.clock) if it.mark is Mark.DOUBT]
    assert [it for it in doubts if it.sentence.startswith("Exposure: aad-setup.db can be read")]
    async with served(settings, door, folder=stage.folder) as bot:
        bot.terminate()
        assert await bot.ended() == 0
    assert "aad-setup.db can be read by others" in (stage.folder / "serve.log").read_text("utf-8")
