from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anymask.dataset.pictures import as_jpeg, encode_jpeg, shrink
from anymask.errors import ConfigError, ImageError
from anymask.images.load import load_image
from anymask.masks import rle
from tests.dataset.drawn_pictures import drawn_picture, jpeg

GPS, ORIENTATION = 0x8825, 0x0112


def with_exif(orientation: int) -> bytes:
    picture = Image.open(io.BytesIO(jpeg((20, 30))))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(GPS)[1] = "N"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, quality=95, comment=b"made by somebody")
    return buffer.getvalue()


def test_an_upright_jpeg_loses_its_metadata_and_no_pixel() -> None:
    data = with_exif(1)
    clean = as_jpeg(data)
    assert Image.open(io.BytesIO(data)).getexif()
    assert not Image.open(io.BytesIO(clean)).getexif()
    assert b"Exif" not in clean
    assert b"somebody" not in clean
    np.testing.assert_array_equal(load_image(clean).pixels, load_image(data).pixels)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_jpeg_is_written_upright(orientation: int) -> None:
    data = with_exif(orientation)
    clean = load_image(as_jpeg(data)).pixels
    expected = load_image(data).pixels
    assert clean.shape == expected.shape
    assert np.abs(clean.astype(int) - expected).mean() < 3
    assert not Image.open(io.BytesIO(as_jpeg(data))).getexif()


@pytest.mark.parametrize(
    ("mode", "form"), [("RGBA", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("RGB", "WEBP")]
)
def test_every_form_becomes_a_jpeg_of_three_colours(mode: str, form: str) -> None:
    picture = Image.open(io.BytesIO(jpeg((20, 30)))).convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, form)
    clean = Image.open(io.BytesIO(as_jpeg(buffer.getvalue())))
    assert (clean.format, clean.mode, clean.size) == ("JPEG", "RGB", (30, 20))


def test_half_a_picture_is_refused() -> None:
    with pytest.raises(ImageError):
        as_jpeg(jpeg((20, 30))[:-40])


def test_encoding_hardly_changes_a_picture() -> None:
    pixels = load_image(jpeg((64, 80))).pixels
    assert np.abs(load_image(encode_jpeg(pixels)).pixels.astype(int) - pixels).max() < 40


@given(st.integers(1, 19), st.integers(0, 50))
def test_masks_shrink_with_the_picture(side: int, seed: int) -> None:
    picture = drawn_picture(seed, masks=5)
    pixels = load_image(picture.image_bytes()).pixels
    small, masks, kept = shrink(pixels, picture.masks, side)
    assert min(small.shape[:2]) == side
    assert masks.size_hw == small.shape[:2]
    assert (masks.area_px > 0).all()
    np.testing.assert_array_equal(masks.predicted_iou, picture.masks.predicted_iou[kept])
    for place, index in enumerate(kept):
        whole = rle.decode(picture.masks.rles[index])
        if whole.all():
            assert rle.decode(masks.rles[place]).all()


def test_a_small_picture_stays_as_it_is() -> None:
    picture = drawn_picture(0)
    pixels = load_image(picture.image_bytes()).pixels
    same, masks, kept = shrink(pixels, picture.masks, 20)
    assert same is pixels
    assert masks is picture.masks
    assert kept.tolist() == [0, 1, 2, 3]
    with pytest.raises(ConfigError, match="shortest side"):
        shrink(pixels, picture.masks, 0)


def test_points_and_boxes_keep_their_place_in_the_picture() -> None:
    picture = drawn_picture(2, size_hw=(40, 60))
    small, masks, kept = shrink(load_image(picture.image_bytes()).pixels, picture.masks, 20)
    assert small.shape[:2] == (20, 30)
    np.testing.assert_allclose(masks.points_xy, picture.masks.points_xy[kept] / 2, rtol=1e-5)
    np.testing.assert_allclose(masks.crop_boxes_xyxy, picture.masks.crop_boxes_xyxy[kept] / 2)
