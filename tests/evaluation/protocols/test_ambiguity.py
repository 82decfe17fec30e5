"""The ambiguity experiment: its figures on answers written by hand, and on a whole run of a scripted segmenter."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from anymask.errors import ConfigError, DatasetError
from anymask.evaluation.protocols.ambiguity import (
    AmbiguityConfig,
    ClickAnswer,
    PictureClicks,
    calibrate,
    differences,
    look_at,
    run,
    stand,
)
from anymask.evaluation.scores import ALL_SETS
from anymask.evaluation.segmenter import Answer
from anymask.evaluation.targets import TargetConfig
from anymask.prompts.types import Prompt

CONFIG = AmbiguityConfig(bins=4)


def write_discs(root: Path) -> list[Path]:
    """Two sets of two pictures, each with two discs."""
    rows, columns = np.mgrid[:40, :60]
    labels = np.zeros((40, 60), np.uint8)
    for label, column in ((1, 15), (2, 44)):
        labels[(rows - 20) ** 2 + (columns - column) ** 2 < 25] = label
    for set_name in ("one", "two"):
        folder = root / set_name
        folder.mkdir()
        for number in range(2):
            Image.fromarray(np.full((40, 60, 3), 90 + number, np.uint8)).save(folder / f"{number}.jpg")
            Image.fromarray(labels).save(folder / f"{number}.png")
    return [root]


def squares(*sides: int, shift: int = 0) -> npt.NDArray[np.bool_]:
    masks = np.zeros((len(sides), 20, 20), bool)
    for index, side in enumerate(sides):
        masks[index, shift * index : shift * index + side, :side] = True
    return masks


@dataclass
class Nested:
    """Answers three discs around the click, each inside the next, sure of the middle one."""

    gives_three: bool = True
    name: str = "nested"
    fingerprint: str = "1"
    takes_points: bool = True
    takes_boxes: bool = False
    shape: list[int] = field(default_factory=list)

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.shape = list(pixels.shape[:2])

    def predict(self, prompt: Prompt, *, multimask: bool) -> Answer:
        assert multimask
        rows, columns = np.mgrid[: self.shape[0], : self.shape[1]] + 0.5
        x, y = prompt.points_xy[0]
        away = np.hypot(rows - y, columns - x)
        masks = np.stack([away < radius for radius in (2, 5, 9)])
        return Answer(masks, np.array([0.2, 0.9, 0.4], np.float32))


def test_nested_masks_are_contained_whatever_their_order() -> None:
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        found = look_at(np.zeros(3), squares(4, 8, 12)[order], np.zeros(3), "a")
        assert found.contained == 1
        assert found.smallest_to_largest == pytest.approx(16 / 144)


def test_masks_beside_each_other_are_not_contained() -> None:
    assert look_at(np.zeros(3), squares(4, 5, 6, shift=6), np.zeros(3), "a").contained == 0


def test_an_empty_mask_lies_in_any_other() -> None:
    found = look_at(np.zeros(3), squares(0, 0, 5), np.zeros(3), "a")
    assert (found.contained, found.smallest_to_largest) == (1, 0)


def test_figures_of_answers_written_by_hand() -> None:
    actual = [np.array([0.1, 0.6, 0.3]), np.array([0.2, 0.8, 0.9])]
    answers = [
        look_at([0.1, 0.5, 0.3], squares(4, 8, 12), actual[0], "a"),
        look_at([0.2, 0.9, 0.7], squares(4, 5, 6, shift=6), actual[1], "b"),
    ]
    found = stand("x", answers, CONFIG)
    assert (found.pictures, found.clicks) == (2, 2)
    assert found.chosen_is_best.mean == 0.5
    assert found.confident.mean == pytest.approx((0.6 + 0.8) / 2)
    assert found.oracle.mean == pytest.approx((0.6 + 0.9) / 2)
    assert found.contained.mean == 0.5
    assert found.smallest_to_largest == pytest.approx((16 / 144 + 16 / 36) / 2)
    # Ranks of the six: predicted 1, 4, 3, 2, 6, 5; actual 1, 4, 3, 2, 5, 6.
    assert found.spearman.mean == pytest.approx(1 - 6 * 2 / (6 * 35))


def test_a_perfect_ranking_of_any_scale_has_a_rank_correlation_of_one() -> None:
    answers = [
        look_at(np.array([0.2, 0.4, 0.6]) ** 3, squares(2, 4, 6), np.array([0.2, 0.4, 0.6]), name) for name in "abc"
    ]
    found = stand("x", answers, CONFIG).spearman
    assert (found.mean, found.low, found.high) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))


def test_a_calibration_error_is_the_distance_from_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.random(3000)
    for shift in (0.0, 0.2):
        bins = calibrate(predicted, predicted - shift, 10)
        assert sum(count for *_, count in bins) == 3000
        assert all(said - true == pytest.approx(shift) for said, true, _ in bins)


def test_predictions_outside_the_unit_interval_are_counted_at_its_ends() -> None:
    assert [count for *_, count in calibrate(np.array([-0.2, 1.3]), np.zeros(2), 4)] == [1, 1]


def test_a_run_asks_every_region_once_and_sums_up_by_set(tmp_path: Path) -> None:
    shards = write_discs(tmp_path)
    done: list[tuple[int, int]] = []
    result = run(AmbiguityConfig(), shards, Nested(), progress=lambda *at: done.append(at))
    *sets, together = result.standings
    assert together.set_name == ALL_SETS
    assert together.clicks == sum(one.clicks for one in sets) > 0
    assert all(one.contained.mean == 1 for one in result.standings)
    assert done[-1][0] == done[-1][1] > 0
    assert sum(count for *_, count in result.calibration) == 3 * together.clicks
    again = run(AmbiguityConfig(max_pictures=1), shards, Nested())
    assert again.standings[-1].pictures < together.pictures


def test_a_stricter_share_finds_fewer_nested_answers() -> None:
    masks = squares(10, 11, 12, shift=1)
    masks[0, 0] = False
    masks[0, 15, 15] = True  # one of the smallest's pixels lies outside
    answers = [look_at(np.zeros(3), masks, np.zeros(3), "a")]
    assert 0.9 < answers[0].contained < 1
    strict, loose = (stand("x", answers, AmbiguityConfig(contained_from=share)).contained.mean for share in (1.0, 0.9))
    assert (strict, loose) == (0.0, 1.0)


def test_a_segmenter_of_one_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="three masks"):
        run(AmbiguityConfig(), write_discs(tmp_path), Nested(gives_three=False))


def test_data_without_a_region_to_click_on_says_so(tmp_path: Path) -> None:
    config = AmbiguityConfig(targets=TargetConfig(min_area_px=10**6))
    with pytest.raises(DatasetError, match="no picture has a region"):
        run(config, write_discs(tmp_path), Nested())


@pytest.mark.parametrize(
    ("field_name", "value"), [("contained_from", 0.0), ("bins", 1), ("max_pictures", 0), ("max_bad_share", 2.0)]
)
def test_bad_settings_are_named(field_name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field_name):
        AmbiguityConfig(**{field_name: value})


@dataclass
class Stopping(Nested):
    """Is stopped at the third picture."""

    shown: int = 0

    def set_image(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.shown += 1
        if self.shown == 3:
            raise KeyboardInterrupt
        super().set_image(pixels)


def test_a_stopped_run_goes_on_and_ends_alike(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = write_discs(tmp_path / "data")
    whole = run(CONFIG, data, Nested())
    with pytest.raises(KeyboardInterrupt):
        run(CONFIG, data, Stopping(), out=tmp_path / "out")
    later = Stopping()
    assert run(CONFIG, data, later, out=tmp_path / "out").standings == whole.standings
    assert later.shown == 2


def clicks(seed: int, better: float, sets: tuple[str, ...] = ("a", "b")) -> list[PictureClicks]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(12):
        name = f"{sets[number % len(sets)]}/{number}"
        answers = []
        for _ in range(2):
            actual = rng.random(3)
            answers.append(ClickAnswer(name, actual * better + rng.random(3) * (1 - better), actual, rng.random(), 0.5))
        found.append(PictureClicks(picture=name, sha256="1", answers=tuple(answers)))
    return found


def test_differences_are_those_of_the_figures_and_none_of_a_run_to_itself() -> None:
    first, second = clicks(1, 1.0), clicks(2, 0.1)
    found = {(measure, set_name): value for measure, set_name, value in differences(first, second, CONFIG)}
    for set_name in ("a", "b", ALL_SETS):
        ours, theirs = (
            stand(
                set_name, [one for row in side if set_name in (row.set_name, ALL_SETS) for one in row.answers], CONFIG
            )
            for side in (first, second)
        )
        for measure, field_name in (
            *(("Spearman", "spearman"), ("chosen is best", "chosen_is_best"), ("chosen", "confident")),
            *(("best of 3", "oracle"), ("nested", "contained")),
        ):
            expected = getattr(ours, field_name).mean - getattr(theirs, field_name).mean
            assert found[measure, set_name].mean == pytest.approx(expected)
    assert found["Spearman", ALL_SETS].low > 0
    for _, _, value in differences(first, first, CONFIG):
        assert (value.mean, value.low, value.high) == (0, 0, 0)


def test_other_regions_or_none_are_refused() -> None:
    first = clicks(1, 1.0)
    fewer = [replace(row, answers=row.answers[:1]) for row in first]
    with pytest.raises(ConfigError, match="same masks"):
        differences(first, fewer, CONFIG)
    with pytest.raises(ConfigError, match="nothing to compare"):
        differences([replace(first[0], answers=())], [replace(first[0], answers=())], CONFIG)
