"""A script written for the public `SamAutomaticMaskGenerator` gives the same records with our import."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from anymask.compat import SamAutomaticMaskGenerator
from anymask.model.weights import load
from tests.compat.conftest import Pair, assert_alike

Pixels = npt.NDArray[np.uint8]

SETTINGS: dict[str, Any] = {
    "points_per_side": 6,
    "pred_iou_thresh": 0.02,
    "stability_score_thresh": 0.5,
    "stability_score_offset": 0.1,
    "box_nms_thresh": 0.9,
}


def records(package: ModuleType, model: Any, scene: Pixels, **changes: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = package.SamAutomaticMaskGenerator(model, **(SETTINGS | changes)).generate(scene)
    return found


@pytest.mark.parametrize("output_mode", ["binary_mask", "uncompressed_rle"])
def test_records_have_the_same_keys_types_and_values(pair: Pair, scene: Pixels, output_mode: str) -> None:
    theirs = records(pair.public, pair.public_model, scene, output_mode=output_mode)
    ours = records(pair.ours, pair.our_model, scene, output_mode=output_mode)
    assert len(theirs) >= 8
    if output_mode == "uncompressed_rle":
        # Run lengths of masks that differ in one pixel differ in length: compare those of equal masks.
        same = [index for index, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a["area"] == b["area"]]
        assert len(same) >= 0.9 * len(theirs)
        ours, theirs = [ours[index] for index in same], [theirs[index] for index in same]
    assert_alike(ours, theirs)


def test_compressed_run_lengths_are_json(pair: Pair, scene: Pixels) -> None:
    compressed = records(pair.ours, pair.our_model, scene, output_mode="coco_rle")
    plain = records(pair.ours, pair.our_model, scene)
    assert json.loads(json.dumps(compressed)) == compressed
    assert set(compressed[0]["segmentation"]) == {"size", "counts"}
    assert [one["area"] for one in compressed] == [one["area"] for one in plain]


@pytest.mark.parametrize(
    "changes",
    [
        {"crop_n_layers": 1, "crop_n_points_downscale_factor": 2, "crop_nms_thresh": 0.9},
        {"min_mask_region_area": 40},
        {"points_per_side": None, "point_grids": [np.array([[0.3, 0.4], [0.6, 0.7], [0.5, 0.5]])]},
        {"points_per_batch": 5},
    ],
)
def test_every_argument_does_the_same(pair: Pair, scene: Pixels, changes: dict[str, Any]) -> None:
    theirs = records(pair.public, pair.public_model, scene, **changes)
    assert_alike(records(pair.ours, pair.our_model, scene, **changes), theirs)
    assert len(theirs) >= 2


@pytest.mark.parametrize(
    "arguments",
    [{"points_per_side": None}, {"point_grids": [np.zeros((1, 2))]}, {"output_mode": "polygons"}],
)
def test_mistakes_raise_the_same_errors(pair: Pair, arguments: dict[str, Any]) -> None:
    caught = []
    for package, model in ((pair.public, pair.public_model), (pair.ours, pair.our_model)):
        with pytest.raises(AssertionError) as error:
            package.SamAutomaticMaskGenerator(model, **arguments)
        caught.append(str(error.value))
    assert caught[0] == caught[1]


def test_the_embedded_model_segments_everything(scene: Pixels) -> None:
    generator = SamAutomaticMaskGenerator(load("tiny"), points_per_side=4, pred_iou_thresh=0, stability_score_thresh=0)
    assert {one["segmentation"].shape for one in generator.generate(scene)} == {(150, 230)}
