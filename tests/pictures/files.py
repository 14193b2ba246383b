"""The pictures as files: one of each scheme of colours, what they say, and the story's film."""

import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

from tests.pictures.story import Picture

FOLDER = Path(__file__).parent
MADE_WITH = FOLDER / "made_with.json"
FILM = FOLDER / "story.gif"
LARGEST_FILM = 2_000_000
FILM_WIDTH = 960
FILM_COLOURS = 128
FRAME_MS = 2600
FONTS_SECONDS = 60.0
COLOURS = 256
"""Enough for text on flat panels, at a third of the size."""


def image(pixels: bytes) -> Any:
    """Return a picture in few colours, which is how it is kept."""
    from PIL import Image

    opened = Image.open(io.BytesIO(pixels)).convert("RGB")
    return opened.quantize(COLOURS, dither=Image.Dither.NONE)


def path_of(name: str, scheme: str) -> Path:
    return FOLDER / f"{name}-{scheme}.png"


def structure_of(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def save(taken: list[Picture], frames: list[bytes], made_with: dict[str, str]) -> None:
    for picture in taken:
        for scheme, pixels in picture.pixels.items():
            image(pixels).save(path_of(picture.name, scheme), optimize=True)
        structure_of(picture.name).write_text(picture.structure + "\n", "utf-8")
    save_film(frames)
    MADE_WITH.write_text(json.dumps(made_with, indent=2) + "\n", "utf-8")


def save_film(frames: list[bytes]) -> None:
    from PIL import Image

    opened = [Image.open(io.BytesIO(each)).convert("RGB") for each in frames]
    height = round(opened[0].height * FILM_WIDTH / opened[0].width)
    small = [each.resize((FILM_WIDTH, height), Image.Resampling.LANCZOS) for each in opened]
    palette = _all_of(small).quantize(FILM_COLOURS)
    drawn = [each.quantize(palette=palette, dither=Image.Dither.NONE) for each in small]
    durations = [FRAME_MS] * len(drawn)
    drawn[0].save(FILM, save_all=True, append_images=drawn[1:], duration=durations, loop=0)
    assert FILM.stat().st_size < LARGEST_FILM, FILM.stat().st_size


def _all_of(frames: list[Any]) -> Any:
    """Return all frames below each other: their colours are those of the film."""
    from PIL import Image

    width, height = frames[0].size
    joined = Image.new("RGB", (width, height * len(frames)))
    for index, each in enumerate(frames):
        joined.paste(each, (0, index * height))
    return joined


def made_with(browser: Any) -> dict[str, str]:
    """Return what pixels depend on: the browser's version and the fonts of this machine."""
    listed = subprocess.run(
        ["fc-list", "--format", "%{postscriptname} %{fontversion}\n"],
        capture_output=True,
        check=True,
        timeout=FONTS_SECONDS,
    )
    fonts = sorted(set(listed.stdout.splitlines()))
    return {
        "browser": browser.version,
        "fonts": hashlib.sha256(b"\n".join(fonts)).hexdigest(),
    }
