import numpy as np
import pytest

from anymask.errors import ImageError, MaskError
from anymask.figures.overlays import outside_dimmed, overlay, palette
from anymask.masks.rle import encode
from anymask.masks.types import MaskSet
from anymask.prompts.types import Prompt

GREY = np.full((60, 80, 3), 128, np.uint8)


def box_mask(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def mask_set(masks: list[np.ndarray]) -> MaskSet:
    m = len(masks)
    return MaskSet(
        size_hw=(60, 80),
        rles=tuple(encode(mask) for mask in masks),
        area_px=np.array([mask.sum() for mask in masks], np.int64),
        boxes_xyxy=np.zeros((m, 4), np.float32),
        predicted_iou=np.zeros(m, np.float32),
        stability=np.zeros(m, np.float32),
        points_xy=np.zeros((m, 2), np.float32),
        crop_boxes_xyxy=np.zeros((m, 4), np.float32),
    )


LARGE, SMALL = box_mask(5, 5, 50, 70), box_mask(20, 20, 30, 40)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_small_mask_stays_visible_on_a_large_one_in_either_order(order: tuple[int, int]) -> None:
    masks = [(LARGE, SMALL)[i] for i in order]
    colours = palette(2)
    painted = overlay(GREY, masks, alpha=1.0, outline=False)
    np.testing.assert_array_equal(painted[25, 30], colours[order.index(1)])
    np.testing.assert_array_equal(painted[45, 60], colours[order.index(0)])
    np.testing.assert_array_equal(painted[~LARGE], GREY[~LARGE])


def test_a_mask_set_is_drawn_as_its_decoded_masks_are() -> None:
    masks = [LARGE, SMALL, np.zeros((60, 80), bool)]
    np.testing.assert_array_equal(overlay(GREY, mask_set(masks)), overlay(GREY, masks))


def test_alpha_mixes_the_colour_with_the_picture() -> None:
    half = overlay(GREY, [LARGE], alpha=0.5, outline=False)[10, 10].astype(int)
    np.testing.assert_allclose(half, (128 + palette(1)[0].astype(int)) / 2, atol=1)


def test_an_outline_is_the_pure_colour_just_inside_the_mask_and_never_outside() -> None:
    painted = overlay(GREY, [LARGE], alpha=0.0)
    changed = (painted != GREY).any(axis=2)
    np.testing.assert_array_equal(changed, LARGE & ~box_mask(6, 6, 49, 69))
    np.testing.assert_array_equal(painted[5, 5], palette(1)[0])


def test_the_outline_of_a_large_mask_shows_beside_a_small_one_that_touches_it() -> None:
    painted = overlay(GREY, [LARGE, box_mask(5, 5, 15, 15)], alpha=0.0)
    np.testing.assert_array_equal(painted[5, 40], palette(2)[0])
    np.testing.assert_array_equal(painted[5, 10], palette(2)[1])


def test_no_masks_and_no_prompts_leave_the_picture_as_it_is_and_never_alias_it() -> None:
    painted = overlay(GREY, [])
    np.testing.assert_array_equal(painted, GREY)
    painted[:] = 0
    assert GREY.max() == 128


def test_points_are_green_or_red_where_they_were_given() -> None:
    prompt = Prompt(points_xy=np.array([[20, 30], [60, 30]]), labels=np.array([1, 0]))
    painted = overlay(GREY, [], prompts=[prompt]).astype(int)
    red, green, _ = painted[30, 20]
    assert green > red + 100
    red, green, _ = painted[30, 60]
    assert red > green + 100
    np.testing.assert_array_equal(painted[:10], GREY[:10])


def test_a_box_is_drawn_along_its_edges_only() -> None:
    painted = overlay(GREY, [], prompts=[Prompt(box_xyxy=np.array([20, 15, 60, 45]))])
    changed = (painted != GREY).any(axis=2)
    assert changed[15, 20:60].all()
    assert changed[44, 20:60].all()
    assert not changed[22:38, 27:53].any()
    assert not changed[:10].any()


def test_prompts_outside_the_picture_draw_nothing_and_do_not_fail() -> None:
    prompt = Prompt(points_xy=np.array([[-500, 9000]]), box_xyxy=np.array([-300, -300, -200, -200]))
    np.testing.assert_array_equal(overlay(GREY, [], prompts=[prompt]), GREY)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (5000, 1)])
def test_extreme_pictures_can_be_drawn_on(size: tuple[int, int]) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    painted = overlay(picture, [np.ones(size, bool)], prompts=[Prompt(points_xy=np.zeros((1, 2)))])
    assert painted.shape == picture.shape
    assert painted.any()


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(MaskError, match=r"mask 1 has shape \(6, 8\), the picture has \(60, 80\)"):
        overlay(GREY, [LARGE, np.ones((6, 8), bool)])


@pytest.mark.parametrize("bad", [GREY[..., 0], GREY.astype(np.float32), GREY[:0]])
def test_anything_but_rgb_bytes_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"expected \(H, W, 3\) uint8"):
        overlay(bad, [])


def test_the_first_colours_do_not_depend_on_how_many_there_are() -> None:
    np.testing.assert_array_equal(palette(40)[:5], palette(5))
    assert palette(0).shape == (0, 3)


def test_neighbouring_colours_differ_and_another_seed_gives_others() -> None:
    colours = palette(60).astype(int)
    assert np.abs(np.diff(colours, axis=0)).sum(axis=1).min() > 80
    assert (palette(5, seed=1) != palette(5)).any()


def test_the_outside_of_a_mask_is_dimmed_and_its_inside_kept() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    dimmed = outside_dimmed(picture, SMALL)
    core = box_mask(21, 21, 29, 39)
    np.testing.assert_array_equal(dimmed[core], picture[core])
    assert dimmed[~SMALL].mean() < 0.4 * picture[~SMALL].mean()
