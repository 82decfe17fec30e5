"""Edge maps as PNG: the values that were written come back, and what is no grey PNG is refused."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from anymask.dataset.formats.edge_png import decode_edges, encode_edges
from anymask.errors import DatasetError


def png(values: npt.NDArray[np.generic] | Image.Image, form: str = "PNG") -> bytes:
    """The file of an array or picture."""
    file = io.BytesIO()
    (values if isinstance(values, Image.Image) else Image.fromarray(values)).save(file, form)
    return file.getvalue()


def test_an_edge_map_comes_back_in_256_steps() -> None:
    strength = np.random.default_rng(0).random((20, 30))
    found = decode_edges(encode_edges(strength), "a map")
    assert found.dtype == np.float64
    assert np.abs(found - strength).max() <= 0.5 / 255 + 1e-12
    assert np.array_equal(decode_edges(encode_edges(found), "a map"), found)


def test_what_lies_outside_is_cut() -> None:
    assert decode_edges(encode_edges(np.array([[-1.0, 0.5, 2.0]])), "a map").tolist() == [[0, 128 / 255, 1]]


def test_every_grey_form_is_read_in_its_own_range() -> None:
    grey = np.array([[0, 51, 255]], np.uint8)
    expected = [[0, 0.2, 1]]
    palette = Image.fromarray(grey).convert("P")
    wide = (grey.astype(np.uint16) * 257).astype(np.uint16)
    for data in (png(grey), png(wide), png(np.repeat(grey[..., None], 3, axis=2)), png(palette)):
        assert decode_edges(data, "a map") == pytest.approx(np.array(expected))
    assert decode_edges(png(np.array([[True, False]])), "a map").tolist() == [[1, 0]]


def test_a_coloured_a_lossy_and_a_damaged_file_are_refused_by_name() -> None:
    colour = np.zeros((4, 4, 3), np.uint8)
    colour[0, 0] = (255, 0, 0)
    whole = png(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    cases = {
        "coloured picture": png(colour),
        "expected PNG: lossy forms change edges": png(colour, "JPEG"),
        "cannot be read": whole[: len(whole) // 2],
    }
    for message, data in cases.items():
        with pytest.raises(DatasetError, match=f"maps/7.png .*{message}"):
            decode_edges(data, "maps/7.png")
