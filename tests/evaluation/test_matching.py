"""Greedy matching of one picture."""

from __future__ import annotations

import numpy as np
import pytest

from anymask.dataset.formats.lvis import Federation
from anymask.errors import ConfigError
from anymask.evaluation.matching import (
    IOU_THRESHOLDS,
    SIZES,
    Division,
    MatchConfig,
    PictureAnswers,
    PictureTruth,
    match,
    match_picture,
)
from anymask.masks.rle import encode


def slow_match(ious: np.ndarray, ignored: np.ndarray, crowd: np.ndarray) -> list[list[int]]:
    """The rule, one threshold, answer and mask after the other."""
    result = []
    order = [*np.flatnonzero(~ignored), *np.flatnonzero(ignored)]
    for threshold in IOU_THRESHOLDS:
        taken: set[int] = set()
        row = []
        for overlaps in ious:
            best, chosen = min(threshold, 1 - 1e-10), -1
            for mask in order:
                if mask in taken and not crowd[mask]:
                    continue
                if chosen >= 0 and not ignored[chosen] and ignored[mask]:
                    break
                if overlaps[mask] >= best:
                    best, chosen = overlaps[mask], int(mask)
            if chosen >= 0:
                taken.add(chosen)
            row.append(chosen)
        result.append(row)
    return result


@pytest.mark.parametrize("seed", range(30))
def test_matching_is_that_of_a_slow_obvious_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ious = np.round(rng.random((rng.integers(0, 9), rng.integers(0, 7))) * 0.7 + 0.35, 1)  # rounded: with equals
    crowd = rng.random(ious.shape[1]) < 0.2
    ignored = crowd | (rng.random(ious.shape[1]) < 0.3)
    assert match(ious, ignored, crowd).tolist() == slow_match(ious, ignored, crowd)


def square(x0: int, side: int = 10) -> np.ndarray:
    mask = np.zeros((20, 60), np.bool_)
    mask[5 : 5 + side, x0 : x0 + side] = True
    return mask


def truth(masks: list[np.ndarray], categories: list[int], federation: Federation | None = None) -> PictureTruth:
    return PictureTruth(
        rles=tuple(encode(mask) for mask in masks),
        area_px=np.array([float(mask.sum()) for mask in masks]),
        categories=np.array(categories, np.int64),
        is_crowd=np.zeros(len(masks), np.bool_),
        federation=federation,
    )


def answers(masks: list[np.ndarray], scores: list[float], categories: list[int]) -> PictureAnswers:
    return PictureAnswers(
        rles=tuple(encode(mask) for mask in masks),
        scores=np.array(scores),
        area_px=np.array([float(mask.sum()) for mask in masks]),
        categories=np.array(categories, np.int64),
    )


def test_of_two_answers_to_one_mask_the_surer_one_finds_it() -> None:
    found = match_picture(truth([square(0)], [1]), answers([square(0), square(0)], [0.3, 0.9], [1, 1]), MatchConfig())
    assert found.scores.tolist() == [0.9, 0.3]
    assert found.hits[0].all(axis=0).tolist() == [True, False]
    assert not found.idle[0].any()


def test_an_answer_of_another_category_finds_nothing_unless_categories_are_not_looked_at() -> None:
    given = truth([square(0)], [1]), answers([square(0)], [0.9], [2])
    assert not match_picture(*given, MatchConfig()).hits.any()
    assert match_picture(*given, MatchConfig(per_category=False)).hits[0].all()


def test_a_division_of_categories_takes_the_other_truth_away() -> None:
    divisions = (Division(name="all"), Division(name="rare", categories=frozenset({2})))
    config = MatchConfig(divisions=divisions, per_category=False)
    found = match_picture(truth([square(0), square(30)], [1, 2]), answers([square(0)], [0.9], [1]), config)
    assert found.counted.tolist() == [[True, True], [False, True]]
    assert found.hits.all(axis=1).tolist() == [[True], [False]]


def test_masks_of_another_size_are_neither_due_nor_wrong() -> None:
    found = match_picture(truth([square(0, 4)], [1]), answers([square(0, 4)], [0.9], [1]), MatchConfig())
    names = [division.name for division in SIZES]
    assert dict(zip(names, found.counted[:, 0].tolist(), strict=True)) == {
        "all": True,
        "small": True,
        "medium": False,
        "large": False,
    }
    assert found.idle[names.index("large")].all()


def test_where_nobody_looked_nothing_is_wrong() -> None:
    federation = Federation(absent=frozenset({2}), not_exhaustive=frozenset({1}))
    given = answers([square(40), square(40), square(40)], [0.9, 0.8, 0.7], [1, 2, 3])
    found = match_picture(truth([square(0)], [1], federation), given, MatchConfig())
    assert found.categories.tolist() == [1, 2]  # of 3 nothing is known
    assert found.idle[0].all(axis=0).tolist() == [True, False]  # there may be more of 1, and there is no 2


def test_only_so_many_answers_count() -> None:
    given = answers([square(30), square(0)], [0.9, 0.8], [1, 1])
    assert match_picture(truth([square(0)], [1]), given, MatchConfig(max_answers=1)).hits.sum() == 0
    assert match_picture(truth([square(0)], [1]), given, MatchConfig(max_per_picture=1)).hits.sum() == 0
    assert match_picture(truth([square(0)], [1]), given, MatchConfig()).ranks.tolist() == [0, 1]


def test_without_what_found_nothing_recall_stays() -> None:
    given = answers([square(30), square(0)], [0.9, 0.8], [1, 1])
    found = match_picture(truth([square(0)], [1]), given, MatchConfig())
    kept = found.only_hits()
    assert kept.ranks.tolist() == [1]
    assert kept.hits.sum() == found.hits.sum() > 0


def test_pictures_without_truth_or_without_answers_are_matched_too() -> None:
    nothing = match_picture(truth([], []), answers([square(0)], [0.9], [1]), MatchConfig())
    assert (nothing.hits.sum(), nothing.counted.shape) == (0, (4, 0))
    assert not nothing.idle[0].any()
    silent = match_picture(truth([square(0)], [1]), answers([], [], []), MatchConfig(per_category=False))
    assert (silent.hits.shape, silent.counted[0].tolist()) == ((4, 10, 0), [True])


def test_bad_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="max_answers must be at least 1, got 0"):
        MatchConfig(max_answers=0)
    with pytest.raises(ConfigError, match="each of its own name"):
        MatchConfig(divisions=(Division(name="a"), Division(name="a")))
