"""Terms of sets: known ones, and those that people state."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from anymask.dataset.licences import KNOWN_LICENCES, SetLicence, read_licences
from anymask.errors import DatasetError


def test_every_set_of_the_shards_is_known(data_dir: Path) -> None:
    names = {name.split("/")[1] for name in json.loads((data_dir / "stats.json").read_text())}
    assert names == set(KNOWN_LICENCES)


def test_the_permissive_training_sets_are_those_that_the_readme_of_the_shards_names(data_dir: Path) -> None:
    line = re.search(
        r"must say so in their model card; (.+) alone are permissive", (data_dir / "README.md").read_text()
    )
    assert line is not None
    trained = {name.split("/")[1] for name in json.loads((data_dir / "stats.json").read_text()) if "train/" in name}
    assert set(re.findall(r"`(\w+)`", line[1])) == {n for n in trained if not KNOWN_LICENCES[n].research_only}


def test_later_statements_win_over_earlier_ones_and_over_the_known(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(
        '{"mine": {"licence": "CC0", "research_only": false}, "ccp": {"licence": "x", "research_only": true}}'
    )
    second.write_text('{"mine": {"licence": "MIT", "research_only": false}}')
    found = read_licences([first, second])
    assert found["mine"] == SetLicence(licence="MIT", research_only=False)
    assert found["ccp"].research_only
    assert found["msrc21"] == KNOWN_LICENCES["msrc21"]
    assert read_licences([]) == KNOWN_LICENCES


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"licence": "CC0"}}', '{"a": {"license": "CC0"}}'])
def test_a_file_of_another_form_is_refused_with_the_right_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sets.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=re.escape('{"SET": {"licence": "CC0", "research_only": false}}')):
        read_licences([path])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.json"):
        read_licences([tmp_path / "absent.json"])
