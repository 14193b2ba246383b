"""The pictures in the documents show the page as it is: else `python -m tests.pictures` makes them.

Text and structure are always compared, pixels only where browser and fonts are those of before.
"""

import json
from pathlib import Path
from typing import Any

from tests.pictures.files import MADE_WITH, image, made_with, path_of, structure_of
from tests.pictures.story import Picture, pictures

NOTICEABLE = 24
"""Of 255, in any colour: less is how edges are drawn."""
MOST_NOTICEABLE = 0.001
"""Of all pixels."""


async def test_the_pictures_are_those_of_the_page(browser: Any, tmp_path: Path) -> None:
    taken, _ = await pictures(browser, tmp_path)
    for picture in taken:
        kept = structure_of(picture.name).read_text("utf-8")
        assert kept == picture.structure + "\n", f"Make them again: {picture.name}"
    if json.loads(MADE_WITH.read_text("utf-8")) == made_with(browser):
        different = [name for picture in taken for name in look_different(picture)]
        assert not different, f"Make them again: {different}"


def look_different(picture: Picture) -> list[str]:
    """Return the files whose pixels are no longer those of the page."""
    from PIL import Image, ImageChops

    different = []
    for scheme, pixels in picture.pixels.items():
        path = path_of(picture.name, scheme)
        before, now = Image.open(path).convert("RGB"), image(pixels).convert("RGB")
        if before.size != now.size or _share(ImageChops.difference(before, now)) > MOST_NOTICEABLE:
            different.append(path.name)
    return different


def _share(difference: Any) -> float:
    """Return the share of pixels that differ noticeably."""
    counts = difference.convert("L").histogram()
    return float(sum(counts[NOTICEABLE:]) / sum(counts))
