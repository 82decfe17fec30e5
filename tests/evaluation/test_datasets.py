"""The registry of the paper's suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from anymask.errors import ConfigError
from anymask.evaluation.datasets import (
    EXPERIMENT_DATA,
    SUITE,
    ExperimentData,
    abbreviation_of,
    experiment_data,
    how_to_get,
    how_to_get_data,
    page_for,
    split_suite,
    suite_dataset,
)
from anymask.evaluation.published import SAM_MINUS_RITM
from anymask.evaluation.sampling import MANY


def test_it_has_the_23_sets_of_the_papers_figure_in_the_size_of_its_table() -> None:
    assert {one.abbreviation for one in SUITE} == set(SAM_MINUS_RITM)
    assert sum(one.masks for one in SUITE) == 172_653
    assert sum(one.pictures for one in SUITE) == 40_188
    assert max(one.masks for one in SUITE) < MANY
    assert len({one.key for one in SUITE}) == 23


def test_a_page_says_where_it_is_and_what_goes_where() -> None:
    for one in SUITE:
        page = how_to_get(one, Path("suite"))
        assert one.where in page
        assert one.licence in page
        assert f"{one.masks:,} masks" in page
        assert str(Path("suite") / one.key / "images") in page
        assert one.form in page


def test_sets_are_found_by_key_abbreviation_and_other_names() -> None:
    assert suite_dataset("Cityscapes") is suite_dataset("cityscapes")
    assert abbreviation_of("dsbowl2018") == "BBBC038v1"
    assert abbreviation_of("coco_mini") is None
    with pytest.raises(ConfigError, match="unknown dataset 'x'; known are ppdls"):
        suite_dataset("x")


@pytest.mark.parametrize("one", EXPERIMENT_DATA, ids=lambda one: one.key)
def test_the_data_of_other_experiments_has_a_page(one: ExperimentData) -> None:
    page = how_to_get_data(one)
    assert experiment_data(one.key.upper()) is one
    for part in (one.where, one.licence, one.split, one.recipe, *one.commands):
        assert part in page


def test_a_path_that_is_not_there_has_the_page_of_what_it_is_called_after() -> None:
    assert page_for(Path("data/cityscapes")) == how_to_get(suite_dataset("cityscapes"), Path("data"))
    pages = {name: page_for(Path(name)) for name in ("x/BSR", "lvis_v1_val.json", "a/instances_val2017.json", "mine")}
    assert [None if page is None else page.split(":")[0] for page in pages.values()] == [
        "bsds500",
        "lvis_v1",
        "coco",
        None,
    ]


def test_what_is_there_is_told_from_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "lvis" / "images").mkdir(parents=True)
    there, missing = split_suite(tmp_path)
    assert [one.key for one in there] == ["lvis"]
    assert len(missing) == 22
