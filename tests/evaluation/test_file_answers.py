"""A results file as a column."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.errors import DatasetError
from anymask.evaluation.file_answers import FileAnswers
from anymask.evaluation.pictures import AnnotationFile
from anymask.images.load import load_image
from tests.evaluation.annotated_data import write_annotated, write_results


def test_answers_are_the_files_and_nothing_where_it_says_nothing(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path)
    column = FileAnswers(write_results(tmp_path / "r.json", value), "detector")
    results = json.loads((tmp_path / "r.json").read_text())
    for picture in AnnotationFile(annotations, folder).take({"truth/0", "truth/1", "truth/2"}):
        answers = column.answer(picture, load_image(picture.image_bytes()), picture.truth())
        own = [one for one in results if one["image_id"] == picture.image_id]
        assert answers.scores.tolist() == [one["score"] for one in own]
        assert answers.categories.tolist() == [one["category_id"] for one in own]
    (tmp_path / "empty.json").write_text("[]")
    assert (
        len(FileAnswers(tmp_path / "empty.json").answer(picture, load_image(folder / "0.jpg"), picture.truth()).rles)
        == 0
    )


def test_a_box_without_a_mask_cannot_be_scored(tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path)
    (tmp_path / "r.json").write_text(json.dumps([{"image_id": 10, "score": 1, "bbox": [0, 0, 5, 5]}]))
    (picture,) = AnnotationFile(annotations, folder).take({"truth/0"})
    column = FileAnswers(tmp_path / "r.json")
    with pytest.raises(DatasetError, match="boxes without masks"):
        column.answer(picture, load_image(picture.image_bytes()), picture.truth())
    assert len(column.detections(picture)) == 1


def test_another_file_is_another_column(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text("[]")
    first = FileAnswers(path).fingerprint
    path.write_text("[ ]")
    assert FileAnswers(path).fingerprint != first
    with pytest.raises(DatasetError, match="cannot be read"):
        _ = FileAnswers(tmp_path / "none.json").fingerprint
