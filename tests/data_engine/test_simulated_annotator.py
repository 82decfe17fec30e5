import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from anymask.data_engine import mask_rows
from anymask.data_engine.annotator_habits import HabitsConfig
from anymask.data_engine.mask_rows import Maker
from anymask.data_engine.simulated_annotator import SimulatedAnnotator
from anymask.data_engine.tables import ImageRow
from anymask.errors import DatasetError
from anymask.masks import rle
from anymask.masks.overlap import mask_iou
from tests.data_engine.live import served, sign_in
from tests.data_engine.world import SIZE_HW, provenance, rectangle
from tests.server.browser import Site

Mask = npt.NDArray[np.bool_]


def box(x0: int, y0: int, x1: int, y1: int) -> Mask:
    mask = np.zeros(SIZE_HW, bool)
    mask[y0:y1, x0:x1] = True
    return mask


SMALL, LARGE = box(2, 3, 14, 15), box(20, 5, 50, 35)
EXACT = HabitsConfig(miss_probability=0, wrong_accept_probability=0, click_noise_px=0, brush_noise_px=0, most_clicks=2)


def know(_name: str) -> Sequence[Mask]:
    return [SMALL, LARGE]


def propose(site: Site, image_id: int, *corners: tuple[int, int, int, int]) -> None:
    """Masks that a model offers, and nobody has looked at."""

    def add(session: Any) -> None:
        image = session.get_one(ImageRow, image_id)
        maker = Maker(origin="model", person_id=None, stage="semi_automatic", state="proposed")
        for each in corners:
            mask = mask_rows.check_mask(rectangle(*each), SIZE_HW, provenance=provenance(tool="everything"))
            mask_rows.make_mask(session, image, str(uuid.uuid4()), mask, maker, site.services.database.clock())

    site.services.database.write(add)


def masks_of(site: Site, image_id: int) -> list[dict[str, Any]]:
    masks: list[dict[str, Any]] = site.browser("Ada").data("GET", f"/images/{image_id}/masks")["masks"]
    return masks


def test_objects_are_clicked_the_largest_first_and_brushed_when_the_model_fails(site: Site) -> None:
    project = site.add_project()
    image = site.add_picture(project)
    site.work()
    with served(site) as url:
        ann = sign_in(site, url, "Ann")
        annotator = SimulatedAnnotator(ann, project, know, EXACT)
        note = annotator.annotate_next()
        assert annotator.annotate_next() is None
        ann.close()
    assert note is not None
    assert [each.what for each in note.masks] == ["brushed", "brushed"]
    assert [each.clicks for each in note.masks] == [2, 2]
    assert {each.iou for each in note.masks} == {1.0}
    first, second = masks_of(site, image["id"])
    assert [each["area_px"] for each in (first, second)] == [LARGE.sum(), SMALL.sum()]
    made = first["provenance"]
    assert (made["tool"], made["tools"], made["clicks"], made["decoded_on"]) == (
        "brush",
        ["click", "brush"],
        2,
        "server",
    )
    assert made["model_sha256"] == site.services.model.sha256
    assert [len(prompt["points"]) for prompt in made["prompts"]] == [1, 2]
    assert [prompt["used_mask"] for prompt in made["prompts"]] == [False, True]
    assert abs(made["active_ms"] - 1000 * note.masks[0].seconds) < 1
    assert 0 <= first["first_answer_iou"] < 0.85
    assert site.browser("Ada").data("GET", f"/images/{image['id']}")["state"] == "done"


def test_proposals_are_accepted_fixed_or_dropped_before_the_rest_is_added(site: Site) -> None:
    project = site.add_project()
    image = site.add_picture(project)
    site.work()
    propose(site, image["id"], (20, 5, 50, 34), (2, 3, 10, 15), (52, 0, 58, 3))
    with served(site) as url:
        ann = sign_in(site, url, "Ann")
        note = SimulatedAnnotator(ann, project, know, EXACT).annotate_next()
        ann.close()
    assert note is not None
    assert [each.what for each in note.masks] == ["accepted", "fixed", "dropped"]
    states = {each["area_px"]: (each["state"], each["origin"]) for each in masks_of(site, image["id"])}
    assert states == {30 * 29: ("accepted", "model"), SMALL.sum(): ("accepted", "model"), 18: ("rejected", "model")}


def test_what_goes_wrong_goes_wrong_as_often_as_configured(site: Site) -> None:
    project = site.add_project()
    image = site.add_picture(project)
    site.work()
    propose(site, image["id"], (52, 0, 58, 3))
    careless = HabitsConfig(miss_probability=1.0, wrong_accept_probability=1.0)
    with served(site) as url:
        ann = sign_in(site, url, "Ann")
        note = SimulatedAnnotator(ann, project, know, careless).annotate_next()
        ann.close()
    assert note is not None
    assert [each.what for each in note.masks] == ["accepted"]


def test_the_same_annotator_does_the_same_on_a_picture(site: Site) -> None:
    project = site.add_project()
    images = [site.add_picture(project), site.add_picture(site.add_project("again"))]
    site.work()
    with served(site) as url:
        ann = sign_in(site, url, "Ann")
        for image in images:
            SimulatedAnnotator(ann, image["project_id"], know).annotate_next()
        ann.close()
    one, other = (masks_of(site, image["id"]) for image in images)
    assert [each["rle"] for each in one] == [each["rle"] for each in other]
    assert [each["provenance"]["active_ms"] for each in one] == [each["provenance"]["active_ms"] for each in other]


def test_pictures_that_nobody_knows_are_skipped_and_other_sizes_named(site: Site) -> None:
    project = site.add_project()
    for seed in range(2):
        site.add_picture(project, f"{seed}.png", seed)
    site.work()
    with served(site) as url:
        ann = sign_in(site, url, "Ann")
        note = SimulatedAnnotator(ann, project, lambda _: None).annotate_next()
        assert note is not None
        assert note.skipped
        with pytest.raises(DatasetError, match=r"the true masks of 1.png are of \(3, 3\)"):
            SimulatedAnnotator(ann, project, lambda _: [np.ones((3, 3), bool)]).annotate_next()
        ann.close()


def test_masks_that_are_there_are_not_made_again(site: Site) -> None:
    project = site.add_project()
    image = site.add_picture(project)
    site.work()
    with served(site) as url:
        ann = sign_in(site, url, "Ann")
        for known in ([LARGE], [LARGE, SMALL]):
            task = ann.post(f"/images/{image['id']}/task", {"kind": "annotate"})
            assert task["state"] == "leased"
            note = SimulatedAnnotator(ann, project, lambda _, known=known: known, EXACT).annotate_next()
            assert note is not None
            assert len(note.masks) == 1
        ann.close()
    assert len(masks_of(site, image["id"])) == 2
    mask = rle.decode(rle.from_json(masks_of(site, image["id"])[1]["rle"]))
    assert mask_iou(mask, SMALL)[0, 0] == 1
