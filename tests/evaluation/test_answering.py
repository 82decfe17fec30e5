"""The loop over pictures and columns: what is kept, gone on with, left out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from anymask.errors import ConfigError, DatasetError, RunError
from anymask.evaluation.answering import (
    AnsweringConfig,
    Boxed,
    answer_all,
    nearest_answers,
    score_from_plain,
    to_plain_score,
)
from anymask.evaluation.file_answers import FileAnswers
from anymask.evaluation.matching import MatchConfig, PictureAnswers, PictureTruth
from anymask.evaluation.pictures import AnnotationFile, LabelledPicture
from anymask.images.load import LoadedImage
from anymask.masks.rle import encode
from tests.evaluation.annotated_data import write_annotated, write_results

CONFIG = AnsweringConfig(matching=MatchConfig())


@dataclass
class Counted:
    """A column that counts how often it is asked."""

    inner: FileAnswers
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def fingerprint(self) -> str:
        return self.inner.fingerprint

    def answer(self, picture: LabelledPicture, image: LoadedImage, truth: PictureTruth) -> PictureAnswers:
        self.asked.append(picture.name)
        return self.inner.answer(picture, image, truth)


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[AnnotationFile, FileAnswers]:
    annotations, folder, value = write_annotated(tmp_path, seed=4)
    return AnnotationFile(annotations, folder), FileAnswers(write_results(tmp_path / "r.json", value), "detector")


def test_a_second_run_asks_only_for_what_is_not_known(
    drawn: tuple[AnnotationFile, FileAnswers], tmp_path: Path
) -> None:
    pictures, inner = drawn
    first = Counted(inner)
    seen: list[tuple[int, int]] = []
    whole = answer_all(CONFIG, pictures, [first], out=tmp_path / "o", progress=lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    path = tmp_path / "o" / "detector.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:50])
    again = Counted(inner)
    resumed = answer_all(CONFIG, pictures, [again], out=tmp_path / "o")
    assert again.asked == first.asked[1:]
    assert resumed.columns == whole.columns


def test_scores_survive_as_json_to_the_bit(drawn: tuple[AnnotationFile, FileAnswers]) -> None:
    pictures, column = drawn
    for recall_only in (False, True):
        config = AnsweringConfig(matching=MatchConfig(), for_recall_only=recall_only)
        for score in answer_all(config, pictures, [column]).columns["detector"]:
            back = score_from_plain(to_plain_score(score))
            assert back == score
            for name in ("scores", "categories", "ranks", "hits", "idle", "truth_categories", "counted"):
                np.testing.assert_array_equal(getattr(back.matches, name), getattr(score.matches, name))


def test_other_settings_into_the_same_folder_are_refused(
    drawn: tuple[AnnotationFile, FileAnswers], tmp_path: Path
) -> None:
    pictures, column = drawn
    answer_all(CONFIG, pictures, [column], out=tmp_path / "o")
    with pytest.raises(RunError, match="other settings"):
        answer_all(AnsweringConfig(matching=MatchConfig(max_answers=5)), pictures, [column], out=tmp_path / "o")


def test_a_picture_that_cannot_be_used_is_named_and_too_many_end_it(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=4, pictures=4)
    column = FileAnswers(write_results(tmp_path / "r.json", value), "detector")
    (folder / "0.jpg").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "2.jpg").unlink()
    lenient = AnsweringConfig(matching=MatchConfig(), max_bad_share=0.5)
    found = answer_all(lenient, AnnotationFile(annotations, folder), [column])
    assert [name for name, _ in found.bad] == ["truth/0", "truth/2"]
    assert [score.picture for score in found.columns["detector"]] == ["truth/1", "truth/3"]
    with pytest.raises(DatasetError, match="2 of 4 pictures cannot be used, first truth/0"):
        answer_all(CONFIG, AnnotationFile(annotations, folder), [column])


def test_columns_need_names_of_their_own_and_pictures(drawn: tuple[AnnotationFile, FileAnswers]) -> None:
    pictures, column = drawn
    for columns in ([], [column, column]):
        with pytest.raises(ConfigError, match="each with its own name"):
            answer_all(CONFIG, pictures, columns)
    for bad in ({"max_pictures": 0}, {"max_bad_share": 2.0}):
        with pytest.raises(ConfigError, match="AnsweringConfig"):
            AnsweringConfig(matching=MatchConfig(), **bad)


def test_the_nearest_answer_is_of_the_same_category_when_they_are_looked_at() -> None:
    mask, part = np.zeros((8, 8), np.bool_), np.zeros((8, 8), np.bool_)
    mask[:4], part[:2] = True, True
    truth = PictureTruth(
        rles=(encode(mask), encode(~mask)),
        area_px=np.array([32.0, 32.0]),
        categories=np.array([1, 1]),
        is_crowd=np.array([False, True]),
    )
    answers = PictureAnswers(
        rles=(encode(mask), encode(part)),
        scores=np.array([0.9, 0.8]),
        area_px=np.array([32.0, 16.0]),
        categories=np.array([2, 1]),
    )
    (own,) = nearest_answers(truth, answers, per_category=True)
    (free,) = nearest_answers(truth, answers, per_category=False)
    assert (own.answer, own.iou) == (encode(part), 0.5)
    assert (free.answer, free.iou) == (encode(mask), 1.0)
    nothing = answers.take(np.zeros(0, np.int64))
    assert nearest_answers(truth, nothing, per_category=False)[0].answer is None


def test_a_boxs_answer_is_kept_though_another_lies_nearer_to_the_mask() -> None:
    left, right = np.zeros((8, 8), np.bool_), np.zeros((8, 8), np.bool_)
    left[:, :4], right[:, 4:] = True, True
    truth = PictureTruth(
        rles=(encode(left), encode(right)),
        area_px=np.array([32.0, 32.0]),
        categories=np.array([1, 1]),
        is_crowd=np.array([False, False]),
    )
    answers = PictureAnswers(  # each box was answered with the other's mask, and one box is nobody's
        rles=(encode(right), encode(left), encode(left)),
        scores=np.ones(3),
        area_px=np.full(3, 32.0),
        categories=np.array([1, 1, 1]),
        boxes_xyxy=np.array([[0, 0, 4, 8], [4, 0, 8, 8], [0, 0, 2, 2]], np.float32),
    )
    one, other = nearest_answers(truth, answers, per_category=True)
    assert (one.answer, one.iou) == (encode(left), 1.0)
    assert one.boxed == Boxed(box_xyxy=(0, 0, 4, 8), answer=encode(right))
    assert other.boxed == Boxed(box_xyxy=(4, 0, 8, 8), answer=encode(left))
    strangers = replace(answers, categories=np.array([2, 1, 1]))
    assert nearest_answers(truth, strangers, per_category=True)[0].boxed is None
    assert nearest_answers(truth, strangers, per_category=False)[0].boxed == one.boxed
    only_far = answers.take(np.array([2]))
    assert [found.boxed for found in nearest_answers(truth, only_far, per_category=True)] == [None, None]
    without = replace(answers, boxes_xyxy=None)
    assert [found.boxed for found in nearest_answers(truth, without, per_category=True)] == [None, None]


def test_boxes_survive_as_json_and_rows_of_earlier_versions_are_read(
    drawn: tuple[AnnotationFile, FileAnswers],
) -> None:
    pictures, column = drawn
    scores = answer_all(CONFIG, pictures, [column]).columns["detector"]
    same = next(one for row in scores for one in row.nearest if one.boxed is not None)
    assert same.boxed is not None
    other = replace(same, boxed=replace(same.boxed, answer=same.truth))
    assert same.boxed.answer == same.answer != other.boxed.answer
    score = replace(scores[0], nearest=(same, other, replace(same, answer=None)))
    plain = json.loads(json.dumps(to_plain_score(score)))
    assert score_from_plain(plain) == score
    del plain["image_sha256"]
    for one in plain["nearest"]:
        del one["boxed"]
    earlier = score_from_plain(plain)
    assert [one.boxed for one in earlier.nearest] == [None] * 3
    assert [one.iou for one in earlier.nearest] == [one.iou for one in score.nearest]
