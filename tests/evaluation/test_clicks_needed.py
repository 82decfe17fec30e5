import pytest

from anymask.errors import ConfigError
from anymask.evaluation.clicks_needed import clicks_needed, clicks_samples, mean_clicks
from anymask.evaluation.results import ClickScores, PictureResult, TargetResult
from anymask.masks.types import Rle


def result(picture: str, *curves: tuple[float, ...]) -> PictureResult:
    targets = tuple(
        TargetResult(
            map_index=0,
            label=label,
            area_px=9,
            clicks=ClickScores(
                confident=curve[0], oracle=curve[0], curve=curve, mask=Rle((3, 3), b"9"), first_xy=(1.5, 1.5)
            ),
            box=None,
        )
        for label, curve in enumerate(curves, start=1)
    )
    return PictureResult(picture=picture, sha256="0", targets=targets)


def test_clicks_are_counted_to_the_first_time_the_iou_is_reached_or_to_the_last_click() -> None:
    assert clicks_needed([0.9, 0.2], 0.85) == 1
    assert clicks_needed([0.2, 0.85, 0.3], 0.85) == 2
    assert clicks_needed([0.2, 0.3, 0.4], 0.85) == 3


def test_the_mean_is_over_sets_of_means_over_masks() -> None:
    found = [result("a/1", (0.9, 0.9, 0.9), (0.1, 0.1, 0.1)), result("b/1", (0.1, 0.9, 0.9))]
    assert mean_clicks(found, 0.85) == ((1 + 3) / 2 + 2) / 2
    assert list(clicks_samples(found, 0.85)) == ["a", "b"]
    assert clicks_samples(found, 0.85)["a"].pictures == ("a/1", "a/1")


def test_where_nothing_was_clicked_on_there_is_no_mean() -> None:
    assert mean_clicks([], 0.85) is None


def test_an_iou_that_cannot_be_is_named() -> None:
    with pytest.raises(ConfigError, match="got 1"):
        mean_clicks([], 1.5)
