import io

import numpy as np
import pytest
from PIL import Image

from anymask.errors import ImageError
from anymask.figures.pictures import encode

NOISE = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)


def test_png_keeps_every_pixel() -> None:
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode(NOISE, "png")))), NOISE)


def test_jpeg_is_a_jpeg_without_metadata() -> None:
    picture = Image.open(io.BytesIO(encode(NOISE, "jpeg")))
    assert (picture.format, picture.size) == ("JPEG", (30, 20))
    assert not picture.getexif()


@pytest.mark.parametrize("bad", [NOISE[..., :1], NOISE / 255, NOISE[0]])
def test_anything_but_rgb_bytes_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ImageError, match="expected"):
        encode(bad)
