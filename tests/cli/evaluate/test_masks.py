"""What proposals and instances share on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from anymask.cli.evaluate.masks import GroundTruthOptions, result_files, seen_remarks
from anymask.errors import ConfigError
from anymask.evaluation.pictures import AnnotationFile, RecordedPictures
from tests.evaluation.annotated_data import write_annotated


def test_ground_truth_is_an_annotation_file_or_label_maps(tmp_path: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path)
    given = GroundTruthOptions(annotations=annotations, pictures=folder)
    assert isinstance(given.open(), AnnotationFile)
    assert given.named == [str(annotations), str(folder)]
    assert isinstance(GroundTruthOptions(data=(tmp_path,)).open(), RecordedPictures)


@pytest.mark.parametrize("given", [{}, {"annotations": "a"}, {"pictures": "b"}, {"annotations": "a", "data": ("c",)}])
def test_both_or_neither_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="give ground truth"):
        GroundTruthOptions(**given).open()


def test_a_results_file_may_have_a_name(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("[]")
    first, second = result_files([str(tmp_path / "m.json"), f"vitdet={tmp_path / 'm.json'}"])
    assert (first.name, second.name) == ("m", "vitdet")
    with pytest.raises(ConfigError, match=r"no results file nowhere\.json"):
        result_files(["a=nowhere.json"])


def test_a_model_that_learned_from_a_set_is_named_and_one_of_which_nothing_is_known(small_model: Path) -> None:
    assert seen_remarks(["tiny"], ["food_plates_val", "dsbowl2018"]) == ()
    (learned,) = seen_remarks(["tiny"], ["ccp", "dsbowl2018", "ccp"])
    assert learned.startswith("tiny learned from pictures of ccp; its scores there are of what it has not seen only if")
    assert seen_remarks([str(small_model)], ["ccp"]) == ("small: training pictures unknown.",)
