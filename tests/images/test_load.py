from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from anymask.errors import ImageError
from anymask.images import ImageLimits, load_image
from tests.images import pictures

_NAMES = {"progressive": "jpeg", "lossless": "webp"}


@pytest.mark.parametrize("name", pictures.FILES)
def test_file_gives_the_pixels_that_pillow_gives(name: str) -> None:
    loaded = load_image(pictures.FILES[name])
    expected = np.asarray(Image.open(io.BytesIO(pictures.FILES[name])).convert("RGB"))
    assert loaded.format == _NAMES.get(name, name)
    assert loaded.pixels.dtype == np.uint8
    assert loaded.pixels.flags.c_contiguous
    assert np.array_equal(loaded.pixels, expected)


def test_every_kind_of_source_gives_the_same_picture_and_the_same_hash(tmp_path: Path) -> None:
    path = tmp_path / "scene.png"
    path.write_bytes(pictures.FILES["png"])
    sources = [
        path,
        str(path),
        pictures.FILES["png"],
        Image.open(path),
        pictures.SCENE,
        torch.from_numpy(pictures.SCENE.transpose(2, 0, 1).copy()),
    ]
    loaded = [load_image(source) for source in sources]
    assert [image.format for image in loaded] == ["png", "png", "png", "pil", "numpy", "torch"]
    assert [image.path for image in loaded] == [path, path, None, None, None, None]
    assert all(np.array_equal(image.pixels, pictures.SCENE) for image in loaded)
    assert len({image.sha256 for image in loaded}) == 1


def test_hash_tells_pictures_apart_also_by_shape() -> None:
    grey = np.zeros((4, 9), np.uint8)
    assert load_image(grey).sha256 != load_image(grey.T).sha256
    assert load_image(grey).sha256 != load_image(grey + 1).sha256


def test_real_photograph_is_taken(photo_path: Path, photo: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(load_image(photo_path).pixels, photo)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(file_format: str, orientation: int) -> None:
    data = pictures.with_orientation(Image.fromarray(pictures.SCENE), file_format, orientation)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(load_image(data).pixels, np.asarray(expected))
    assert np.array_equal(load_image(Image.open(io.BytesIO(data))).pixels, np.asarray(expected))


def test_cmyk_jpeg_becomes_rgb() -> None:
    data = pictures.encode(Image.fromarray(pictures.SCENE).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(load_image(data).pixels.astype(int) - pictures.SCENE).mean() < 3


def test_grey_one_bit_and_palette_become_rgb() -> None:
    image = Image.fromarray(pictures.SCENE)
    for mode in ("L", "1", "P", "LA", "RGBA"):
        data = pictures.encode(image.convert(mode), "PNG")
        assert np.array_equal(load_image(data).pixels, np.asarray(image.convert(mode).convert("RGB"))), mode


def test_transparency_is_laid_on_white() -> None:
    rgba = np.dstack([pictures.SCENE, np.full(pictures.SCENE.shape[:2], 255, np.uint8)])
    rgba[:, :10, 3] = 0
    rgba[:, 10:20, 3] = 51
    for source in (pictures.encode(Image.fromarray(rgba), "PNG"), Image.fromarray(rgba), rgba):
        pixels = load_image(source).pixels
        assert (pixels[:, :10] == 255).all()
        mixed = 255 * 0.8 + pictures.SCENE[:, 10:20] * 0.2
        assert np.abs(pixels[:, 10:20] - mixed).max() <= 1
        assert np.array_equal(pixels[:, 20:], pictures.SCENE[:, 20:])


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])])
def test_transparent_palette_entry_is_white(transparency: int | bytes) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    data = pictures.encode(image, "PNG", transparency=transparency)
    assert load_image(data).pixels.tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_picture(file_format: str) -> None:
    frames = [Image.new("RGB", (20, 12), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = pictures.encode(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert (load_image(data).pixels == (255, 0, 0)).all()


@pytest.mark.parametrize("size_wh", [(1, 1), (5000, 1), (1, 5000)])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF"])
def test_extreme_shapes_are_taken(size_wh: tuple[int, int], file_format: str) -> None:
    data = pictures.encode(Image.new("RGB", size_wh, (9, 9, 9)), file_format)
    assert load_image(data).size_hw == size_wh[::-1]


def test_picture_above_pillows_own_limit_is_taken_without_a_warning() -> None:
    assert load_image(pictures.one_bit_png(9_500)).size_hw == (9_500, 9_500)


@pytest.mark.parametrize("name", pictures.FILES)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_cut_file_is_refused(name: str, share: float) -> None:
    data = pictures.FILES[name]
    with pytest.raises(ImageError, match=r"cut|damaged"):
        load_image(data[: max(16, int(len(data) * share))])


@pytest.mark.parametrize("name", pictures.FILES)
@pytest.mark.parametrize("missing", [1, 2, 5])
def test_file_without_its_last_bytes_is_refused(name: str, missing: int) -> None:
    with pytest.raises(ImageError, match="cut"):
        load_image(pictures.FILES[name][:-missing])


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(pictures.FILES)), data=st.data())
def test_damaged_file_is_a_picture_or_an_image_error_and_nothing_else(name: str, data: st.DataObject) -> None:
    damaged = bytearray(pictures.FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(damaged) - 1))
        damaged[position] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        assert load_image(bytes(damaged), ImageLimits(max_pixels=1_000_000)).pixels.ndim == 3


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros((4, 4, 3)), "float64, expected uint8"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"shape \(1, 4, 4, 3\)"),
        (torch.zeros(3, 4, 4), r"torch.float32, expected torch.uint8"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"shape \(4, 4, 3\), expected \(3, H, W\)"),
        (Image.new("F", (3, 3)), "floating point"),
        (Image.new("I", (3, 3), 70_000), "32-bit"),
        (Image.new("La", (3, 3)), "PIL mode 'La'"),
        (17, "given as int"),
        ("https://example.org/a.png", "is a URL"),
        ("does/not/exist.png", "cannot be read"),
        ("nul\0.png", "cannot be read"),
        (".", "this is a folder"),
    ],
)
def test_source_that_is_no_picture_is_refused_with_a_sentence(source: object, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        load_image(source)


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.png"
    os.mkfifo(path)
    with pytest.raises(ImageError, match="not a regular file"):
        load_image(path)


def test_lazily_opened_pil_image_that_was_cut_is_refused() -> None:
    with pytest.raises(ImageError, match="cannot be loaded"):
        load_image(Image.open(io.BytesIO(pictures.FILES["jpeg"][:-40])))
