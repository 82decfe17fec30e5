from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from anymask.data_engine.quality import QualityConfig, as_page, pair_masks, summarise
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.provenance import Notes
from anymask.errors import ConfigError, DatasetError
from anymask.evaluation.metrics import BootstrapConfig
from anymask.masks.sets import set_from_masks

CONFIG = QualityConfig(bootstrap=BootstrapConfig(resamples=200))


def picture(name: str, *widths: int, scores: tuple[float, ...] | None = None) -> LabelledPicture:
    """Bars one above the other, 10 px high and as wide as said, in a picture of 100 x 100."""
    masks = np.zeros((len(widths), 100, 100), np.bool_)
    for index, width in enumerate(widths):
        masks[index, 10 * index : 10 * index + 10, :width] = True
    return LabelledPicture(name=name, masks=set_from_masks(masks, predicted_iou=scores))


def test_pairs_are_found_in_any_order_and_what_was_removed_or_added_is_counted() -> None:
    automatic = [picture("sa1b/sa_1", 50, 100, 80, scores=(0.95, 0.9, 0.7))]
    moved = picture("photos/sa_1.jpg", 50, 92, 1, 100).take([3, 1, 0])  # bar 2 removed, bar 3 added, others first
    pairs = pair_masks(automatic, [moved], CONFIG)
    assert (pairs.compared, pairs.removed, pairs.added) == (1, 1, 1)
    assert sorted(zip(pairs.iou.round(2), pairs.score.round(2), strict=True)) == [(0.92, 0.9), (1.0, 0.95)]


def test_pictures_are_found_by_where_they_came_from_too() -> None:
    automatic = replace(picture("sa1b/sa_7", 100), notes=Notes(source="train.tar/plates/dinner.webp"))
    assert pair_masks([automatic], [picture("plates/dinner", 100)], CONFIG).compared == 1


def test_shares_and_groups_are_those_of_the_pairs() -> None:
    automatic = [picture(f"sa_{n}", 100, 100, 100, scores=(0.95, 0.9, 0.7)) for n in range(4)]
    people = [picture(f"sa_{n}", 100, 95, 80) for n in range(4)]
    found = summarise(pair_masks(automatic, people, CONFIG), CONFIG)
    every = found["every_pair"]
    assert every["above .9"]["mean"] == pytest.approx(2 / 3)
    assert every["above .75"]["mean"] == 1
    assert every["mean IoU"]["mean"] == pytest.approx((1 + 0.95 + 0.8) / 3, abs=1e-6)
    assert every["above .9"]["low"] == every["above .9"]["high"]  # all pictures are alike
    assert found["by_score"]["0.6 to 0.8"]["mean IoU"]["mean"] == pytest.approx(0.8, abs=1e-6)
    assert sum(group["pairs"] for group in found["by_score"].values()) == 12
    assert sum(group["pairs"] for group in found["by_size"].values()) == 12
    assert sum(found["iou_histogram"]) == 12
    assert every["pictures"] == 4
    assert found["published"]["shares"] == {"above .9": 0.94, "above .75": 0.97}


def test_intervals_show_how_pictures_differ() -> None:
    automatic = [picture(f"sa_{n}", 100) for n in range(10)]
    people = [picture(f"sa_{n}", 100 if n < 8 else 60) for n in range(10)]
    share = summarise(pair_masks(automatic, people, CONFIG), CONFIG)["every_pair"]["above .9"]
    assert share["low"] < share["mean"] == 0.8 < share["high"]


def test_the_page_shows_plots_and_the_papers_figures() -> None:
    automatic = [picture("sa_1", 100, 90, scores=(0.95, 0.7))]
    pairs = pair_masks(automatic, [picture("sa_1", 100, 80)], CONFIG)
    page = as_page(summarise(pairs, CONFIG), pairs)
    assert page.count("data:image/png") == 3
    assert "94%" in page
    assert "2304.02643" in page
    assert "(one picture)" in page  # which gives no interval
    json.dumps(summarise(pairs, CONFIG), allow_nan=False)


def test_sets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DatasetError, match="share no picture"):
        pair_masks([picture("a", 10)], [picture("b", 10)], CONFIG)
    small = picture("a", 10)
    other = replace(small, masks=set_from_masks(np.ones((1, 50, 100), bool)))
    with pytest.raises(DatasetError, match="same pictures"):
        pair_masks([small], [other], CONFIG)
    with pytest.raises(DatasetError, match="no automatic mask has a corrected one"):
        summarise(pair_masks([picture("a", 10)], [picture("a", 0)], CONFIG), CONFIG)


@pytest.mark.parametrize("changes", [{"min_iou": 0.0}, {"size_edges": (0.5,)}, {"score_edges": (0.0, 0.9, 0.8)}])
def test_bad_settings_are_named(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        QualityConfig(**changes)
