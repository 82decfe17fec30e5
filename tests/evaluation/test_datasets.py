"""The registry of the paper's suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from anymask.errors import ConfigError
from anymask.evaluation.datasets import SUITE, abbreviation_of, how_to_get, split_suite, suite_dataset
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


def test_what_is_there_is_told_from_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "lvis" / "images").mkdir(parents=True)
    there, missing = split_suite(tmp_path)
    assert [one.key for one in there] == ["lvis"]
    assert len(missing) == 22
