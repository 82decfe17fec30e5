import json
from pathlib import Path

import pytest

from anymask.errors import RunError
from anymask.evaluation.protocols.points import PointsConfig, run
from anymask.evaluation.rating.finished import read_finished
from anymask.evaluation.rating.making import make_study
from anymask.evaluation.rating.study import RatingConfig
from anymask.evaluation.report import write_report
from anymask.evaluation.results import result_from_plain
from anymask.evaluation.rows import read_rows
from tests.evaluation.rating.drawn_study import Square, write_set

CLICKS = PointsConfig(clicks=(1,))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_set(tmp_path / "data")


@pytest.fixture
def evaluation(data: Path, tmp_path: Path) -> Path:
    out = tmp_path / "points"
    write_report(run(CLICKS, [data], [Square(), Square("boxes_only", takes_points=False)], out=out), [data], out)
    return out


def test_the_masks_of_an_evaluation_are_rated_without_asking_again(
    data: Path, evaluation: Path, tmp_path: Path
) -> None:
    columns = read_finished(evaluation, "point")
    assert [column.name for column in columns] == ["square"]
    study = make_study(RatingConfig(), [data], columns, tmp_path / "study")
    rows = {row.picture: row for row in read_rows(evaluation / "square.jsonl", result_from_plain)}
    for picture in study.pictures():
        scores = {(one.map_index, one.label): one.clicks for one in rows[picture.picture].targets}
        for target in picture.targets:
            clicks = scores[target.map_index, target.label]
            assert clicks is not None
            assert target.masks["square"] == clicks.mask
            assert target.point_xy == clicks.first_xy


def test_boxes_of_an_evaluation_are_rated_too_and_reduced_with_the_picture(
    data: Path, evaluation: Path, tmp_path: Path
) -> None:
    columns = read_finished(evaluation, "box")
    assert [column.name for column in columns] == ["square", "boxes_only"]
    study = make_study(RatingConfig(prompt="box", max_side_px=40, min_area_px=100), [data], columns, tmp_path / "study")
    for picture in study.pictures():
        assert {mask.size_hw for target in picture.targets for mask in target.masks.values()} == {(30, 40)}


def test_masks_of_changed_data_are_not_taken(data: Path, evaluation: Path, tmp_path: Path) -> None:
    (data / "bars" / "0.webp").write_bytes((data / "bars" / "1.webp").read_bytes())
    study = make_study(RatingConfig(), [data], read_finished(evaluation, "point"), tmp_path / "study")
    assert [picture.picture for picture in study.pictures()] == ["bars/1", "bars/2", "bars/3"]


def test_other_folders_are_refused(evaluation: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="anymask evaluate points"):
        read_finished(tmp_path, "point")
    report = json.loads((evaluation / "report.json").read_bytes())
    (evaluation / "report.json").write_text(json.dumps(report | {"protocol": "edges"}))
    with pytest.raises(RunError, match="of edges"):
        read_finished(evaluation, "point")
    report["config"]["first_click"] = "random"
    (evaluation / "report.json").write_text(json.dumps(report))
    with pytest.raises(RunError, match="random"):
        read_finished(evaluation, "point")
