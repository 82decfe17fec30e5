import json
from pathlib import Path

import numpy as np
import pytest

from anymask.cli.main import main
from anymask.dataset.labelled import read_data
from anymask.errors import DatasetError, RunError
from anymask.evaluation.protocols.points import PointsConfig, run
from anymask.evaluation.rating.finished import read_finished
from anymask.evaluation.rating.making import make_study
from anymask.evaluation.rating.study import TRUTH, RatingConfig
from anymask.evaluation.report import write_report
from anymask.evaluation.results import result_from_plain
from anymask.evaluation.rows import read_rows
from anymask.evaluation.targets import TargetConfig, choose_targets
from anymask.masks.boxes import mask_to_box
from anymask.masks.overlap import mask_iou
from anymask.masks.rle import decode, encode, to_json
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.instances import segment_boxes
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


def detected(data: Path, path: Path, shift: int = 2) -> None:
    """Results of a detector on `data`: for every mask its box, moved by `shift` px, and a mask a little smaller."""
    found = []
    for record in read_data([data]):
        for target in choose_targets(record, TargetConfig.paper()):
            x0, y0, x1, y1 = (float(edge) for edge in mask_to_box(target.mask))
            smaller = target.mask & np.roll(target.mask, 3, axis=1)
            box = [x0 + shift, y0, x1 - x0, y1 - y0]
            mask = {"segmentation": to_json(encode(smaller)), "score": 0.5}
            found.append({"image_id": record.name, "category_id": 1, "bbox": box, **mask})
    path.write_text(json.dumps(found))


@pytest.fixture
def boxed(data: Path, tmp_path: Path) -> Path:
    """A finished `anymask evaluate instances`: the detector's own masks, and a model's for the same boxes."""
    detected(data, tmp_path / "detector.json")
    given = ["--boxes", str(tmp_path / "detector.json"), "--results", str(tmp_path / "detector.json")]
    out = tmp_path / "instances"
    assert main(["evaluate", "instances", "--data", str(data), "--model", "tiny", *given, "--out", str(out)]) == 0
    return out


@pytest.mark.slow
def test_instances_are_rated_for_the_same_boxes_also_by_a_column_asked_now(
    data: Path, boxed: Path, tmp_path: Path
) -> None:
    columns = read_finished(boxed, "box")
    assert [column.name for column in columns] == ["tiny", "detector"]
    now = Square("now")
    study = make_study(RatingConfig(prompt="box"), [data], [*columns, now], tmp_path / "study")
    assert study.columns == ("tiny", "detector", "now", TRUTH)
    assert study.facts["left_out"] == {"not answered by every finished column": 0, "other boxes": 0}
    predictor = Predictor(load("tiny"))
    asked = iter(now.asked)
    for record, picture in zip(read_data([data]), study.pictures(), strict=True):
        maps = record.label_maps()
        predictor.set_image(record.image_bytes)
        for target in picture.targets:
            truth = maps[target.map_index] == target.label
            x0, y0, x1, y1 = (float(edge) for edge in mask_to_box(truth))
            assert target.box_xyxy == (x0 + 2, y0, x1 + 2, y1)  # the detector's, not the annotated mask's
            assert next(asked).box_xyxy == pytest.approx(np.array(target.box_xyxy))
            assert target.masks[TRUTH] == encode(truth)
            assert target.masks["detector"] == encode(truth & np.roll(truth, 3, axis=1))
            (own,) = segment_boxes(predictor, [target.box_xyxy]).rles
            assert mask_iou(decode(target.masks["tiny"]), decode(own)) > 0.99


@pytest.mark.slow
def test_answers_to_other_boxes_are_left_out_and_counted(data: Path, boxed: Path, tmp_path: Path) -> None:
    detected(data, tmp_path / "moved.json", shift=4)
    other = tmp_path / "other"
    given = ["--data", str(data), "--results", f"moved={tmp_path / 'moved.json'}", "--out", str(other)]
    assert main(["evaluate", "instances", *given]) == 0
    columns = [*read_finished(boxed, "box"), *read_finished(other, "box")]
    with pytest.raises(DatasetError, match="8 answered for other boxes"):
        make_study(RatingConfig(prompt="box"), [data], columns, tmp_path / "study")


def test_what_a_detector_missed_or_changed_since_is_left_out_and_counted(data: Path, tmp_path: Path) -> None:
    detected(data, tmp_path / "detector.json")
    rows = json.loads((tmp_path / "detector.json").read_text())
    (tmp_path / "detector.json").write_text(json.dumps(rows[1:]))  # of bars/0 the first mask is not found
    out = tmp_path / "instances"
    given = ["--data", str(data), "--results", str(tmp_path / "detector.json"), "--out", str(out)]
    assert main(["evaluate", "instances", *given]) == 0
    (data / "bars" / "1.webp").write_bytes((data / "bars" / "2.webp").read_bytes())
    study = make_study(RatingConfig(prompt="box"), [data], read_finished(out, "box"), tmp_path / "study")
    assert study.facts["left_out"]["not answered by every finished column"] == 3
    assert {picture.picture: len(picture.targets) for picture in study.pictures()} == {
        "bars/0": 1,
        "bars/2": 2,
        "bars/3": 2,
    }


def test_masks_of_reduced_pictures_and_their_boxes_are_reduced_alike(data: Path, tmp_path: Path) -> None:
    detected(data, tmp_path / "detector.json")
    out = tmp_path / "instances"
    given = ["--data", str(data), "--results", str(tmp_path / "detector.json"), "--out", str(out)]
    assert main(["evaluate", "instances", *given]) == 0
    config = RatingConfig(prompt="box", max_side_px=40, min_area_px=100)
    study = make_study(config, [data], read_finished(out, "box"), tmp_path / "study")
    first = study.pictures()[0].targets[0]
    assert first.box_xyxy == (2.0, 1.0, 21.0, 15.0)  # half of (2 + 2, 2, 40 + 2, 30)
    assert {mask.size_hw for mask in first.masks.values()} == {(30, 40)}


def test_instances_answer_no_clicks_and_earlier_versions_kept_no_boxes(data: Path, tmp_path: Path) -> None:
    detected(data, tmp_path / "detector.json")
    out = tmp_path / "instances"
    given = ["--data", str(data), "--results", str(tmp_path / "detector.json"), "--out", str(out)]
    assert main(["evaluate", "instances", *given]) == 0
    with pytest.raises(RunError, match="clicks"):
        read_finished(out, "point")
    lines = [json.loads(line) for line in (out / "detector.jsonl").read_text().splitlines()]
    for row in lines[1:]:
        for one in row["nearest"]:
            del one["boxed"]
    (out / "detector.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RunError, match="evaluate anew"):
        read_finished(out, "box")
