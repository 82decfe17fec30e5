from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymask.errors import ConfigError
from anymask.prompts.grid import crop_boxes, grids_for_layers, point_grid
from tests.public_sam import import_public_sam


@pytest.fixture(scope="module")
def public() -> ModuleType:
    import_public_sam()
    from segment_anything.utils import amg

    return amg


@pytest.mark.parametrize("n_per_side", [1, 2, 3, 8, 16, 32, 33, 64])
def test_points_are_those_of_the_public_grid_to_the_bit(public: ModuleType, n_per_side: int) -> None:
    assert np.array_equal(point_grid(n_per_side), public.build_point_grid(n_per_side))


@pytest.mark.parametrize(("n_per_side", "n_layers", "downscale"), [(32, 0, 1), (32, 2, 2), (33, 3, 2), (10, 1, 3)])
def test_layers_have_the_public_grids(public: ModuleType, n_per_side: int, n_layers: int, downscale: int) -> None:
    ours = grids_for_layers(n_per_side, n_layers, downscale)
    theirs = public.build_all_layer_point_grids(n_per_side, n_layers, downscale)
    assert len(ours) == len(theirs) == n_layers + 1
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@given(
    height=st.integers(64, 5000),
    width=st.integers(64, 5000),
    n_layers=st.integers(0, 3),
    overlap_ratio=st.floats(0, 0.9),
)
def test_crops_are_those_of_the_public_code(
    public: ModuleType, height: int, width: int, n_layers: int, overlap_ratio: float
) -> None:
    boxes, layers = crop_boxes((height, width), n_layers, overlap_ratio)
    their_boxes, their_layers = public.generate_crop_boxes((height, width), n_layers, overlap_ratio)
    theirs = [
        (tuple(box), layer)
        for box, layer in zip(their_boxes, their_layers, strict=True)
        if box[0] < box[2] and box[1] < box[3]
    ]
    assert list(zip(boxes, layers, strict=True)) == theirs


@given(height=st.integers(1, 300), width=st.integers(1, 300), n_layers=st.integers(0, 3))
def test_crops_of_every_layer_cover_the_picture_and_stay_inside(height: int, width: int, n_layers: int) -> None:
    boxes, layers = crop_boxes((height, width), n_layers, 512 / 1500)
    for layer in range(n_layers + 1):
        covered = np.zeros((height, width), bool)
        for (x0, y0, x1, y1), of_layer in zip(boxes, layers, strict=True):
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            if of_layer == layer:
                covered[y0:y1, x0:x1] = True
        assert covered.all()


def test_paper_preset_has_twenty_zoomed_crops() -> None:
    _, layers = crop_boxes((1500, 2250), 2, 512 / 1500)
    assert [layers.count(layer) for layer in range(3)] == [1, 4, 16]
    assert [len(grid) for grid in grids_for_layers(32, 2, 2)] == [32**2, 16**2, 8**2]


@pytest.mark.parametrize("n_per_side", [0, -3])
def test_grid_without_points_is_refused(n_per_side: int) -> None:
    with pytest.raises(ConfigError, match=f"points per side is {n_per_side}"):
        point_grid(n_per_side)


def test_layers_without_points_are_refused() -> None:
    with pytest.raises(ConfigError, match="leave a layer without points"):
        grids_for_layers(4, 3, 2)
    with pytest.raises(ConfigError, match="downscale per layer is 0"):
        grids_for_layers(4, 3, 0)


@pytest.mark.parametrize(("n_layers", "overlap_ratio"), [(-1, 0.3), (1, 1.0), (1, -0.1), (1, float("nan"))])
def test_impossible_crops_are_refused(n_layers: int, overlap_ratio: float) -> None:
    with pytest.raises(ConfigError, match="crop layers with an overlap"):
        crop_boxes((10, 10), n_layers, overlap_ratio)
