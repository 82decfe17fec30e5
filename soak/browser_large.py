"""A picture of 6000 x 4000 pixels in a real browser: opened, clicked, brushed at one to one, saved and written out.

What the brush covers is computed here anew, from where the mouse was and what a round brush is, and compared with what
the server has and with what the export holds, pixel by pixel.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from anymask.masks import rle
from soak.browser_faults import FRAMES, at_work
from tests.cli.servers import Client
from tests.integration.chromium import Tool

SIZE_HW = (4000, 6000)
BRUSH_PX = 15
"""As the tool begins."""
WAY = ((0.3, 0.3), (0.5, 0.35), (0.45, 0.6), (0.7, 0.7))
"""Of the brush, in shares of the canvas."""
_JPEG_DIFFERENCE = 3.0
"""Between two decoders of one JPEG, in the mean over a part of the picture."""
_DRAWN_S = 10.0
"""Within which the canvas shows what it is to show."""

SHOWN_PART = """([x, y, side]) => {
  const canvas = document.querySelector("canvas.canvas");
  const data = canvas.getContext("2d").getImageData(x, y, side, side).data;
  return Array.from(data);
}"""


def write_large_picture(source: Path, target: Path) -> None:
    """`source` enlarged to 6000 x 4000, with grain, so that every pixel is of its own."""
    with Image.open(source) as opened:
        large = opened.convert("RGB").resize(SIZE_HW[::-1], Image.Resampling.BICUBIC)
    pixels = np.asarray(large).astype(np.int16)
    pixels += np.random.default_rng(0).integers(-12, 13, SIZE_HW, np.int16)[..., None]
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(target, "JPEG", quality=90)


def work_on_a_large_picture(
    url: str, me: Client, image: dict[str, Any], picture: Path, folder: Path, *, frames: int
) -> dict[str, float]:
    """What was brushed is what is exported; times in milliseconds."""
    assert (image["height"], image["width"]) == SIZE_HW
    with at_work(url, image, folder / "profile") as (tool, _):
        tool.wait_for_model()
        times: dict[str, float] = {"open_ms": tool.page.evaluate("() => performance.now()")}
        times |= _move(tool, frames, "fit")
        tool.click(0.5, 0.5)
        expect(tool.page.locator(".candidate")).to_have_count(3)
        tool.press("Enter")
        tool.expect_masks(1)
        tool.press("0", "9")
        _check_pixels(tool, picture)
        tool.press("Escape", "b")
        brushed = _brush(tool)
        tool.expect_masks(2)
        begun = time.monotonic()
        tool.wait_saved()
        times["save_ms"] = 1000 * (time.monotonic() - begun)
        stored = me.data("GET", f"/images/{image['id']}/masks")["masks"]
        assert np.array_equal(_decode(stored[1]["rle"]), brushed), "the brush covered other pixels"
        times |= _move(tool, frames, "one_to_one")
        tool.press("Control+z")
        tool.expect_masks(1)
        tool.press("Control+y")
        tool.expect_masks(2)
        tool.wait_saved()
        _check_export(tool, folder, picture, [_decode(mask["rle"]) for mask in stored])
        assert tool.faults == [], tool.faults
    return {name: round(value, 1) for name, value in times.items()}


def _move(tool: Tool, frames: int, name: str) -> dict[str, float]:
    moving = tool.page.evaluate(FRAMES, frames)
    tool.press("0") if name == "fit" else tool.press("0", "9")
    return {
        f"{name}_{what}_p95_ms": float(np.percentile(moving[key], 95))
        for what, key in (("frame", "drawn"), ("between_frames", "between"))
    }


def _middle(tool: Tool) -> tuple[float, float, float, float]:
    """Left and top of the canvas, and where on it the middle of the picture lies at one to one."""
    box = tool.page.locator("canvas.canvas").bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"] / 2, box["height"] / 2


def _brush(tool: Tool) -> np.ndarray:
    """A stroke, and the (4000, 6000) bool that it must cover: pixels whose middle is within half the brush of it."""
    left, top, middle_x, middle_y = _middle(tool)
    points = []
    for index, (x, y) in enumerate(WAY):
        at = (round(left + 2 * x * middle_x), round(top + 2 * y * middle_y))
        tool.page.mouse.move(*at)
        if index == 0:
            tool.page.mouse.down()
        height, width = SIZE_HW
        # An odd brush sits on the middle of a pixel.
        points.append(
            (
                np.floor(at[0] - left - middle_x + width / 2) + 0.5,
                np.floor(at[1] - top - middle_y + height / 2) + 0.5,
            )
        )
    tool.page.mouse.up()
    return _covered(points)


def _covered(points: list[tuple[float, float]]) -> np.ndarray:
    mask = np.zeros(SIZE_HW, bool)
    for (x0, y0), (x1, y1) in pairwise(points):
        reach = BRUSH_PX
        rows = slice(int(min(y0, y1)) - reach, int(max(y0, y1)) + reach + 1)
        columns = slice(int(min(x0, x1)) - reach, int(max(x0, x1)) + reach + 1)
        y, x = np.mgrid[rows, columns] + 0.5
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
        along = np.clip(along, 0, 1)
        far = (x - x0 - along * (x1 - x0)) ** 2 + (y - y0 - along * (y1 - y0)) ** 2
        mask[rows, columns] |= far <= (BRUSH_PX / 2) ** 2 + 1e-9
    return mask


def _check_pixels(tool: Tool, picture: Path) -> None:
    """At one to one, the canvas shows the file's own pixels, not a smaller copy's."""
    side = 64
    tool.press("h")
    _, _, middle_x, middle_y = _middle(tool)
    # The middle of the picture lies between pixels where the canvas has an odd number of them: look beside it.
    x, y = int(middle_x) - 200, int(middle_y) - 150
    with Image.open(picture) as opened:
        height, width = SIZE_HW
        left, top = int(np.floor(x - middle_x + width / 2)), int(np.floor(y - middle_y + height / 2))
        own = np.asarray(opened.convert("RGB").crop((left, top, left + side, top + side)))
    until, difference = time.monotonic() + _DRAWN_S, np.inf
    while difference >= _JPEG_DIFFERENCE and time.monotonic() < until:
        tool.page.wait_for_timeout(50)  # a look while the next frames are drawn
        shown = np.array(tool.page.evaluate(SHOWN_PART, [x, y, side]), np.uint8).reshape(side, side, 4)[..., :3]
        difference = np.abs(shown.astype(int) - own).mean()
    assert difference < _JPEG_DIFFERENCE, f"the canvas shows other pixels: {difference:.1f} away in the mean"
    tool.press("h")


def _check_export(tool: Tool, folder: Path, picture: Path, masks: list[np.ndarray]) -> None:
    tool.page.get_by_role("button", name="Done, next").click()
    expect(tool.page.get_by_role("heading", name="Nothing left to annotate")).to_be_visible()
    tool.open(f"/projects/{tool.page.url.split('/projects/')[1].split('/')[0]}")
    tool.page.get_by_role("button", name="Export").click()
    with tool.page.expect_download() as waiting:
        tool.page.get_by_role("link", name="Download").click()
    waiting.value.save_as(folder / "export.tar")
    with tarfile.open(folder / "export.tar") as tar:
        (listing,) = [name for name in tar.getnames() if name.endswith(".json")]
        (file,) = [name for name in tar.getnames() if name.endswith(".jpg")]
        described, data = tar.extractfile(listing), tar.extractfile(file)
        assert described is not None
        assert data is not None
        found = json.load(described)["annotations"]
        with Image.open(io.BytesIO(data.read())) as exported, Image.open(picture) as own:
            assert exported.size == SIZE_HW[::-1]
            assert np.array_equal(np.asarray(exported), np.asarray(own))
    assert len(found) == len(masks)
    for one, mask in zip(found, masks, strict=True):
        assert np.array_equal(_decode(one["segmentation"]), mask), "the export holds other pixels"


def _decode(value: dict[str, Any]) -> np.ndarray:
    mask = rle.decode(rle.from_json(value))
    assert mask.shape == SIZE_HW
    return mask
