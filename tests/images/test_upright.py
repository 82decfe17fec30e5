import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anymask.images.load import LoadedImage, load_image
from anymask.images.upright import encode_lossless, encode_thumbnail, to_upright_file

PIXELS = np.random.default_rng(0).integers(0, 255, (30, 50, 3), np.uint8)


def encode(form: str, mode: str = "RGB", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_pixels_are_those_of_the_gate_and_the_metadata_are_gone(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "a camera"
    data = encode("JPEG", exif=exif, comment=b"a camera")
    loaded = load_image(data)
    upright = to_upright_file(data, loaded)
    assert b"a camera" in data
    assert b"a camera" not in upright.data
    assert load_image(upright.data).sha256 == loaded.sha256
    assert upright.media_type == ("image/jpeg" if orientation == 1 else "image/webp")


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (encode("JPEG", "L"), "image/jpeg"),
        (encode("JPEG", "CMYK"), "image/webp"),
        (encode("PNG", "P"), "image/webp"),
        (encode("GIF", "P"), "image/webp"),
        (encode("WEBP"), "image/webp"),
    ],
)
def test_what_browsers_may_show_otherwise_is_written_anew_without_loss(data: bytes, media_type: str) -> None:
    upright = to_upright_file(data, load_image(data))
    assert upright.media_type == media_type
    assert load_image(upright.data).sha256 == load_image(data).sha256


def test_a_picture_too_long_for_webp_is_a_png() -> None:
    long = LoadedImage(pixels=np.zeros((1, 17_000, 3), np.uint8), format="numpy")
    upright = encode_lossless(long)
    assert upright.media_type == "image/png"
    assert load_image(upright.data).sha256 == long.sha256


def test_a_thumbnail_fits_its_side() -> None:
    big = LoadedImage(pixels=np.zeros((300, 900, 3), np.uint8), format="numpy")
    assert load_image(encode_thumbnail(big)).size_hw == (85, 256)
