"""Which pictures are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anymask.errors import DatasetError
from anymask.evaluation.answering import answer_all
from anymask.evaluation.examples import answered_examples, best_middle_worst, side_by_side
from anymask.evaluation.file_answers import FileAnswers
from anymask.evaluation.pictures import AnnotationFile
from anymask.evaluation.protocols.instances import InstancesConfig
from anymask.figures import Gallery, Heading
from tests.evaluation.annotated_data import write_annotated, write_results


@pytest.mark.parametrize("length", range(12))
def test_no_picture_is_shown_twice_and_order_is_kept(length: int) -> None:
    ranked = list(range(length))
    chosen = best_middle_worst(ranked, 3)
    shown = [one for several in chosen.values() for one in several]
    assert len(shown) == len(set(shown)) == min(length, 9) or length < 9
    assert len(shown) == len(set(shown))
    if length:
        assert chosen["Best"][0] == 0
    if length > 1:
        assert chosen["Worst"][0] == length - 1


def test_galleries_are_of_the_best_the_middle_and_the_worst(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=4, pictures=9)
    pictures = AnnotationFile(annotations, folder)
    column = FileAnswers(write_results(tmp_path / "r.json", value), "detector")
    scores = answer_all(InstancesConfig().answering(is_lvis=False), pictures, [column]).columns["detector"]
    blocks = answered_examples("detector", scores, pictures)
    titles = [block.text for block in blocks if isinstance(block, Heading)]
    assert [title.split(":")[0] for title in titles] == ["Best", "Median", "Worst"]
    captions = [[one.caption for one in block.pictures] for block in blocks if isinstance(block, Gallery)]
    values = [[float(caption.split()[2]) for caption in several] for several in captions]
    assert min(values[0]) >= max(values[1]) >= min(values[1]) >= max(values[2])
    annotated = [one for one in scores if one.nearest]
    assert values[2][0] == pytest.approx(min(one.mean_iou for one in annotated), abs=1e-3)


def test_data_that_is_gone_is_said(tmp_path: Path) -> None:
    annotations, folder, value = write_annotated(tmp_path, seed=4)
    column = FileAnswers(write_results(tmp_path / "r.json", value), "detector")
    config = InstancesConfig().answering(is_lvis=False)
    scores = answer_all(config, AnnotationFile(annotations, folder), [column]).columns["detector"]
    annotations.write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(DatasetError, match="as it was evaluated"):
        answered_examples("detector", scores, AnnotationFile(annotations, folder))


def test_two_pictures_stand_side_by_side() -> None:
    left, right = np.zeros((4, 5, 3), np.uint8), np.ones((4, 7, 3), np.uint8)
    joined = side_by_side(left, right)
    assert joined.shape == (4, 18, 3)
    assert (joined[:, :5] == 0).all()
    assert (joined[:, -7:] == 1).all()
