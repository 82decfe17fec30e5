from pathlib import Path

import numpy as np
import pytest

from anymask.errors import ConfigError, DatasetError, RunError
from anymask.evaluation.rating.making import draw, make_study
from anymask.evaluation.rating.study import TRUTH, RatingConfig
from anymask.images.load import load_image
from anymask.masks.boxes import mask_to_box
from anymask.masks.rle import area, decode
from anymask.prompts.clicks import most_interior_point
from tests.evaluation.rating.drawn_study import SIZE_HW, Square, write_set

CONFIG = RatingConfig()


def test_every_column_is_asked_at_the_middle_of_masks_that_are_large_enough(tmp_path: Path) -> None:
    square = Square()
    study = make_study(CONFIG, [write_set(tmp_path / "data")], [square, Square("other", 5)], tmp_path / "study")
    pictures = study.pictures()
    assert [len(picture.targets) for picture in pictures] == [2, 2, 2, 2]  # 120 px are not rated
    asked = iter(square.asked)
    for picture in pictures:
        for target in picture.targets:
            truth = decode(target.masks[TRUTH])
            assert target.point_xy == most_interior_point(truth)
            assert target.box_xyxy is None
            assert truth.sum() >= CONFIG.min_area_px
            points = next(asked).points_xy
            assert points is not None
            assert tuple(points[0]) == target.point_xy
            # The most confident of three is kept, here the last.
            assert list(target.masks) == ["square", "other", TRUTH]
            assert area(target.masks["square"]) > area(target.masks["other"])


def test_boxes_are_those_of_the_annotated_masks(tmp_path: Path) -> None:
    config = RatingConfig(prompt="box")
    study = make_study(config, [write_set(tmp_path / "data")], [Square()], tmp_path / "study")
    for target in (target for picture in study.pictures() for target in picture.targets):
        assert target.point_xy is None
        assert target.box_xyxy == tuple(mask_to_box(decode(target.masks[TRUTH])).tolist())


def test_a_large_picture_is_reduced_before_anybody_is_asked(tmp_path: Path) -> None:
    square = Square()
    config = RatingConfig(max_side_px=40, min_area_px=200)
    study = make_study(config, [write_set(tmp_path / "data")], [square], tmp_path / "study")
    assert {pixels.shape for pixels in square.shown} == {(30, 40, 3)}
    for picture in study.pictures():
        assert load_image(study.image_bytes(picture)).size_hw == picture.size_hw == (30, 40)
        for target in picture.targets:
            assert area(target.masks[TRUTH]) >= 0.9 * config.min_area_px


def test_pictures_that_are_small_enough_keep_every_pixel(tmp_path: Path) -> None:
    square = Square()
    study = make_study(CONFIG, [write_set(tmp_path / "data", 1)], [square], tmp_path / "study")
    kept = load_image(study.image_bytes(study.pictures()[0]))
    assert kept.size_hw == SIZE_HW
    assert np.array_equal(kept.pixels, square.shown[0])


def test_the_draw_is_the_same_again_and_each_set_has_its_own(tmp_path: Path) -> None:
    data = write_set(write_set(tmp_path / "data", 12), 12, name="more")
    config = RatingConfig(masks_per_set=7)
    drawn = draw([data], config).masks
    assert drawn == draw([data], config).masks
    assert drawn != draw([data], RatingConfig(masks_per_set=7, seed=1)).masks
    sizes = {name: sum(len(masks) for key, masks in drawn.items() if key.startswith(name)) for name in ("bars", "more")}
    assert sizes == {"bars": 7, "more": 7}
    places = [{key.split("/")[1]: value for key, value in drawn.items() if key.startswith(name)} for name in sizes]
    assert places[0] != places[1]


def test_a_stopped_making_goes_on_and_ends_alike(tmp_path: Path) -> None:
    data = [write_set(tmp_path / "data", 5)]
    whole = make_study(CONFIG, data, [Square()], tmp_path / "whole")

    class Stopping(Square):
        def set_image(self, pixels: np.ndarray) -> None:
            if len(self.shown) == 2:
                raise KeyboardInterrupt
            super().set_image(pixels)

    with pytest.raises(KeyboardInterrupt):
        make_study(CONFIG, data, [Stopping()], tmp_path / "part")
    later = Square()
    part = make_study(CONFIG, data, [later], tmp_path / "part")
    assert len(later.shown) == 3
    assert (part.digest, part.pictures()) == (whole.digest, whole.pictures())


def test_other_columns_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    data = [write_set(tmp_path / "data")]
    make_study(CONFIG, data, [Square()], tmp_path / "study")
    with pytest.raises(RunError, match="other settings"):
        make_study(CONFIG, data, [Square(half=3)], tmp_path / "study")


def test_columns_that_cannot_be_are_refused(tmp_path: Path) -> None:
    data = [write_set(tmp_path / "data")]
    for columns in ([], [Square(), Square()], [Square(TRUTH)]):
        with pytest.raises(ConfigError, match="each with its own name"):
            make_study(CONFIG, data, columns, tmp_path / "study")
    with pytest.raises(ConfigError, match="does not answer clicks"):
        make_study(CONFIG, data, [Square(takes_points=False)], tmp_path / "study")


def test_data_without_a_mask_that_can_be_rated_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="min-area"):
        make_study(RatingConfig(min_area_px=10**6), [write_set(tmp_path / "data")], [Square()], tmp_path / "study")
    with pytest.raises(DatasetError, match="twice"):
        draw([tmp_path / "data", tmp_path / "data"], CONFIG)
