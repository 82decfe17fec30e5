"""Differences between two columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from anymask.errors import ConfigError
from anymask.evaluation.compare import compare
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.results import BoxScores, ClickScores, PictureResult, TargetResult
from anymask.masks.rle import encode

RLE = encode(np.eye(4, dtype=bool))
CONFIG = BootstrapConfig(resamples=500)


def column(seed: int, better_by: float = 0.0, pictures: int = 25) -> list[PictureResult]:
    rng = np.random.default_rng(seed)
    results = []
    for set_name, level in (("easy", 0.7), ("hard", 0.3)):
        for picture in range(pictures):
            targets = []
            for label in range(1, int(rng.integers(1, 4)) + 1):
                iou = level + float(rng.normal(0, 0.1)) + better_by
                clicks = ClickScores(confident=iou, oracle=iou, curve=(iou,), mask=RLE, first_xy=(1.5, 2.5))
                targets.append(TargetResult(map_index=0, label=label, area_px=99, clicks=clicks, box=None))
            results.append(PictureResult(picture=f"{set_name}/{picture}", sha256="0", targets=tuple(targets)))
    return results


def test_a_difference_is_the_mean_of_the_masks_differences_per_set_and_then_over_sets() -> None:
    first, second = column(0), column(0, better_by=0.05)
    rng = np.random.default_rng(1)
    first = [
        replace(
            one,
            targets=tuple(
                replace(t, clicks=replace(t.clicks, confident=t.clicks.confident + float(rng.normal(0, 0.02))))
                for t in one.targets
            ),
        )
        for one in first
    ]
    found = compare(second, first, "click", CONFIG)
    per_set = {"easy": [], "hard": []}
    for a, b in zip(second, first, strict=True):
        for x, y in zip(a.targets, b.targets, strict=True):
            per_set[a.set_name].append(x.clicks.confident - y.clicks.confident)
    for name, differences in per_set.items():
        assert found.per_set[name].mean == pytest.approx(np.mean(differences))
    assert found.mean_of_sets.mean == pytest.approx(np.mean([np.mean(one) for one in per_set.values()]))
    assert found.mean_of_sets.is_above_zero
    assert found.measure == "click"


def test_turned_around_a_difference_changes_its_sign() -> None:
    first, second = column(0), column(0, better_by=0.05)
    forth, back = compare(first, second, "click", CONFIG), compare(second, first, "click", CONFIG)
    for name in ("easy", "hard"):
        assert forth.per_set[name].mean == pytest.approx(-back.per_set[name].mean)
        assert forth.per_set[name].low == pytest.approx(-back.per_set[name].high)


def test_the_order_of_the_pictures_does_not_matter() -> None:
    first, second = column(0), column(0, better_by=0.01)
    assert compare(first, second[::-1], "click", CONFIG) == compare(first, second, "click", CONFIG)


def test_a_measure_that_one_side_lacks_gives_no_comparison() -> None:
    boxes = [
        replace(
            one,
            targets=tuple(
                replace(t, clicks=None, box=BoxScores(single=0.1, confident=0.1, oracle=0.1, mask=RLE))
                for t in one.targets
            ),
        )
        for one in column(0)
    ]
    assert compare(column(0), boxes, "click", CONFIG) is None
    assert compare(column(0), boxes, "box", CONFIG) is None


def test_columns_of_other_regions_are_refused() -> None:
    first, second = column(0), column(0)
    with pytest.raises(ConfigError, match="easy/0"):
        compare(first, second[1:], "click", CONFIG)
    relabelled = [
        replace(second[0], targets=(replace(second[0].targets[0], label=77), *second[0].targets[1:])),
        *second[1:],
    ]
    with pytest.raises(ConfigError, match="same regions"):
        compare(first, relabelled, "click", CONFIG)
