"""Prompts of the points experiment: against a slow simulator, in batches, with random first clicks."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from anymask.dataset import Record, read_folder, read_shards
from anymask.evaluation.asking import ask_picture, first_point
from anymask.evaluation.segmenter import Answer, ModelSegmenter
from anymask.evaluation.targets import Target, TargetConfig, choose_targets
from anymask.model.sam import Sam, tiny_config
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt
from tests.evaluation.small_data import write_small_sets

Mask = npt.NDArray[np.bool_]


@dataclass
class Blobs:
    """Answers each prompt with its own noisy disc, and writes down what it was asked, one prompt at a time."""

    name: str = "blobs"
    fingerprint: str = "1"
    takes_points: bool = True
    takes_boxes: bool = False
    gives_three: bool = False
    asked: list[tuple[Prompt, Mask]] = field(default_factory=list)
    size_hw: tuple[int, int] = (0, 0)

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.size_hw = (pixels.shape[0], pixels.shape[1])

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        del multimask
        y, x = np.mgrid[: self.size_hw[0], : self.size_hw[1]]
        (cx, cy), count = prompt.points_xy[0], len(prompt.points_xy)
        mask = (x - cx) ** 2 + (y - cy) ** 2 < (6 + 3 * count) ** 2
        mask ^= np.random.default_rng(count).random(self.size_hw) < 0.01
        self.asked.append((prompt, mask))
        return Answer(mask[None], np.ones(1, np.float32))


def slow_depth(region: Mask, y: int, x: int) -> float:
    """Squared distance from a pixel of the region to the nearest pixel outside it; beyond the border all is outside."""
    height, width = region.shape
    nearest = min(y + 1, height - y, x + 1, width - x) ** 2
    rows, columns = np.nonzero(~region)
    return float(min(nearest, ((rows - y) ** 2 + (columns - x) ** 2).min())) if len(rows) else float(nearest)


def slow_centre(region: Mask) -> tuple[float, tuple[float, float]]:
    """(depth, click) of the deepest pixel, the first in reading order."""
    best, click = 0.0, (-1.0, -1.0)
    for y, x in zip(*np.nonzero(region), strict=True):
        depth = slow_depth(region, int(y), int(x))
        if depth > best:
            best, click = depth, (x + 0.5, y + 0.5)
    return best, click


def test_every_click_is_that_of_a_slow_obvious_simulator(data_dir: Path, tmp_path: Path) -> None:
    folder = write_small_sets(tmp_path, [data_dir / "val-food_plates.tar"], 1)
    (record,) = read_folder(folder)
    segmenter, config = Blobs(), TargetConfig(per_picture=2)
    ask_picture(segmenter, record, config, clicks=3)
    targets = choose_targets(record, config)
    for place, target in enumerate(targets):
        prompts = segmenter.asked[place :: len(targets)]
        assert tuple(prompts[0][0].points_xy[0]) == slow_centre(target.mask)[1]
        for (before, answer), (now, _) in pairwise(prompts):
            missed, excess = slow_centre(target.mask & ~answer), slow_centre(answer & ~target.mask)
            expected, label = (missed[1], 1) if missed[0] >= excess[0] else (excess[1], 0)
            assert tuple(now.points_xy[-1]) == expected
            assert now.labels[-1] == label
            np.testing.assert_array_equal(now.points_xy[:-1], before.points_xy)


@pytest.fixture(scope="module")
def model() -> Sam:
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=128)).eval()


@dataclass
class OneByOne:
    """The same model without its batches."""

    inner: ModelSegmenter
    takes_points: bool = True
    takes_boxes: bool = True
    gives_three: bool = True

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.inner.set_image(pixels)

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        return self.inner.predict(prompt, multimask=multimask)


def drawn(data_dir: Path) -> Record:
    return next(iter(read_shards([data_dir / "val-food_plates.tar"])))


def test_prompts_asked_together_are_answered_as_if_alone(model: Sam, data_dir: Path) -> None:
    record, whole = drawn(data_dir), ModelSegmenter(Predictor(model))
    together = ask_picture(whole, record, TargetConfig(), clicks=2)
    alone = ask_picture(OneByOne(whole), record, TargetConfig(), clicks=2)
    for first, second in zip(together.targets, alone.targets, strict=True):
        for measure in ("click", "click_oracle", "box", "box_oracle", "clicks_2"):
            assert first.score(measure) == pytest.approx(second.score(measure), abs=2e-3)


def test_the_time_of_the_model_and_of_the_scoring_are_told_apart(model: Sam, data_dir: Path) -> None:
    result = ask_picture(ModelSegmenter(Predictor(model)), drawn(data_dir), TargetConfig(), clicks=1)
    assert result.model_s > 0
    assert result.scoring_s > 0


def test_a_random_first_click_is_anywhere_in_the_mask_and_the_same_each_time() -> None:
    mask = np.zeros((9, 9), np.bool_)
    mask[2:7, 3:8] = True
    target = Target(0, 1, mask, 25)
    points = {first_point(target, f"s/{index}", "random", 0) for index in range(300)}
    assert len(points) == 25  # all of its pixels
    assert all(mask[int(y), int(x)] and x % 1 == y % 1 == 0.5 for x, y in points)
    assert first_point(target, "s/1", "random", 0) == first_point(target, "s/1", "random", 0)
    assert first_point(target, "s/1", "centre", 0) == (5.5, 4.5)
    assert len({first_point(target, "s/1", "random", seed) for seed in range(40)}) > 1
    other = Target(0, 2, mask, 25)
    assert len({first_point(one, "s/1", "random", seed) for one in (target, other) for seed in range(9)}) > 9
