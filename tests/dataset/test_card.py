from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.dataset.card import CARD, DatasetCard, Tally, as_readme, read_card, sha256_of, write_card
from anymask.dataset.write import write_dataset
from anymask.errors import DatasetError
from tests.dataset.drawn_pictures import drawn_picture


def test_a_card_comes_back_as_it_was_written(tmp_path: Path) -> None:
    card = write_dataset(tmp_path / "d", (drawn_picture(n) for n in (1, 2)), left_out={"cut.jpg": "it is cut"})
    assert read_card(tmp_path / "d") == card
    assert (card.pictures, card.masks, card.licences) == (2, 8, (("CC0", 2),))
    assert sum(count for _, count in card.made) == 8
    assert {made.stage for made, _ in card.made} == {"automatic", "corrected"}
    assert card.shards[0].sha256 == sha256_of(tmp_path / "d" / card.shards[0].name)


def test_the_readme_says_terms_origin_and_what_is_missing(tmp_path: Path) -> None:
    card = write_dataset(tmp_path, [drawn_picture(1)], left_out={"a|<b>": "odd"}, notes=("plates were not looked for",))
    text = as_readme(card)
    assert (tmp_path / "README.md").read_text() == text
    for words in (
        "CC0",
        "corrected",
        "not looked for",
        "plates were not looked for",
        "a\\|&lt;b>",
        card.content_sha256(),
    ):
        assert words in text


def test_a_folder_without_a_card_has_none(tmp_path: Path) -> None:
    assert read_card(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ('{"schema": 99}', "newer anymask"),
        ("[]", "newer anymask"),
        ('{"schema": 1, "x": 2}', "damaged"),
    ],
)
def test_a_damaged_or_later_card_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / CARD).write_text(content)
    with pytest.raises(DatasetError, match=words):
        read_card(tmp_path)


def test_a_card_is_the_same_bytes_for_the_same_counts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tally = Tally()
        for number in (1, 2, 3) if name == "a" else (3, 1, 2):
            tally.add(drawn_picture(number))
        write_card(tmp_path / name, tally.card("drawn", []))
    assert (tmp_path / "a" / CARD).read_bytes() == (tmp_path / "b" / CARD).read_bytes()
    assert json.loads((tmp_path / "a" / CARD).read_bytes())["schema"] == 1
    assert DatasetCard(name="x").content_sha256() == DatasetCard(name="y").content_sha256()
