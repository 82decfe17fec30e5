from __future__ import annotations

from anymask.dataset.published import BETWEEN_PEOPLE, PUBLISHED, QUALITY, SOURCE


def test_figures_are_those_of_the_paper_and_fit_each_other() -> None:
    """Section 5: 11M pictures and 1.1B masks; 11, 400 and 36 times Open Images'; 3.5 times ADE20K's masks a picture."""
    by_name = {one.name: one for one in PUBLISHED}
    ours, theirs = by_name["SA-1B"], by_name["Open Images V5"]
    assert (ours.pictures, ours.masks, ours.masks_a_picture) == (11e6, 1.1e9, 100)
    assert ours.masks / ours.pictures == ours.masks_a_picture
    assert round(ours.masks / theirs.masks) == 400
    assert round(theirs.masks / theirs.pictures, 1) == round(theirs.masks_a_picture, 1)  # 2.75 and 2.78, both 2.8
    assert by_name["COCO"].masks is None  # not said there
    assert QUALITY == {"above .9": 0.94, "above .75": 0.97}
    assert BETWEEN_PEOPLE == (0.85, 0.91)
    assert "2304.02643" in SOURCE
