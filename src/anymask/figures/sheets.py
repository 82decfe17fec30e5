"""Many pictures as one: a contact sheet with a title under each tile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from anymask.errors import InputError
from anymask.figures.pictures import Pixels, check_pixels

_PAPER, _INK = (250, 250, 249), (28, 25, 23)
_GAP_PX, _TITLE_PX, _FONT_PX = 8, 20, 13


def contact_sheet(
    tiles: Sequence[Pixels], titles: Sequence[str] = (), *, columns: int | None = None, tile_px: int = 256
) -> Pixels:
    """(H, W, 3) uint8: the tiles in rows, in order, each shrunk or enlarged to fit a `tile_px` square, titles below.

    Without `columns` there are about as many columns as rows. A row is as high as its highest tile. A title too long
    for its tile ends in three dots.

    Raises: InputError for no tiles, or titles that are neither none nor one each; ImageError for a bad tile.
    """
    if not tiles:
        raise InputError("a contact sheet of no pictures was asked for; give at least one tile")
    if titles and len(titles) != len(tiles):
        raise InputError(f"{len(titles)} titles for {len(tiles)} tiles; give one a tile, or none")
    across = min(len(tiles), columns or math.ceil(math.sqrt(len(tiles))))
    fitted = [_fitted(tile, tile_px) for tile in tiles]
    rows = [fitted[i : i + across] for i in range(0, len(fitted), across)]
    heights = [max(tile.height for tile in row) for row in rows]
    step = _GAP_PX + (_TITLE_PX if titles else 0)
    sheet = Image.new(
        "RGB", (across * (tile_px + _GAP_PX) + _GAP_PX, sum(heights) + step * len(rows) + _GAP_PX), _PAPER
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    top = _GAP_PX
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        for column, tile in enumerate(row):
            left = _GAP_PX + column * (tile_px + _GAP_PX)
            sheet.paste(tile, (left + (tile_px - tile.width) // 2, top + (height - tile.height) // 2))
            if titles:
                title = _shortened(titles[number * across + column], font, tile_px)
                draw.text((left + tile_px / 2, top + height + 3), title, _INK, font, anchor="ma")
        top += height + step
    return np.asarray(sheet)


def _fitted(tile: Pixels, tile_px: int) -> Image.Image:
    check_pixels(tile)
    scale = tile_px / max(tile.shape[:2])
    size_wh = (max(1, round(tile.shape[1] * scale)), max(1, round(tile.shape[0] * scale)))
    # Small tiles are enlarged without blur: what is looked at there are pixels.
    method = Image.Resampling.LANCZOS if scale < 2 else Image.Resampling.NEAREST
    return Image.fromarray(tile).resize(size_wh, method)


def _shortened(title: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width_px: int) -> str:
    title = " ".join(title.split())
    if font.getlength(title) <= width_px:
        return title
    while title and font.getlength(title + "...") > width_px:
        title = title[:-1]
    return title + "..."
