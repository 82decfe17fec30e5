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

    Without `columns` the sheet is about square. A title too long for its tile ends in three dots.

    Raises: InputError for no tiles, or titles that are neither none nor one each; ImageError for a bad tile.
    """
    if not tiles:
        raise InputError("a contact sheet of no pictures was asked for; give at least one tile")
    if titles and len(titles) != len(tiles):
        raise InputError(f"{len(titles)} titles for {len(tiles)} tiles; give one a tile, or none")
    across = min(len(tiles), columns or math.ceil(math.sqrt(len(tiles))))
    down = math.ceil(len(tiles) / across)
    cell_w, cell_h = tile_px + _GAP_PX, tile_px + _GAP_PX + (_TITLE_PX if titles else 0)
    sheet = Image.new("RGB", (across * cell_w + _GAP_PX, down * cell_h + _GAP_PX), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_FONT_PX)
    for index, tile in enumerate(tiles):
        left, top = _GAP_PX + index % across * cell_w, _GAP_PX + index // across * cell_h
        small = _fitted(tile, tile_px)
        sheet.paste(small, (left + (tile_px - small.width) // 2, top + (tile_px - small.height) // 2))
        if titles:
            title = _shortened(titles[index], font, tile_px)
            draw.text((left + tile_px / 2, top + tile_px + 3), title, _INK, font, anchor="ma")
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
