"""Object proposals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from anymask.errors import ConfigError
from anymask.masks.boxes import iou_matrix
from anymask.masks.rle import encode
from anymask.masks.suppress import nms
from anymask.model.sam import Sam
from anymask.predict import Predictor
from anymask.predict.cleaning import inclusive_boxes
from anymask.predict.tasks.proposals import ProposalConfig, propose
from anymask.prompts.grid import point_grid
from anymask.prompts.types import Prompt

Picture = npt.NDArray[np.uint8]
SMALL = ProposalConfig(points_per_side=4)


def slow_masks(predictor: Predictor, picture: Picture, side: int) -> list[tuple[npt.NDArray[np.bool_], float, float]]:
    """(mask, predicted IoU, stability) of every click, one after the other, empty ones left out."""
    predictor.set_image(picture)
    found = []
    for point in point_grid(side) * (picture.shape[1], picture.shape[0]):
        answer = predictor.predict(Prompt(points_xy=point[None]), multimask=True)
        stability = answer.stability()
        found += [
            (mask, float(iou), float(stable))
            for mask, iou, stable in zip(answer.masks(), answer.predicted_iou, stability, strict=True)
            if mask.any()
        ]
    return found


def test_proposals_are_the_masks_of_a_grid_of_clicks_ranked_by_the_mean_of_both_scores(
    predictor: Predictor, picture: Picture
) -> None:
    found = propose(predictor, picture, ProposalConfig(points_per_side=4, nms_threshold=1.0))
    slow = slow_masks(predictor, picture, 4)
    expected = sorted(((iou + stable) / 2 for _, iou, stable in slow), reverse=True)
    np.testing.assert_allclose(found.scores, expected, rtol=1e-4, atol=1e-5)
    assert (np.diff(found.scores) <= 0).all()
    theirs = {encode(mask).counts for mask, _, _ in slow}
    ours = {rle.counts for rle in found.masks.rles}
    assert len(ours & theirs) >= 0.95 * len(theirs)  # a pixel may differ between a batch and a prompt alone


def test_nothing_is_filtered_but_doubles(predictor: Predictor, picture: Picture) -> None:
    found = propose(predictor, picture, ProposalConfig(points_per_side=4, nms_threshold=0.5))
    overlap = iou_matrix(inclusive_boxes(found.masks), inclusive_boxes(found.masks))
    np.fill_diagonal(overlap, 0)
    assert overlap.max(initial=0) <= 0.5
    everything = propose(predictor, picture, ProposalConfig(points_per_side=4, nms_threshold=1.0)).masks
    assert len(nms(inclusive_boxes(everything), everything.predicted_iou, 0.5)) == len(found.masks)


def test_the_best_stay_when_there_are_too_many(predictor: Predictor, picture: Picture) -> None:
    every = propose(predictor, picture, ProposalConfig(points_per_side=4, nms_threshold=1.0))
    few = propose(predictor, picture, ProposalConfig(points_per_side=4, nms_threshold=1.0, max_proposals=5))
    assert few.masks.rles == every.masks.rles[:5]


def test_a_model_without_scores_is_ranked_by_a_seeded_chance(small_model: Sam, picture: Picture) -> None:
    def rles(seed: int) -> tuple[object, ...]:
        config = ProposalConfig(points_per_side=4, nms_threshold=0.95, rank="random", seed=seed)
        return propose(Predictor(small_model), picture, config).masks.rles

    assert rles(1) == rles(1)
    assert rles(1) != rles(2)


def test_presets_are_the_papers() -> None:
    assert ProposalConfig.named("paper") == ProposalConfig(points_per_side=64, nms_threshold=0.9, max_proposals=1000)
    single = ProposalConfig.named("single_output")
    assert (single.points_per_side, single.nms_threshold, single.rank) == (128, 0.95, "random")
    with pytest.raises(ConfigError, match="known are paper and single_output"):
        ProposalConfig.named("fast")


@pytest.mark.parametrize(
    "make",
    [
        lambda: ProposalConfig(points_per_side=0),
        lambda: ProposalConfig(points_per_batch=0),
        lambda: ProposalConfig(max_proposals=0),
        lambda: ProposalConfig(nms_threshold=0.0),
    ],
)
def test_bad_settings_are_refused(make: Callable[[], ProposalConfig]) -> None:
    with pytest.raises(ConfigError, match="ProposalConfig"):
        make()


def test_batches_change_nothing_but_speed(small_model: Sam, picture: Picture) -> None:
    one = propose(Predictor(small_model), picture, ProposalConfig(points_per_side=4, points_per_batch=5))
    other = propose(Predictor(small_model), picture, SMALL)
    assert len(one.masks) == len(other.masks)
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4, atol=1e-5)
