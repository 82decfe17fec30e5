"""The points experiment: the prompts it gives, the scores it keeps, and that a run can stop and go on."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from anymask.dataset import Record, read_shards
from anymask.errors import ConfigError, DatasetError, RunError
from anymask.evaluation.baselines import Felzenszwalb, GrabCut, GrabCutConfig
from anymask.evaluation.protocols.points import PointsConfig, choose_pictures, run, score_picture
from anymask.evaluation.segmenter import Answer
from anymask.evaluation.targets import TargetConfig
from anymask.prompts.types import Prompt
from tests.evaluation.small_data import write_small_sets

Mask = npt.NDArray[np.bool_]


def png(labels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG")
    return buffer.getvalue()


def drawn_record(seed: int, set_name: str = "drawn") -> Record:
    """Discs of three colours on noise, (60, 80), labels 1 to 3."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((60, 80), np.uint8)
    rows, columns = np.mgrid[:60, :80]
    for label, column in enumerate((15, 40, 66), start=1):
        radius = rng.integers(6, 11)
        labels[(rows - rng.integers(20, 40)) ** 2 + (columns - column) ** 2 < radius**2] = label
    colours = np.array([(90, 90, 90), (220, 40, 40), (40, 200, 60), (60, 80, 220)])
    pixels = (colours[labels] + rng.normal(0, 12, (60, 80, 3))).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True)
    return Record(str(seed), set_name, buffer.getvalue(), (png(labels),))


def write_shard(path: Path, records: list[Record]) -> Path:
    with tarfile.open(path, "w") as archive:
        for record in records:
            files = [(".webp", record.image_bytes), *((f"__{i}.png", data) for i, data in enumerate(record.maps_bytes))]
            for suffix, data in files:
                info = tarfile.TarInfo(record.name + suffix)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    return [
        write_shard(tmp_path / "one.tar", [drawn_record(seed, "one") for seed in range(4)]),
        write_shard(tmp_path / "two.tar", [drawn_record(seed, "two") for seed in range(10, 13)]),
    ]


@dataclass
class Scripted:
    """Answers squares that grow with the number of clicks, and writes down every prompt: what is asked is seen."""

    name: str = "scripted"
    fingerprint: str = "1"
    takes_points: bool = True
    takes_boxes: bool = True
    gives_three: bool = True
    asked: list[tuple[Prompt, bool]] = field(default_factory=list)
    pictures: list[npt.NDArray[np.uint8]] = field(default_factory=list)

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pictures.append(pixels)

    def answer(self, prompt: Prompt, multimask: bool) -> Answer:
        clicks = 0 if prompt.points_xy is None else len(prompt.points_xy)
        masks = np.zeros((3 if multimask else 1, *self.pictures[-1].shape[:2]), bool)
        for index, mask in enumerate(masks):
            side = 8 + 4 * clicks + 5 * index
            mask[:side, : 2 * side] = True
        scores = np.array([0.2, 0.9, 0.5], np.float32)[: len(masks)]
        logits = np.arange(len(masks), dtype=np.float32)[:, None, None] + np.full(
            (len(masks), 4, 4), 10.0 * clicks, np.float32
        )
        return Answer(masks, scores, logits)

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        self.asked.append((prompt, multimask))
        return self.answer(prompt, multimask)


def iou(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / (a | b).sum())


def depth(mask: Mask) -> npt.NDArray[np.float32]:
    return cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]


def test_the_first_prompts_of_a_target_are_those_of_the_protocol() -> None:
    record, segmenter = drawn_record(0), Scripted()
    score_picture(segmenter, record, PointsConfig(clicks=(1,)))
    np.testing.assert_array_equal(segmenter.pictures[0], record.pixels())
    # All targets of a picture together: a click each, then a box each, then the same boxes for three masks.
    assert [multimask for _, multimask in segmenter.asked] == [True] * 3 + [False] * 3 + [True] * 3
    for label in (1, 2, 3):
        target = record.label_maps()[0] == label
        (click, _), (box, _), (box_again, _) = segmenter.asked[label - 1 :: 3]
        (x, y) = click.points_xy[0]
        assert (x % 1, y % 1) == (0.5, 0.5)  # a pixel's centre
        assert depth(target)[int(y), int(x)] == depth(target).max()
        assert click.labels.tolist() == [1]
        assert click.mask_logits is None
        rows, columns = np.nonzero(target)
        assert box.box_xyxy.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box_again.box_xyxy.tolist() == box.box_xyxy.tolist()


