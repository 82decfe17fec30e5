"""GrabCut and Felzenszwalb as segmenters, on a drawn picture and a real one."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from skimage.segmentation import felzenszwalb

from anymask.errors import ConfigError, UnsupportedPromptError
from anymask.evaluation.baselines import Felzenszwalb, FelzenszwalbConfig, GrabCut, GrabCutConfig, baseline
from anymask.evaluation.metrics import iou_of_each
from anymask.evaluation.segmenter import Segmenter
from anymask.prompts.types import Prompt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@pytest.fixture(scope="module")
def disc() -> tuple[Pixels, Mask]:
    """A noisy orange disc on noisy blue, (60, 80)."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:60, :80]
    mask = (rows - 30) ** 2 + (columns - 35) ** 2 < 18**2
    pixels = np.where(mask[..., None], (220, 130, 40), (30, 60, 160)) + rng.normal(0, 6, (60, 80, 3))
    return pixels.clip(0, 255).astype(np.uint8), mask


def box_of(mask: Mask) -> list[int]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def click(*points: tuple[float, float, int]) -> Prompt:
    return Prompt(points_xy=np.array([p[:2] for p in points]), labels=np.array([p[2] for p in points]))


def test_grabcut_finds_a_disc_in_its_box(disc: tuple[Pixels, Mask]) -> None:
    pixels, mask = disc
    segmenter = GrabCut()
    segmenter.set_image(pixels)
    answer = segmenter.predict(Prompt(box_xyxy=box_of(mask)), multimask=True)
    assert answer.masks.shape == (1, 60, 80)
    assert iou_of_each(answer.masks, mask)[0] > 0.97


def test_grabcut_is_opencvs_own_with_a_rectangle(photo: Pixels) -> None:
    photo = np.ascontiguousarray(photo[::4, ::4])
    x0, y0, x1, y1 = 47, 22, 108, 70
    segmenter = GrabCut(GrabCutConfig(iterations=2, seed=3))
    segmenter.set_image(photo)
    ours = segmenter.predict(Prompt(box_xyxy=[x0, y0, x1, y1]), multimask=False).masks[0]
    state = np.zeros(photo.shape[:2], np.uint8)
    cv2.setRNGSeed(3)
    bgr = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
    cv2.grabCut(bgr, state, (x0, y0, x1 - x0, y1 - y0), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_RECT)
    np.testing.assert_array_equal(ours, state % 2 == 1)
    assert 0 < ours.mean() < 0.5


def test_grabcut_answers_the_same_whatever_was_asked_before(disc: tuple[Pixels, Mask]) -> None:
    pixels, mask = disc
    segmenter = GrabCut()
    segmenter.set_image(pixels)
    prompt = Prompt(box_xyxy=box_of(mask))
    first = segmenter.predict(prompt, multimask=False).masks
    segmenter.predict(Prompt(box_xyxy=[3, 3, 20, 50]), multimask=False)
    np.testing.assert_array_equal(segmenter.predict(prompt, multimask=False).masks, first)


BOXES = [[0, 0, 80, 60], [-5, -5, 100, 100], [4, 4, 5, 5], [79, 59, 80, 60], [10, 10, 70, 11]]


@pytest.mark.parametrize("box", BOXES)
def test_grabcut_stays_inside_every_box(disc: tuple[Pixels, Mask], box: list[int]) -> None:
    segmenter = GrabCut()
    segmenter.set_image(disc[0])
    mask = segmenter.predict(Prompt(box_xyxy=box), multimask=False).masks[0]
    outside = np.ones_like(mask)
    outside[max(box[1], 0) : box[3], max(box[0], 0) : box[2]] = False
    assert not (mask & outside).any()


def test_an_empty_cut_is_empty_or_the_box_as_configured() -> None:
    flat = np.full((40, 50, 3), 90, np.uint8)
    answers = {}
    for name in ("grabcut", "grabcut_or_box"):
        segmenter = baseline(name)
        segmenter.set_image(flat)
        answers[name] = segmenter.predict(Prompt(box_xyxy=[5, 6, 20, 30]), multimask=False).masks[0]
    assert not answers["grabcut"].any()
    box = np.zeros((40, 50), bool)
    box[6:30, 5:20] = True
    np.testing.assert_array_equal(answers["grabcut_or_box"], box)


def test_more_grabcut_iterations_change_the_answer(photo: Pixels) -> None:
    masks = []
    for iterations in (1, 5):
        segmenter = GrabCut(GrabCutConfig(iterations=iterations))
        segmenter.set_image(np.ascontiguousarray(photo[::4, ::4]))
        masks.append(segmenter.predict(Prompt(box_xyxy=[47, 22, 108, 70]), multimask=False).masks)
    assert (masks[0] != masks[1]).any()


