"""The transcript in README is what the demo prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.slow
def test_the_transcript_in_readme_is_what_the_demo_prints() -> None:
    asked = [sys.executable, "-m", "bot", "demo", "--plain"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env=plain()).stdout
    found = re.search(r"<!-- transcript -->\n```text\n(.*?)```\n<!-- /transcript -->", README, re.S)
    assert found is not None
    assert same(found[1]) == same(told)


def same(transcript: str) -> list[str]:
    """Return the lines without what differs between two runs: ids, digests, times, progress."""
    text = re.sub(r"AAD-\w{4}", "AAD-7K3F", transcript)
    text = re.sub(r"plan [0-9a-f]{16}", "plan …", text)
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?", "DATE", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "GUID", text)
    text = re.sub(r"^( +)\w{3}8Q~\S+$", r"\1SECRET", text, flags=re.M)
    text = re.sub(r"steps done (in|after) \d+ (s|min|h)$", "steps done", text, flags=re.M)
    before, _, after = text.partition("the card keeps up")
    return (before + after.partition("▶ What the finished card")[2]).split()


def plain() -> dict[str, str]:
    return {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}
