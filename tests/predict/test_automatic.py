"""Everything-mode: filters, presets, memory, several pictures, and what the prefilter may discard."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.errors import ConfigError, ImageError
from anymask.images.frames import Frame
from anymask.masks import rle
from anymask.masks.types import MaskSet
from anymask.model.sam import Sam
from anymask.model.weights import load
from anymask.predict import Predictor
from anymask.predict.automatic import (
    AutomaticConfig,
    _is_cut,
    _may_be_stable,
    segment_everything,
    segment_pictures,
)
from anymask.predict.tracing import Thresholds, Tracer
from anymask.prompts.types import Prompt
from tests.paired_models import ours_with_weights_of, small_public_model
from tests.predict.test_tracing import smooth_logits

Pixels = npt.NDArray[np.uint8]

OPEN = AutomaticConfig(
    points_per_side=8, predicted_iou_threshold=0, stability_threshold=0.5, stability_offset=0.1, box_nms_threshold=0.9
)
"""At which dozens of masks of the random weights survive."""


def changed(**changes: Any) -> AutomaticConfig:
    """`OPEN` with some fields changed."""
    values = {name: getattr(OPEN, name) for name in AutomaticConfig.__dataclass_fields__}
    return AutomaticConfig(**(values | changes))


@pytest.fixture(scope="module")
def lively() -> Predictor:
    """A model whose masks differ from click to click."""
    return Predictor(ours_with_weights_of(small_public_model(seed=1)))


@pytest.fixture(scope="module")
def scene(photo: Pixels) -> Pixels:
    """A small part of a photograph, 120 x 160."""
    return photo[100:220, 200:360].copy()


@pytest.fixture(scope="module")
def found(lively: Predictor, scene: Pixels) -> MaskSet:
    return segment_everything(lively, scene, OPEN)


def test_every_mask_passes_the_filters(lively: Predictor, scene: Pixels) -> None:
    config = changed(predicted_iou_threshold=0.1, stability_threshold=0.6, max_area_share=0.5)
    masks = segment_everything(lively, scene, config)
    assert len(masks) > 3
    assert (masks.predicted_iou > 0.1).all()
    assert (masks.stability >= 0.6).all()
    assert (masks.area_px < 0.5 * 120 * 160).all()


def test_a_mask_is_the_answer_to_its_click(lively: Predictor, scene: Pixels, found: MaskSet) -> None:
    lively.set_image(scene)
    assert len(found) >= 20
    for index in range(0, len(found), 5):
        answer = lively.predict(Prompt(points_xy=found.points_xy[index : index + 1]))
        same = int(np.abs(answer.predicted_iou - found.predicted_iou[index]).argmin())
        difference = answer.masks()[same] ^ rle.decode(found.rles[index])
        assert difference.sum() <= 2


def test_areas_boxes_and_order_are_those_of_the_masks(found: MaskSet) -> None:
    masks = rle.decode_batch(found.rles)
    assert np.array_equal(masks.sum(axis=(1, 2)), found.area_px)
    assert (np.diff(found.predicted_iou) <= 0).all(), "best first"
    assert found.crop_boxes_xyxy.tolist() == [[0, 0, 160, 120]] * len(found)
    assert len(found.parents) == 0


@pytest.mark.parametrize("points_per_batch", [1, 7, 1000])
def test_the_size_of_batches_changes_nothing(
    lively: Predictor, scene: Pixels, found: MaskSet, points_per_batch: int
) -> None:
    other = segment_everything(lively, scene, changed(points_per_batch=points_per_batch))
    assert len(other) == len(found)
    assert np.allclose(other.predicted_iou, found.predicted_iou, atol=1e-5)
    assert np.abs(other.area_px - found.area_px).max() <= 2


def test_images_that_are_set_stay_set(lively: Predictor, scene: Pixels) -> None:
    before = lively.set_image(scene)
    segment_everything(lively, scene[:50, :60], OPEN)
    assert lively.images == (before,)


def test_progress_counts_every_click_of_every_crop(lively: Predictor, scene: Pixels) -> None:
    seen: list[tuple[int, int]] = []
    config = changed(points_per_side=4, points_per_batch=5, crop_layers=1, crop_points_downscale=2)
    segment_everything(lively, scene, config, lambda done, total: seen.append((done, total)))
    assert [total for _, total in seen] == [16 + 4 * 4] * len(seen)
    assert [done for done, _ in seen] == [5, 10, 15, 16, 20, 24, 28, 32]


def test_several_pictures_come_one_after_the_other(lively: Predictor, scene: Pixels, found: MaskSet) -> None:
    other = scene[:60, :90]
    results = segment_pictures(lively, iter([scene, other]), OPEN)
    first = next(results)
    assert first.rles == found.rles
    assert next(results).size_hw == (60, 90)
    with pytest.raises(StopIteration):
        next(results)


def test_a_bad_picture_is_refused(lively: Predictor) -> None:
    with pytest.raises(ImageError):
        segment_everything(lively, b"<html>", OPEN)


def test_given_grids_replace_the_regular_one(lively: Predictor, scene: Pixels) -> None:
    grid = np.array([[0.5, 0.5], [0.25, 0.75]])
    config = changed(points_per_side=None, point_grids=(grid,), box_nms_threshold=1.0, stability_threshold=0)
    masks = segment_everything(lively, scene, config)
    assert len(masks) == 6
    assert {tuple(point) for point in masks.points_xy.tolist()} == {(80.0, 60.0), (40.0, 90.0)}


def test_crops_add_masks_at_their_place(lively: Predictor, scene: Pixels, found: MaskSet) -> None:
    masks = segment_everything(lively, scene, changed(crop_layers=1))
    zoomed = (masks.crop_boxes_xyxy[:, 2] - masks.crop_boxes_xyxy[:, 0]) < 160
    assert zoomed.any()
    assert len(masks) > len(found) / 2
    for index in np.flatnonzero(zoomed):
        x0, y0, x1, y1 = masks.crop_boxes_xyxy[index]
        box, point = masks.boxes_xyxy[index], masks.points_xy[index]
        assert x0 <= box[0] < box[2] <= x1
        assert y0 <= box[1] < box[3] <= y1
        assert x0 < point[0] < x1
        assert y0 < point[1] < y1


def test_a_box_at_an_inner_edge_of_the_crop_is_cut_and_one_at_the_pictures_edge_is_not() -> None:
    crop, picture = (100, 0, 300, 200), (0, 0, 400, 200)
    boxes = np.array([[150, 50, 250, 150], [119, 50, 250, 150], [150, 0, 250, 199], [150, 50, 281, 150]])
    assert _is_cut(boxes, crop, picture).tolist() == [False, True, False, True]
    assert not _is_cut(np.array([[0, 0, 399, 199]]), picture, picture).any()


def test_clean_masks_have_no_small_regions(lively: Predictor, scene: Pixels) -> None:
    config = changed(min_region_area_px=100, drop_small_masks=True)
    masks = segment_everything(lively, scene, config)
    assert len(masks) > 0
    again = segment_everything(lively, scene, changed(min_region_area_px=1))
    assert masks.area_px.min() >= 100
    assert len(again) >= len(masks)


def test_the_tree_is_there_when_asked_for(lively: Predictor, scene: Pixels, found: MaskSet) -> None:
    masks = segment_everything(lively, scene, changed(tree=True))
    assert masks.rles == found.rles
    assert masks.parents.shape == (len(masks),)
    children = np.flatnonzero(masks.parents >= 0)
    assert len(children) > 0
    assert (masks.area_px[masks.parents[children]] >= masks.area_px[children]).all()


def test_nothing_found_is_an_empty_set(lively: Predictor, scene: Pixels) -> None:
    masks = segment_everything(lively, scene, changed(predicted_iou_threshold=100.0, crop_layers=1, tree=True))
    assert len(masks) == 0
    assert masks.size_hw == (120, 160)


def test_embeddings_with_finer_maps_segment_everything_too(skip_model: Sam, scene: Pixels) -> None:
    config = changed(points_per_side=3, stability_threshold=0)
    assert len(segment_everything(Predictor(skip_model), scene, config)) > 0


def test_the_prefilter_keeps_every_mask_that_is_stable_at_the_original_size() -> None:
    discarded = 0
    for size_hw in ((150, 225), (600, 900), (40, 60)):
        logits = smooth_logits(90, seed=size_hw[0])
        for offset in (0.2, 1.0, 3.0):
            tracer = Tracer(Frame.fit(size_hw, 256), 64, thresholds=Thresholds(offset=offset))
            stability = tracer.trace(logits).stability
            for threshold in (0.5, 0.8, 0.95):
                hopeful = _may_be_stable(torch.from_numpy(logits), tracer, threshold).numpy()
                assert hopeful[stability >= threshold].all()
                discarded += int((~hopeful).sum())
    assert discarded > 100


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"points_per_side": None}, "give points_per_side or point_grids"),
        ({"point_grids": (np.zeros((1, 2)),)}, "give points_per_side or point_grids"),
        ({"points_per_side": 0}, "points_per_side is 0, expected 1 or more"),
        ({"points_per_batch": 0}, "points_per_batch is 0"),
        ({"crop_layers": -1}, "crop_layers is -1, expected 0 or more"),
        ({"stability_threshold": float("nan")}, "stability_threshold is nan"),
        ({"drop_small_masks": True}, "drop_small_masks needs min_region_area_px"),
        ({"points_per_side": None, "point_grids": (), "crop_layers": 0}, "point_grids has 0 grids"),
    ],
)
def test_a_bad_configuration_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        AutomaticConfig(**fields)


def test_the_default_preset_is_the_public_generators() -> None:
    default = AutomaticConfig.named("default")
    assert [len(grid) for grid in default.grids()] == [1024]
    assert default.max_area_share is None
    assert default.min_region_area_px == 0


def test_the_paper_preset_has_its_grids_and_clean_up() -> None:
    paper = AutomaticConfig.named("paper")
    assert [len(grid) for grid in paper.grids()] == [1024, 256, 64]
    assert (paper.crop_layers, paper.min_region_area_px, paper.drop_small_masks, paper.max_area_share) == (
        2,
        100,
        True,
        0.95,
    )


def test_the_tiny_preset_asks_less_of_a_mask_and_cleans_it() -> None:
    tiny, default = AutomaticConfig.named("tiny"), AutomaticConfig.named("default")
    assert tiny.predicted_iou_threshold < default.predicted_iou_threshold
    assert tiny.stability_threshold < default.stability_threshold
    assert tiny.stability_offset < default.stability_offset
    assert tiny.grids()[0].shape == default.grids()[0].shape
    assert tiny.drop_small_masks


def test_an_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="known are default, paper and tiny"):
        AutomaticConfig.named("papers")


@pytest.mark.slow
def test_the_prefilter_changes_nothing_that_the_embedded_model_finds(
    photo: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = AutomaticConfig(
        points_per_side=12, predicted_iou_threshold=0, stability_threshold=0.75, stability_offset=0.25
    )
    predictor = Predictor(load("tiny"))
    filtered = segment_everything(predictor, photo, config)
    monkeypatch.setattr("anymask.predict.automatic.STABILITY_MARGIN", 1e9)
    assert segment_everything(predictor, photo, config).rles == filtered.rles
    assert len(filtered) >= 20


@pytest.mark.slow
def test_memory_is_bounded_on_a_picture_of_6000_by_4000(lively: Predictor) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    large = picture.repeat(100, axis=0).repeat(100, axis=1)
    config = changed(points_per_side=12, box_nms_threshold=1.0, min_region_area_px=100)
    tracemalloc.start()
    masks = segment_everything(lively, large, config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert masks.size_hw == (4000, 6000)
    assert len(masks) > 30
    # Full-size float logits of the masks of one batch alone would be 18 GB.
    assert peak < 700e6
