from pathlib import Path

import pytest

from anymask.errors import ConfigError, RunError
from anymask.evaluation.rating.making import make_study
from anymask.evaluation.rating.study import ROWS, STUDY, RatingConfig, picture_from_plain, picture_to_plain, read_study
from tests.evaluation.rating.drawn_study import Square, write_set


def test_a_study_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = make_study(RatingConfig(), [write_set(tmp_path / "data")], [Square()], tmp_path / "study")
    read = read_study(tmp_path / "study")
    assert (read.columns, read.prompt, read.digest) == (("square", "ground truth"), "point", made.digest)
    for picture in read.pictures():
        assert picture_from_plain(picture_to_plain(picture)) == picture
        assert read.image_bytes(picture)


def test_a_folder_without_study_json_is_not_whole(tmp_path: Path) -> None:
    make_study(RatingConfig(), [write_set(tmp_path / "data")], [Square()], tmp_path / "study")
    (tmp_path / "study" / STUDY).unlink()
    with pytest.raises(RunError, match="anymask evaluate rating make"):
        read_study(tmp_path / "study")


def test_damage_is_told(tmp_path: Path) -> None:
    study = make_study(RatingConfig(), [write_set(tmp_path / "data")], [Square()], tmp_path / "study")
    picture = study.pictures()[0]
    (tmp_path / "study" / "pictures" / picture.file).unlink()
    with pytest.raises(RunError, match="make the study again"):
        study.image_bytes(picture)
    (tmp_path / "study" / ROWS).write_text('{"settings": "x"}\n{"picture": 1}\n')
    with pytest.raises(RunError, match="damaged"):
        study.pictures()
    (tmp_path / "study" / STUDY).write_text('{"schema": 2, "prompt": "point"}')
    with pytest.raises(RunError, match="another schema"):
        read_study(tmp_path / "study")


@pytest.mark.parametrize("values", [{"masks_per_set": 0}, {"min_area_px": 0}, {"max_side_px": 0}, {"prompt": "text"}])
def test_settings_that_cannot_be_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="RatingConfig"):
        RatingConfig(**values)