def test_felzenszwalb_answers_a_click_with_its_region(disc: tuple[Pixels, Mask]) -> None:
    pixels, mask = disc
    segmenter = Felzenszwalb()
    segmenter.set_image(pixels)
    inside = segmenter.predict(click((35.5, 30.5, 1)), multimask=True).masks
    outside = segmenter.predict(click((2.5, 2.5, 1)), multimask=True).masks
    assert inside.shape == (1, 60, 80)
    assert iou_of_each(inside, mask)[0] > 0.8  # the blur before costs the rim
    assert iou_of_each(outside, ~mask)[0] > 0.9


def test_felzenszwalb_is_the_region_of_scikit_image_under_the_pixel_clicked(photo: Pixels) -> None:
    small = np.ascontiguousarray(photo[::4, ::4])
    config = FelzenszwalbConfig(scale=80, sigma=0.6, min_size=30)
    segmenter = Felzenszwalb(config)
    segmenter.set_image(small)
    regions = felzenszwalb(small, scale=80, sigma=0.6, min_size=30)
    for row, column in [(0, 0), (40, 75), (99, 149)]:
        mask = segmenter.predict(click((column + 0.5, row + 0.5, 1)), multimask=False).masks[0]
        np.testing.assert_array_equal(mask, regions == regions[row, column])


def test_felzenszwalb_clicks_add_regions_and_background_clicks_take_none_away(disc: tuple[Pixels, Mask]) -> None:
    segmenter = Felzenszwalb()
    segmenter.set_image(disc[0])
    one = segmenter.predict(click((35.5, 30.5, 1)), multimask=False).masks[0]
    other = segmenter.predict(click((2.5, 2.5, 1)), multimask=False).masks[0]
    both = segmenter.predict(click((35.5, 30.5, 1), (2.5, 2.5, 1), (36.5, 31.5, 0)), multimask=False).masks[0]
    np.testing.assert_array_equal(both, one | other)
    assert not segmenter.predict(click((2.5, 2.5, 0)), multimask=False).masks.any()


@pytest.mark.parametrize(
    "changed", [{"scale": 5.0}, {"sigma": 3.0}, {"min_size": 2000}], ids=["scale", "sigma", "min_size"]
)
def test_every_felzenszwalb_parameter_changes_the_regions(photo: Pixels, changed: dict[str, float]) -> None:
    small = np.ascontiguousarray(photo[::4, ::4])
    answers = []
    for config in (FelzenszwalbConfig(), FelzenszwalbConfig(**changed)):
        segmenter = Felzenszwalb(config)
        segmenter.set_image(small)
        answers.append(segmenter.predict(click((75.5, 45.5, 1)), multimask=False).masks)
    assert (answers[0] != answers[1]).any()


@pytest.mark.parametrize("name", ["grabcut", "grabcut_or_box", "felzenszwalb"])
def test_a_baseline_is_made_by_name_and_travels_to_another_process(name: str) -> None:
    segmenter: Segmenter = baseline(name)
    copy = pickle.loads(pickle.dumps(segmenter))
    assert (copy.name, copy.fingerprint) == (name, segmenter.fingerprint)


def test_a_fingerprint_tells_parameters_apart() -> None:
    assert GrabCut().fingerprint != GrabCut(GrabCutConfig(iterations=6)).fingerprint
    assert Felzenszwalb().fingerprint != Felzenszwalb(FelzenszwalbConfig(scale=1)).fingerprint


def test_an_unknown_baseline_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="known are grabcut, grabcut_or_box, felzenszwalb"):
        baseline("watershed")


@pytest.mark.parametrize(
    ("segmenter", "prompt"),
    [(GrabCut(), click((3, 3, 1))), (Felzenszwalb(), Prompt(box_xyxy=[1, 1, 5, 5]))],
    ids=["grabcut", "felzenszwalb"],
)
def test_a_prompt_it_cannot_take_is_refused(segmenter: Segmenter, prompt: Prompt, photo: Pixels) -> None:
    segmenter.set_image(photo[:20, :20])
    with pytest.raises(UnsupportedPromptError):
        segmenter.predict(prompt, multimask=False)


@pytest.mark.parametrize(
    ("kind", "bad"),
    [(GrabCutConfig, {"iterations": 0}), (FelzenszwalbConfig, {"scale": -1.0}), (FelzenszwalbConfig, {"min_size": -1})],
)
def test_a_bad_parameter_is_refused_by_name(kind: type, bad: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(bad))):
        kind(**bad)