def test_later_clicks_carry_all_clicks_and_the_last_logits_and_ask_for_one_mask() -> None:
    record, segmenter = drawn_record(1), Scripted(takes_boxes=False)
    result = score_picture(segmenter, record, PointsConfig(clicks=(1, 4), targets=TargetConfig(per_picture=1)))
    (scores,) = result.targets
    target = record.label_maps()[0] == scores.label
    prompts = [prompt for prompt, _ in segmenter.asked]
    assert [multimask for _, multimask in segmenter.asked] == [True, False, False, False]
    for count in range(1, 4):
        before, now = prompts[count - 1], prompts[count]
        last = segmenter.answer(before, multimask=count == 1)
        chosen = 1 if count == 1 else 0  # the score of .9 among three, the only one later
        np.testing.assert_array_equal(now.mask_logits, last.logits[chosen])
        np.testing.assert_array_equal(now.points_xy[:-1], before.points_xy)
        np.testing.assert_array_equal(now.labels[:-1], before.labels)
        x, y = (int(value) for value in now.points_xy[-1])
        missed, excess = depth(target & ~last.masks[chosen]), depth(last.masks[chosen] & ~target)
        assert now.labels[-1] == (missed.max() >= excess.max())
        assert max(missed[y, x], excess[y, x]) == max(missed.max(), excess.max())


def test_scores_are_the_iou_of_the_most_confident_and_of_the_best_mask() -> None:
    record, segmenter = drawn_record(2), Scripted()
    result = score_picture(segmenter, record, PointsConfig(clicks=(1, 2)))
    assert result.picture == "drawn/2"
    assert [target.label for target in result.targets] == [1, 2, 3]
    per_target = [segmenter.asked[i::3] for i in range(3)]
    for target, ((click, _), (second, _), (box, _), _) in zip(result.targets, per_target, strict=True):
        truth = record.label_maps()[0] == target.label
        clicked, boxed = segmenter.answer(click, True).masks, segmenter.answer(box, True).masks
        assert target.area_px == truth.sum()
        assert target.score("click") == target.score("clicks_1") == pytest.approx(iou(clicked[1], truth))
        assert target.score("click_oracle") == pytest.approx(max(iou(mask, truth) for mask in clicked))
        assert target.score("clicks_2") == pytest.approx(iou(segmenter.answer(second, False).masks[0], truth))
        assert target.score("box") == pytest.approx(iou(segmenter.answer(box, False).masks[0], truth))
        assert target.score("box_confident") == pytest.approx(iou(boxed[1], truth))
        assert target.score("box_oracle") == pytest.approx(max(iou(mask, truth) for mask in boxed))


def test_a_segmenter_is_asked_only_what_it_takes() -> None:
    record = drawn_record(3)
    boxes = score_picture(GrabCut(), record, PointsConfig())
    clicks = score_picture(Felzenszwalb(), record, PointsConfig())
    assert all(target.clicks is None and target.box.single > 0.5 for target in boxes.targets)
    assert all(target.box is None and len(target.clicks.curve) == 9 for target in clicks.targets)
    one_opinion = Scripted(gives_three=False, takes_points=False)
    score_picture(one_opinion, record, PointsConfig())
    assert [multimask for _, multimask in one_opinion.asked] == [False] * 3


def test_every_segmenter_is_asked_about_the_same_regions(shards: list[Path]) -> None:
    result = run(PointsConfig(clicks=(1, 2)), shards, [GrabCut(), Felzenszwalb(), Scripted()])
    asked = [
        [(one.picture, target.map_index, target.label) for one in column for target in one.targets]
        for column in result.columns.values()
    ]
    assert list(result.columns) == ["grabcut", "felzenszwalb", "scripted"]
    assert asked[0] == asked[1] == asked[2]
    assert len(asked[0]) == 21
    assert [one.picture for one in result.columns["grabcut"]] == [
        record.name for record in read_shards(shards)
    ]  # in the order of the data


def test_a_run_is_the_same_twice_and_over_processes(shards: list[Path], tmp_path: Path) -> None:
    config = PointsConfig(clicks=(1, 2))
    segmenters = [GrabCut(GrabCutConfig(iterations=1)), Felzenszwalb()]
    once = run(config, shards, segmenters)
    assert run(config, shards, segmenters) == once
    assert run(config, shards, segmenters, out=tmp_path / "out", workers=2) == once


class StopError(Exception):
    """Somebody pressed Ctrl-C."""


def test_a_run_that_was_stopped_goes_on_without_asking_again(shards: list[Path], tmp_path: Path) -> None:
    config, whole = PointsConfig(clicks=(1, 2)), run(PointsConfig(clicks=(1, 2)), shards, [Scripted()])
    first, second = Scripted(), Scripted()

    def stop(done: int, total: int) -> None:
        assert total == 7
        if done == 3:
            raise StopError

    with pytest.raises(StopError):
        run(config, shards, [first], out=tmp_path / "out", progress=stop)
    resumed = run(config, shards, [second], out=tmp_path / "out")
    assert resumed == whole
    assert (len(first.pictures), len(second.pictures)) == (3, 4)


def test_a_column_added_later_is_the_only_one_asked(shards: list[Path], tmp_path: Path) -> None:
    config = PointsConfig(clicks=(1,))
    first = Scripted()
    run(config, shards, [first], out=tmp_path)
    before = len(first.asked)
    both = run(config, shards, [first, Felzenszwalb()], out=tmp_path)
    assert len(first.asked) == before
    assert list(both.columns) == ["scripted", "felzenszwalb"]


