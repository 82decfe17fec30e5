import pytest
from pydantic import ValidationError

from anymask.server.rating_schemas import RatedMask, RatingIn, RatingStanding


@pytest.mark.parametrize("score", [0, 11, 5.5])
def test_ratings_are_whole_numbers_from_1_to_10(score: object) -> None:
    with pytest.raises(ValidationError):
        RatingIn.model_validate({"key": "a-key-of-ten", "mask_id": 1, "score": score, "active_ms": 5})


def test_no_field_of_what_raters_get_could_tell_the_column() -> None:
    assert set(RatedMask.model_fields) == {"id", "pixels_url", "width", "height", "point", "box", "rle"}
    assert set(RatingStanding.model_fields) == {"done", "total", "mask", "upcoming", "undoable"}
