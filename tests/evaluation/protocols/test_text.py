"""The text experiment, with a segmenter that takes text and with models that do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anymask.errors import ConfigError, DatasetError, RunError, UnsupportedPromptError
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.pictures import AnnotationFile, RecordedPictures
from anymask.evaluation.protocols.text import MEASURES, TextConfig, run, samples, scores
from anymask.evaluation.segmenter import ModelSegmenter
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from tests.evaluation.protocols.colours import ColourSegmenter, write_colours

QUICK = TextConfig(bootstrap=BootstrapConfig(resamples=50))


@pytest.fixture
def pictures(tmp_path: Path) -> AnnotationFile:
    return AnnotationFile(*write_colours(tmp_path / "data"))


def test_phrases_are_made_of_category_names_and_scored_against_the_objects_meant(pictures: AnnotationFile) -> None:
    segmenter = ColourSegmenter()
    first, second = run(QUICK, pictures, [segmenter]).columns["colours"]
    assert [one.phrase for one in first.phrases] == ["a red thing", "a green thing"]
    assert [one.phrase for one in second.phrases] == ["a blue thing"]
    red, green = first.phrases
    small, large = 12 * 10, 14 * 16
    # The colour means both red things: each alone is a part of the answer, together they are all of it.
    assert red.nearest == pytest.approx(large / (small + large))
    assert red.union == 1.0
    assert (green.nearest, green.union, green.oracle) == (1.0, 1.0, 1.0)
    # A click on the one that the phrase met worst picks it out.
    assert red.with_point == 1.0
    assert 2 <= red.click_xy[0] < 14
    assert red.mask_with_point is not None


def test_text_and_click_go_in_one_prompt(pictures: AnnotationFile) -> None:
    segmenter = ColourSegmenter()
    run(QUICK, pictures, [segmenter])
    kinds = [(prompt.text is not None, prompt.points_xy is not None) for prompt in segmenter.asked]
    assert kinds == [(True, False), (False, True), (True, True)] * 3


def test_a_vocabulary_and_templates_give_the_phrases(pictures: AnnotationFile) -> None:
    config = TextConfig(
        templates=("one {}", "the {}"),
        vocabulary={"red thing": ("something red",)},
        bootstrap=BootstrapConfig(resamples=9),
    )
    first, second = run(config, pictures, [ColourSegmenter()]).columns["colours"]
    assert [one.phrase for one in first.phrases] == ["something red", "one green thing", "the green thing"]
    assert [one.phrase for one in second.phrases] == ["one blue thing", "the blue thing"]
    (few, _) = run(TextConfig(per_picture=1), pictures, [ColourSegmenter()]).columns["colours"]
    assert len(few.phrases) == 1


def test_every_measure_has_its_mean_and_interval(pictures: AnnotationFile) -> None:
    outcome = run(QUICK, pictures, [ColourSegmenter()])
    found = {one.measure: one.value for one in scores(QUICK, outcome.columns)}
    assert list(found) == list(MEASURES)
    sample = samples(outcome.columns["colours"], "text")
    assert sample is not None
    assert found["text"].mean == pytest.approx(float(np.mean(sample.values)))
    assert found["text + point"].mean == 1.0
    blind = run(QUICK, pictures, [ColourSegmenter(takes_points=False)])
    assert samples(blind.columns["colours"], "text + point") is None


def test_results_are_kept_and_gone_on_with(pictures: AnnotationFile, tmp_path: Path) -> None:
    first = run(QUICK, pictures, [ColourSegmenter()], out=tmp_path / "out")
    again = ColourSegmenter()
    assert run(QUICK, pictures, [again], out=tmp_path / "out").columns == first.columns
    assert again.asked == []
    with pytest.raises(RunError, match="other settings"):
        run(TextConfig(templates=("the {}",)), pictures, [again], out=tmp_path / "out")


def test_a_model_that_takes_no_text_says_so_at_once(pictures: AnnotationFile, small_model: Path) -> None:
    with pytest.raises(UnsupportedPromptError, match="needs a text-conditioned model"):
        run(QUICK, pictures, [ModelSegmenter(Predictor(load(small_model)))])


def test_data_without_names_and_damaged_data_are_refused(
    pictures: AnnotationFile, tmp_path: Path, data_dir: Path
) -> None:
    with pytest.raises(ConfigError, match="needs category names"):
        run(QUICK, RecordedPictures([data_dir / "val-food_plates.tar"]), [ColourSegmenter()])
    (tmp_path / "data" / "pictures" / "1.png").unlink()
    with pytest.raises(DatasetError, match="1 of 2 pictures"):
        run(QUICK, pictures, [ColourSegmenter()])
    lenient = run(TextConfig(max_bad_share=0.5), pictures, [ColourSegmenter()])
    assert [name for name, _ in lenient.bad] == ["colours/1"]


@pytest.mark.parametrize(
    "bad",
    [{"templates": ()}, {"templates": ("a thing",)}, {"per_picture": 0}, {"max_pictures": 0}, {"max_bad_share": 2}],
)
def test_bad_settings_are_named(bad: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"TextConfig.{next(iter(bad))}"):
        TextConfig(**bad)