def test_more_pictures_later_keep_the_first_ones(shards: list[Path], tmp_path: Path) -> None:
    few, more = Scripted(), Scripted()
    run(PointsConfig(clicks=(1,), max_pictures=2), shards, [few], out=tmp_path)
    run(PointsConfig(clicks=(1,), max_pictures=3), shards, [more], out=tmp_path)
    assert (len(few.pictures), len(more.pictures)) == (4, 2)


@pytest.mark.parametrize(
    ("config", "segmenter"),
    [
        (PointsConfig(clicks=(1, 2)), Scripted()),
        (PointsConfig(clicks=(1,), targets=TargetConfig(seed=1)), Scripted()),
        (PointsConfig(clicks=(1,)), Scripted(fingerprint="2")),
    ],
    ids=["clicks", "targets", "segmenter"],
)
def test_results_of_other_settings_are_not_taken_for_these(
    shards: list[Path], tmp_path: Path, config: PointsConfig, segmenter: Scripted
) -> None:
    run(PointsConfig(clicks=(1,)), shards, [Scripted()], out=tmp_path)
    with pytest.raises(RunError, match="other settings"):
        run(config, shards, [segmenter], out=tmp_path)


def test_fewer_pictures_are_a_fixed_part_of_each_set(shards: list[Path]) -> None:
    every, two, one = (choose_pictures(shards, most) for most in (None, 2, 1))
    assert len(every) == 7
    assert sorted(name.split("/")[0] for name in two) == ["one", "one", "two", "two"]
    assert one < two < every


def test_a_corrupt_picture_is_named_and_the_others_are_scored(tmp_path: Path) -> None:
    records = [drawn_record(seed) for seed in range(40)]
    records[7] = Record("7", "drawn", records[7].image_bytes[:200], records[7].maps_bytes)
    result = run(
        PointsConfig(clicks=(1,)), [write_shard(tmp_path / "x.tar", records)], [Scripted()], out=tmp_path / "o"
    )
    assert [name for name, _ in result.bad] == ["drawn/7"]
    assert result.bad[0][1]
    assert len(result.columns["scripted"]) == 39


def test_too_many_corrupt_pictures_end_the_evaluation(tmp_path: Path) -> None:
    records = [drawn_record(seed) for seed in range(4)]
    records[2] = Record("2", "drawn", records[2].image_bytes, (b"no map",))
    shard = write_shard(tmp_path / "x.tar", records)
    with pytest.raises(DatasetError, match=r"1 of 4 pictures cannot be read, first drawn/2"):
        run(PointsConfig(clicks=(1,)), [shard], [Scripted()])
    assert run(PointsConfig(clicks=(1,), max_bad_share=0.25), [shard], [Scripted()]).bad


def test_a_picture_without_a_target_is_counted_and_not_shown_to_anyone(tmp_path: Path) -> None:
    """All background, a single pixel, and nobody labelled it."""
    pixel = np.zeros((60, 80), np.uint8)
    pixel[3, 3] = 1
    image = drawn_record(0).image_bytes
    records = [
        drawn_record(0),
        Record("background", "drawn", image, (png(np.zeros((60, 80), np.uint8)),)),
        Record("pixel", "drawn", image, (png(pixel),)),
        Record("bare", "drawn", image),
    ]
    segmenter = Scripted()
    result = run(PointsConfig(clicks=(1,)), [write_shard(tmp_path / "x.tar", records)], [segmenter])
    assert result.without_targets == ("drawn/background", "drawn/pixel", "drawn/bare")
    assert len(segmenter.pictures) == 1


def test_two_columns_of_one_name_are_refused(shards: list[Path]) -> None:
    for segmenters in ([], [Scripted(), Scripted()]):
        with pytest.raises(ConfigError, match="own name"):
            run(PointsConfig(), shards, segmenters)


def test_data_given_twice_is_refused(shards: list[Path]) -> None:
    with pytest.raises(DatasetError, match="comes twice"):
        run(PointsConfig(), [shards[0], shards[0]], [Scripted()])


@pytest.mark.parametrize(
    "bad", [{"clicks": ()}, {"clicks": (2, 3)}, {"clicks": (1, 3, 2)}, {"max_pictures": 0}, {"max_bad_share": 1.5}]
)
def test_a_bad_config_is_refused_by_field(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        PointsConfig(**bad)


def test_real_pictures_give_scores_of_all_measures(data_dir: Path, tmp_path: Path) -> None:
    data = write_small_sets(tmp_path, [data_dir / "val-food_plates.tar", data_dir / "val-coco_mini.tar"], 2)
    result = run(PointsConfig(clicks=(1, 2)), [data], [GrabCut(), Felzenszwalb()])
    asked = 0
    for name, measures in (("grabcut", ("box",)), ("felzenszwalb", ("click", "clicks_2"))):
        for one in result.columns[name]:
            for target in one.targets:
                asked += 1
                assert all(0 <= target.score(measure) <= 1 for measure in measures)
    assert asked > 8
