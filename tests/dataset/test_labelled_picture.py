from __future__ import annotations

from dataclasses import replace

import pytest

from anymask.dataset.labelled_picture import LabelledPicture, labelled
from anymask.dataset.record import Record
from anymask.errors import DatasetError
from anymask.masks import rle
from tests.dataset.drawn_pictures import drawn_picture
from tests.dataset.sa1b_files import nested_masks, sa1b_files


def test_a_record_of_sa1b_gives_every_overlapping_mask() -> None:
    files = sa1b_files(4)
    picture = labelled(Record("sa_4", "sa1b", files["sa_4.jpg"], (files["sa_4.json"],), "sa1b"))
    assert picture.name == "sa1b/sa_4"
    assert picture.image_bytes() == files["sa_4.jpg"]
    for one, expected in zip(picture.masks.rles, nested_masks(), strict=True):
        assert (rle.decode(one) == expected).all()


def test_masks_are_taken_with_their_notes_and_classes() -> None:
    picture = drawn_picture(5, categories=("cup", "cat", "cup", "dog"))
    some = picture.take([3, 1])
    assert some.categories == ("dog", "cat")
    assert some.masks.rles == (picture.masks.rles[3], picture.masks.rles[1])
    assert some.notes.made_by_mask == (picture.notes.made_by_mask[3], picture.notes.made_by_mask[1])


def test_crowds_go_along_or_out() -> None:
    picture = replace(drawn_picture(5), crowds=(False, True, False, True))
    assert picture.take([1, 0]).crowds == (True, False)
    alone = picture.without_crowds()
    assert alone.masks.rles == (picture.masks.rles[0], picture.masks.rles[2])
    assert alone.crowds == (False, False)
    assert drawn_picture(5).without_crowds().masks.rles == picture.masks.rles


def test_a_picture_that_is_not_at_hand_says_where_to_name_it() -> None:
    with pytest.raises(DatasetError, match="--images"):
        LabelledPicture(name="cup", masks=drawn_picture(1).masks).image_bytes()
