"""Average precision and recall, against pycocotools, the lvis reference code and the compiled COCO library."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from typing import Any

import faster_coco_eval as compiled
import numpy as np
import pytest
from lvis import LVIS, LVISEval, LVISResults
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from anymask.dataset.formats import CocoFile, LvisFile
from anymask.errors import ConfigError
from anymask.evaluation.average import bootstrap, mean_of, precision_by_category, recall_by_category, tally
from anymask.evaluation.matching import (
    SIZES,
    Division,
    MatchConfig,
    PictureAnswers,
    PictureMatches,
    PictureTruth,
    match_picture,
)
from anymask.evaluation.metrics import BootstrapConfig
from anymask.masks import rle
from tests.dataset.formats.ground_truth import SIZE_HW, coco_json, lvis_json, results_json, without_masks

Json = dict[str, Any]
TOLERANCE = 1e-6


def answers_of(results: list[Json], image_id: int) -> PictureAnswers:
    own = [one for one in results if one["image_id"] == image_id]
    rles = tuple(rle.from_json(one["segmentation"], SIZE_HW) for one in own)
    return PictureAnswers(
        rles=rles,
        scores=np.array([one["score"] for one in own], np.float64),
        area_px=np.array([rle.area(one) for one in rles], np.float64),
        categories=np.array([one["category_id"] for one in own], np.int64),
    )


def matches(file: CocoFile, results: list[Json], config: MatchConfig) -> list[PictureMatches]:
    def truth(image_id: int) -> PictureTruth:
        federation = file.federation(image_id) if isinstance(file, LvisFile) else None
        return PictureTruth.of(file.picture(image_id), federation)

    return [match_picture(truth(key), answers_of(results, key), config) for key in sorted(file.image_ids)]


def masks_alone(results: list[Json]) -> list[Json]:
    """Results without boxes: with them, the reference code takes the box's area for the mask's."""
    return [{key: copy.deepcopy(value) for key, value in one.items() if key != "bbox"} for one in results]


def pycocotools_eval(value: Json, results: list[Json], max_dets: list[int], use_cats: bool) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = copy.deepcopy(value)
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(masks_alone(results)), "segm")
        run.params.maxDets, run.params.useCats = max_dets, int(use_cats)
        run.evaluate()
        run.accumulate()
    return run


def mean_known(values: np.ndarray) -> float:
    return float(values[values > -1].mean()) if (values > -1).any() else float("nan")


@pytest.mark.parametrize("seed", range(8))
def test_coco_precision_is_that_of_pycocotools(seed: int) -> None:
    value = coco_json(seed, pictures=8)
    results = results_json(value, seed)
    plain = without_masks(value)
    run = pycocotools_eval(plain, results, [1, 10, 100], use_cats=True)
    ours = precision_by_category(tally(matches(CocoFile(plain), results, MatchConfig())))
    for division in range(len(SIZES)):
        expected = mean_known(run.eval["precision"][:, :, :, division, 2])
        assert mean_of(ours, division) == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)
    expected_50 = mean_known(run.eval["precision"][0, :, :, 0, 2])
    assert mean_of(ours, 0, threshold=0) == pytest.approx(expected_50, abs=TOLERANCE)


@pytest.mark.parametrize("use_cats", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_coco_recall_is_that_of_pycocotools_with_and_without_categories(seed: int, use_cats: bool) -> None:
    value = coco_json(seed, pictures=8)
    results, plain = results_json(value, seed), without_masks(value)
    limits = [1, 4, 100]
    run = pycocotools_eval(plain, results, limits, use_cats=use_cats)
    found = tally(matches(CocoFile(plain), results, MatchConfig(per_category=use_cats)))
    for index, at_most in enumerate(limits):
        ours = recall_by_category(found, at_most)
        for division in range(len(SIZES)):
            expected = mean_known(run.eval["recall"][:, :, division, index])
            assert mean_of(ours, division) == pytest.approx(expected, abs=TOLERANCE, nan_ok=True)


def lvis_run(value: Json, results: list[Json], monkeypatch: pytest.MonkeyPatch) -> LVISEval:
    monkeypatch.setattr(np, "float", float, raising=False)  # the reference code is older than numpy 2
    truth = LVIS.__new__(LVIS)  # its constructor reads a file
    truth.logger = logging.getLogger("lvis")
    truth.dataset = copy.deepcopy(value)
    truth._create_index()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it calls logger.warn
        run = LVISEval(truth, LVISResults(truth, masks_alone(results)), "segm")
        run.run()
    return run


@pytest.mark.parametrize("seed", range(8))
def test_lvis_precision_is_that_of_the_reference_code_by_size_and_by_frequency(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = lvis_json(seed, pictures=10)
    results, plain = results_json(value, seed), without_masks(value)
    reference = lvis_run(plain, results, monkeypatch).get_results()
    file = LvisFile(plain)
    config = MatchConfig(max_answers=10_000, max_per_picture=300)
    ours = precision_by_category(tally(matches(file, results, config)))
    for division, key in enumerate(("AP", "APs", "APm", "APl")):
        expected = reference[key]
        assert mean_of(ours, division) == pytest.approx(
            expected if expected >= 0 else np.nan, abs=TOLERANCE, nan_ok=True
        )
    for frequency in "rcf":
        group = {key: values for key, values in ours.items() if file.frequencies[key] == frequency}
        expected = reference[f"AP{frequency}"]
        assert mean_of(group, 0) == pytest.approx(expected if expected >= 0 else np.nan, abs=TOLERANCE, nan_ok=True)


def test_lvis_counts_the_best_300_answers_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    value = lvis_json(1, pictures=3)
    rng = np.random.default_rng(0)
    results = results_json(value, 1)
    many = [{**results[index], "score": float(rng.random())} for index in rng.integers(0, len(results), 1500)]
    plain = without_masks(value)
    reference = lvis_run(plain, many, monkeypatch).get_results()
    ours = precision_by_category(
        tally(matches(LvisFile(plain), many, MatchConfig(max_answers=10_000, max_per_picture=300)))
    )
    assert mean_of(ours, 0) == pytest.approx(reference["AP"], abs=TOLERANCE)


@pytest.mark.parametrize("frequency", ["r", "c", "f"])
def test_recall_by_frequency_is_measured_against_a_truth_of_those_categories_alone(frequency: str) -> None:
    value = lvis_json(5, pictures=8)
    results, plain = results_json(value, 5), without_masks(value)
    file = LvisFile(plain)
    ids = frozenset(key for key, often in file.frequencies.items() if often == frequency)
    only = {**plain, "annotations": [one for one in plain["annotations"] if one["category_id"] in ids]}
    for one in only["annotations"]:
        one.setdefault("iscrowd", 0)
    run = pycocotools_eval(only, results, [1, 10, 1000], use_cats=False)
    config = MatchConfig(divisions=(Division(name=frequency, categories=ids),), per_category=False, max_answers=1000)
    ours = recall_by_category(tally(matches(file, results, config)), 1000)
    assert mean_of(ours, 0) == pytest.approx(mean_known(run.eval["recall"][:, :, 0, 2]), abs=TOLERANCE)


def test_the_compiled_coco_library_agrees() -> None:
    value = coco_json(3, pictures=8)
    results, plain = results_json(value, 3), without_masks(value)
    truth = compiled.COCO(copy.deepcopy(plain))
    run = compiled.COCOeval_faster(truth, truth.loadRes(masks_alone(results)), "segm")
    run.evaluate()
    run.accumulate()
    ours = precision_by_category(tally(matches(CocoFile(plain), results, MatchConfig())))
    assert mean_of(ours, 0) == pytest.approx(mean_known(run.eval["precision"][:, :, :, 0, 2]), abs=TOLERANCE)


def test_a_picture_that_counts_twice_is_a_picture_that_is_there_twice() -> None:
    value = coco_json(2, pictures=4)
    # Scores of their own: between equals the order of the pictures decides, which is not the same here and there.
    results = [{**one, "score": one["score"] + 1e-6 * place} for place, one in enumerate(results_json(value, 2))]
    every = matches(CocoFile(without_masks(value)), results, MatchConfig())
    weights = np.array([2.0, 0.0, 1.0, 1.0])
    once = tally([every[0], every[0], every[2], every[3]])
    for by_weight, by_copy in (
        (precision_by_category(tally(every), weights), precision_by_category(once)),
        (recall_by_category(tally(every), 3, weights), recall_by_category(once, 3)),
    ):
        for division in range(len(SIZES)):
            assert mean_of(by_weight, division) == pytest.approx(mean_of(by_copy, division), abs=1e-9, nan_ok=True)


def test_error_bars_hold_the_number_and_come_again_with_the_seed() -> None:
    value = coco_json(2, pictures=12)
    found = tally(matches(CocoFile(without_masks(value)), results_json(value, 2), MatchConfig()))

    def numbers(weights: np.ndarray | None) -> list[float]:
        return [mean_of(precision_by_category(found, weights), division) for division in range(4)]

    config = BootstrapConfig(resamples=60)
    first, second = bootstrap(found, numbers, config), bootstrap(found, numbers, config)
    assert first[0] == second[0]
    assert first[0].low < first[0].mean < first[0].high


def test_an_average_of_nothing_is_refused_and_a_size_that_is_not_there_has_none() -> None:
    with pytest.raises(ConfigError, match="at least one picture"):
        tally([])
    value = coco_json(2, pictures=4)
    for one in value["annotations"]:
        one["area"] = 50.0
    found = tally(matches(CocoFile(without_masks(value)), results_json(value, 2), MatchConfig()))
    assert np.isnan(mean_of(precision_by_category(found), 3))
    assert not np.isnan(mean_of(precision_by_category(found), 1))
