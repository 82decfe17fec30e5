"""The edge experiment over an archive or shards: counts, resuming, workers, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from anymask.dataset.read import read_source
from anymask.errors import ConfigError, DatasetError, RunError
from anymask.evaluation.boundaries.matching import above_thresholds, count_matches
from anymask.evaluation.boundaries.scores import score
from anymask.evaluation.edge_baselines import SobelEdges
from anymask.evaluation.edge_finders import EdgePicture, MapFolder, ModelEdges
from anymask.evaluation.protocols.edges import (
    ANNOTATORS,
    EdgeBenchmarkConfig,
    choose_pictures,
    run,
    score_annotators,
)
from anymask.evaluation.seen import TRAINED
from anymask.images.edges import edge_nms
from anymask.images.frames import Frame
from anymask.masks.borders import label_borders
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.edges import EdgesConfig, _strongest
from tests.evaluation.line_data import stripes, truth_file, write_archive, write_maps

CONFIG = EdgeBenchmarkConfig(levels=9, tolerance=0.0139)
"""Lines match up to one pixel apart."""


class Counted(SobelEdges):
    """Sobel that counts how often it is asked."""

    asked = 0

    def find(self, picture: EdgePicture, levels: int) -> list[np.ndarray]:
        Counted.asked += 1
        return super().find(picture, levels)


def test_scores_are_those_of_the_maps(tmp_path: Path) -> None:
    root, maps = write_archive(tmp_path / "BSR", 4), write_maps(tmp_path / "mine", 4)
    result = run(CONFIG, [root], [MapFolder(maps, "mine")])
    assert list(result.columns) == ["mine", ANNOTATORS]
    rows = result.columns["mine"]
    assert [row.picture for row in rows] == [f"bsds500_test/{number}" for number in (1, 2, 3, 4)]
    found = score([row.counts for row in rows])
    # Every annotator's lines are within a pixel; at .3 and below there is a line that nobody drew.
    assert (found.ods, found.ois) == (1, 1)
    assert rows[0].counts.predicted.tolist() == [120] * 2 + [80] * 5 + [0] * 2 or rows[0].counts.predicted[0] == 120
    assert rows[0].counts.truth == 160
    assert rows[0].counts.matched_truth[0] == 160


def test_annotators_are_scored_against_the_others(tmp_path: Path) -> None:
    root = write_archive(tmp_path, 2)
    near = run(CONFIG, [root], []).columns[ANNOTATORS]
    assert score([row.counts for row in near]).ods == 1
    exact = run(EdgeBenchmarkConfig(tolerance=0.001), [root], []).columns[ANNOTATORS]
    assert score([row.counts for row in exact]).ods == 0
    lines = [label_borders(stripes(1, shift)) for shift in (0, 1)]
    by_hand = count_matches(lines[:1], lines[1:], tolerance=0.0139) + count_matches(
        lines[1:], lines[:1], tolerance=0.0139
    )
    assert near[0].counts.matched_truth.tolist() == by_hand.matched_truth.tolist()


def test_an_annotator_alone_has_nobody_to_agree_with() -> None:
    from tests.evaluation.test_edge_finders import shard_picture

    picture = shard_picture(1)
    alone = EdgePicture(type(picture.source)("1", "lines", picture.source.image_bytes, picture.source.maps_bytes[:1]))
    assert score_annotators(alone, CONFIG).counts.truth == 0


def test_a_second_run_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    root, out = write_archive(tmp_path / "BSR", 3), tmp_path / "out"
    Counted.asked = 0
    first = run(EdgeBenchmarkConfig(levels=9, max_pictures=2), [root], [Counted()], out=out)
    assert Counted.asked == 2
    second = run(EdgeBenchmarkConfig(levels=9), [root], [Counted()], out=out)
    assert Counted.asked == 3
    assert {row.picture for row in first.columns["sobel"]} < {row.picture for row in second.columns["sobel"]}
    again = run(EdgeBenchmarkConfig(levels=9), [root], [Counted()], out=out)
    assert Counted.asked == 3
    kept, fresh = again.columns["sobel"], run(EdgeBenchmarkConfig(levels=9), [root], [SobelEdges()]).columns["sobel"]
    assert [row.counts.matched_truth.tolist() for row in kept] == [row.counts.matched_truth.tolist() for row in fresh]
    assert len((out / "sobel.jsonl").read_text().splitlines()) == 4
    assert set(json.loads((out / "annotators.jsonl").read_text().splitlines()[1])) >= {"picture", "truth", "match_s"}


def test_results_of_other_settings_are_not_mixed(tmp_path: Path) -> None:
    root, out = write_archive(tmp_path / "BSR", 1), tmp_path / "out"
    run(EdgeBenchmarkConfig(levels=9), [root], [SobelEdges()], out=out)
    with pytest.raises(RunError, match="results of other settings"):
        run(EdgeBenchmarkConfig(levels=10), [root], [SobelEdges()], out=out)


@pytest.mark.slow
def test_workers_change_nothing(tmp_path: Path) -> None:
    root = write_archive(tmp_path, 5)
    alone, spread = (run(CONFIG, [root], [SobelEdges()], workers=workers) for workers in (1, 2))
    for name in alone.columns:
        for one, other in zip(alone.columns[name], spread.columns[name], strict=True):
            assert one.picture == other.picture
            assert one.counts.matched_predicted.tolist() == other.counts.matched_predicted.tolist()


def test_a_damaged_picture_is_named_and_too_many_end_it(tmp_path: Path) -> None:
    root = write_archive(tmp_path, 4)
    (root / "groundTruth" / "test" / "2.mat").write_bytes(b"damaged")
    result = run(EdgeBenchmarkConfig(levels=3, max_bad_share=0.5), [root], [SobelEdges()])
    assert [name for name, _ in result.bad] == ["bsds500_test/2"]
    assert len(result.columns["sobel"]) == 3
    with pytest.raises(DatasetError, match="1 of 4 pictures cannot be read, first bsds500_test/2"):
        run(EdgeBenchmarkConfig(levels=3), [root], [SobelEdges()])


def test_a_folder_without_a_map_for_each_picture_is_refused_before_work(tmp_path: Path) -> None:
    root, maps = write_archive(tmp_path / "BSR", 3), write_maps(tmp_path / "mine", 2)
    with pytest.raises(DatasetError, match=r"has no map of 1 of 3 pictures, first \['3'\]"):
        run(CONFIG, [root], [MapFolder(maps, "mine")])


def test_maps_of_another_size_are_named(tmp_path: Path) -> None:
    root, maps = write_archive(tmp_path / "BSR", 1), write_maps(tmp_path / "mine", 1)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(maps / "1.png")
    with pytest.raises(DatasetError, match=r"mine gives a map of \(20, 30\).*ground truth is \(40, 60\)"):
        run(CONFIG, [root], [MapFolder(maps, "mine")])


def test_a_model_that_has_seen_the_pictures_is_headed_so(tmp_path: Path, small_model: Path) -> None:
    root = write_archive(tmp_path, 1, split="val")
    config = EdgeBenchmarkConfig(levels=2, split="val", annotators=False)
    predictor, few = Predictor(load(small_model)), EdgesConfig(points_per_side=2)
    finders = [
        ModelEdges(predictor, name, sets, few)
        for name, sets in (("seen", frozenset({"bsds500"})), ("new", frozenset({"ccp"})))
    ]
    assert run(config, [root], finders).notes == {"seen": TRAINED}


def test_shards_give_the_sets_that_are_named(data_dir: Path) -> None:
    shard = data_dir / "train-00.tar"
    names = choose_pictures([shard], EdgeBenchmarkConfig(max_pictures=3))
    assert len(names) == 3
    assert all(name == f"bsds500/{picture_id}" for name, picture_id in names.items())
    assert set(choose_pictures([shard], EdgeBenchmarkConfig(max_pictures=2))) < set(names)
    with pytest.raises(DatasetError, match="no picture of the sets bsds300"):
        choose_pictures([shard], EdgeBenchmarkConfig(sets=("bsds300",)))


def test_what_cannot_be_evaluated_is_refused(tmp_path: Path) -> None:
    root = write_archive(tmp_path, 1)
    with pytest.raises(ConfigError, match="each with its own name"):
        run(CONFIG, [root], [SobelEdges(), SobelEdges()])
    with pytest.raises(ConfigError, match="at least one column"):
        run(EdgeBenchmarkConfig(annotators=False), [root], [])
    with pytest.raises(DatasetError, match="comes twice"):
        run(CONFIG, [root, root], [SobelEdges()])


@pytest.mark.parametrize(
    ("field", "value"), [("levels", 0), ("tolerance", 1.5), ("max_bad_share", -1), ("max_pictures", 0)]
)
def test_impossible_settings_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"EdgeBenchmarkConfig.{field} must be .* got {value}"):
        EdgeBenchmarkConfig(**{field: value})


@pytest.mark.slow
def test_the_archives_layout_scores_as_the_shard_does(tmp_path: Path, data_dir: Path) -> None:
    shard = data_dir / "train-00.tar"
    root = tmp_path / "data"
    for folder in ("images", "groundTruth"):
        (root / folder / "train").mkdir(parents=True)
    config = EdgeBenchmarkConfig(levels=9, split="train", max_pictures=2)
    wanted = choose_pictures([shard], config)
    for record in read_source(shard):
        if record.name in wanted:
            Image.fromarray(record.pixels()).save(root / "images" / "train" / f"{record.id}.png")
            (root / "groundTruth" / "train" / f"{record.id}.mat").write_bytes(truth_file(record.label_maps()))
    of_shard, of_archive = (run(config, [data], [SobelEdges()]) for data in (shard, root))
    for name in ("sobel", ANNOTATORS):
        for one, other in zip(of_shard.columns[name], of_archive.columns[name], strict=True):
            assert one.counts.truth == other.counts.truth
            assert one.counts.matched_truth.tolist() == other.counts.matched_truth.tolist()
            assert one.counts.matched_predicted.tolist() == other.counts.matched_predicted.tolist()


@pytest.mark.slow
def test_a_persons_masks_in_place_of_a_models_give_that_persons_score(data_dir: Path) -> None:
    records = [one for one in read_source(data_dir / "train-00.tar") if one.set_name == "bsds500"][:4]
    by_masks, by_lines = [], []
    for record in records:
        first, *others = record.label_maps()
        frame = Frame.fit(first.shape, 1024)
        logits = [
            frame.to_input_logits(first == label, 256, magnitude=10).reshape(256, 256) for label in np.unique(first)
        ]
        ready = SimpleNamespace(frame=frame, model=SimpleNamespace(mask_threshold=0.0))
        strength = _strongest(cast(Any, ready), torch.stack(logits))
        truths = [label_borders(labels) for labels in others]
        by_masks.append(count_matches(above_thresholds(edge_nms(strength / strength.max())), truths))
        by_lines.append(count_matches([label_borders(first)], truths))
    assert score(by_masks).ods > score(by_lines).ods - 0.03
