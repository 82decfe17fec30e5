"""Masks traced while the model goes on are the same masks, and every answer of the model is accounted for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, replace

import numpy as np
import numpy.typing as npt
import pytest

from anymask.predict import Predictor
from anymask.predict.automatic import AutomaticConfig, segment_everything, start_everything
from anymask.predict.pending import Rejects
from tests.paired_models import ours_with_weights_of, small_public_model

CROPS = AutomaticConfig(
    points_per_side=6,
    crop_layers=1,
    predicted_iou_threshold=0.3,
    stability_threshold=0.5,
    stability_offset=0.1,
    min_region_area_px=20,
    drop_small_masks=True,
    max_area_share=0.9,
)


@pytest.fixture(scope="module")
def lively() -> Predictor:
    return Predictor(ours_with_weights_of(small_public_model(seed=1)))


@pytest.fixture(scope="module")
def scene(photo: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return photo[100:220, 200:360].copy()


def test_tracing_in_threads_gives_the_same_masks_and_counts(lively: Predictor, scene: npt.NDArray[np.uint8]) -> None:
    alone = start_everything(lively, scene, CROPS)
    with ThreadPoolExecutor(2) as tracers:
        aside = start_everything(lively, scene, CROPS, tracers=tracers)
        found = aside.masks()
    masks = alone.masks()
    assert len(masks) > 0
    assert found.rles == masks.rles == segment_everything(lively, scene, CROPS).rles
    np.testing.assert_array_equal(found.predicted_iou, masks.predicted_iou)
    assert aside.rejects == alone.rejects


@pytest.mark.parametrize("changes", [{}, {"crop_layers": 0}, {"predicted_iou_threshold": 0.0}])
def test_every_answer_of_the_model_is_kept_or_rejected_once(
    lively: Predictor, scene: npt.NDArray[np.uint8], changes: dict[str, float]
) -> None:
    config = replace(CROPS, **changes)
    pending = start_everything(lively, scene, config)
    kept = len(pending.masks())
    windows = 5 if config.crop_layers else 1
    assert kept + sum(astuple(pending.rejects)) == windows * 6 * 6 * 3


def test_rejects_add_up_field_by_field() -> None:
    total = Rejects(stability=2)
    total.add(Rejects(stability=1, doubles=4))
    assert total == Rejects(stability=3, doubles=4)
