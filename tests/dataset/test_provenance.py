from __future__ import annotations

import json

import pytest

from anymask.dataset.formats.sa1b import from_sa1b, to_sa1b
from anymask.dataset.provenance import KEY, SCHEMA, Notes, Provenance, add_notes, made_alike, read_notes, stages
from anymask.errors import DatasetError
from tests.dataset.drawn_pictures import AUTOMATIC, CORRECTED, drawn_picture


def test_notes_go_into_sa1bs_json_and_come_back() -> None:
    picture = drawn_picture(3)
    record = json.loads(json.dumps(add_notes(to_sa1b(picture.masks, 3, "sa_3.jpg"), picture.notes)))
    assert read_notes(record) == picture.notes
    assert record[KEY]["schema"] == SCHEMA


def test_a_reader_of_plain_sa1b_sees_the_same_fields_and_masks() -> None:
    picture = drawn_picture(3)
    plain = to_sa1b(picture.masks, 3, "sa_3.jpg")
    record = add_notes(plain, picture.notes)
    assert record["image"] == plain["image"]
    for ours, theirs in zip(record["annotations"], plain["annotations"], strict=True):
        assert {key: value for key, value in ours.items() if key != "provenance"} == theirs
    assert from_sa1b(record).rles == picture.masks.rles


def test_plain_sa1b_has_no_notes() -> None:
    assert read_notes(to_sa1b(drawn_picture(1).masks, 1, "sa_1.jpg")) == Notes()


def test_each_mask_knows_how_it_was_made() -> None:
    notes = Notes(made=(AUTOMATIC, CORRECTED), made_by_mask=(1, 0, 1))
    assert [notes.of_mask(index).stage for index in range(3)] == ["corrected", "automatic", "corrected"]
    assert notes.take([2, 1]).made_by_mask == (1, 0)
    assert Notes().of_mask(0) == Provenance()
    assert made_alike(AUTOMATIC, 2, licence="CC0").made_by_mask == (0, 0)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"schema": SCHEMA + 1}, "use a newer anymask"),
        ({"schema": None}, "schema is None"),
        ({"made": "x"}, "damaged"),
        ({"colour": 1}, "damaged"),
    ],
)
def test_damaged_or_later_notes_are_refused(damage: dict[str, object], words: str) -> None:
    picture = drawn_picture(3)
    record = add_notes(to_sa1b(picture.masks, 3, "sa_3.jpg"), picture.notes)
    record[KEY] |= damage
    with pytest.raises(DatasetError, match=words):
        read_notes(record)


def test_a_mask_made_in_no_known_way_is_refused() -> None:
    picture = drawn_picture(3)
    record = add_notes(to_sa1b(picture.masks, 3, "sa_3.jpg"), picture.notes)
    record["annotations"][1]["provenance"] = 7
    with pytest.raises(DatasetError, match="names none of its 2 ways"):
        read_notes(record)
    with pytest.raises(DatasetError, match="give one each"):
        add_notes(to_sa1b(picture.masks, 3, "sa_3.jpg"), Notes(made_by_mask=(0,)))


def test_stages_are_those_of_the_data_engine_and_of_other_datasets() -> None:
    assert {"assisted", "semi_automatic", "automatic", "imported", "corrected"} < set(stages())
