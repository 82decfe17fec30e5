from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from anymask.errors import ImageError
from anymask.images import load_image
from anymask.images.limits import ImageLimits
from anymask.images.sniff import open_container
from tests.images import pictures

_GIF = pictures.FILES["gif"]
_ANIMATED = pictures.encode(
    Image.new("RGB", (20, 12), "red"), "GIF", save_all=True, append_images=[Image.new("RGB", (20, 12), "blue")]
)
_FRAME = _ANIMATED.index(b"\x2c\0\0\0\0")


def test_only_the_first_picture_reaches_the_decoder() -> None:
    data = open_container(_ANIMATED, ImageLimits()).data
    assert len(data) < len(_ANIMATED)
    assert data.endswith(b"\0;")
    assert (load_image(_ANIMATED).pixels == (255, 0, 0)).all()


def test_transparent_colour_is_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    data = pictures.encode(image, "GIF", transparency=0)
    assert load_image(data).pixels.tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_animation_cut_after_its_first_picture_is_refused() -> None:
    first = open_container(_ANIMATED, ImageLimits()).data
    with pytest.raises(ImageError, match="cut"):
        load_image(_ANIMATED[: len(first) + 4])


@pytest.mark.parametrize("field", [1, 3, 5, 7])
def test_frame_that_does_not_fit_is_refused(field: int) -> None:
    damaged = bytearray(_ANIMATED)
    damaged[_FRAME + field] = 200
    with pytest.raises(ImageError, match="does not fit its 20 x 12 pixels"):
        load_image(bytes(damaged))


def test_unknown_block_is_refused() -> None:
    damaged = bytearray(_ANIMATED)
    damaged[_FRAME] = 0x77
    with pytest.raises(ImageError, match="unknown block 0x77"):
        load_image(bytes(damaged))


@pytest.mark.parametrize("length", range(6, len(_ANIMATED), 7))
def test_gif_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ImageError):
        load_image(_ANIMATED[:length])


def test_gif_of_few_colours_keeps_its_pixels() -> None:
    image = Image.fromarray(pictures.SCENE).quantize(8)
    assert np.array_equal(load_image(pictures.encode(image, "GIF")).pixels, np.asarray(image.convert("RGB")))
