from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from anymask.dataset.formats.ade20k import from_ade20k
from anymask.errors import MaskError
from anymask.masks import rle


def as_png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_class_and_instance_are_told_from_the_colour() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, :2] = (19, 3, 9)  # red of 10 to 19 is the same class
    pixels[0, 2:4] = (10, 3, 9)
    pixels[1] = (10, 3, 10)
    pixels[2] = (0, 0, 77)  # no class, whatever the blue
    masks = from_ade20k(as_png(pixels))
    assert masks.area_px.tolist() == [4, 6]
    assert rle.decode(masks.rles[0])[0, :4].all()


@pytest.mark.parametrize("data", [b"", b"\x89PNG", as_png(np.zeros((4, 4), np.uint8))])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(MaskError):
        from_ade20k(data)
