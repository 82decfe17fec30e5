from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.cli.prompting import PromptArguments, check_fit, make_prompts, to_plain
from anymask.errors import MaskError, PromptError
from anymask.prompts.types import Prompt


def _mask_file(path: Path, mode: str = "L") -> Path:
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1:3, 2:5] = 255
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def test_several_points_are_one_prompt() -> None:
    (prompt,) = make_prompts(PromptArguments(points=("10,20", "3.5,4,0", "1,2,1")))
    assert to_plain(prompt) == {"points": [[10, 20, 1], [3.5, 4, 0], [1, 2, 1]]}


def test_several_boxes_are_several_prompts_in_order() -> None:
    prompts = make_prompts(PromptArguments(boxes=("1,2,3,4", "5,6,7,8")))
    assert [to_plain(prompt) for prompt in prompts] == [{"box": [1, 2, 3, 4]}, {"box": [5, 6, 7, 8]}]


def test_points_mask_and_one_box_are_one_prompt(tmp_path: Path) -> None:
    mask = _mask_file(tmp_path / "mask.png")
    (prompt,) = make_prompts(PromptArguments(points=("10,20",), boxes=("1,2,3,4",), mask=mask))
    assert to_plain(prompt) == {"points": [[10, 20, 1]], "box": [1, 2, 3, 4], "mask": True}


@pytest.mark.parametrize("mode", ["L", "1", "P"])
def test_mask_is_what_is_not_zero(tmp_path: Path, mode: str) -> None:
    (prompt,) = make_prompts(PromptArguments(mask=_mask_file(tmp_path / "mask.png", mode)))
    assert prompt.mask is not None
    assert prompt.mask.shape == (4, 6)
    assert prompt.mask.sum() == 6
    assert prompt.mask[1:3, 2:5].all()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"points": ("10",)}, r"--point '10' is not x,y or x,y,label in pixels, for example --point 300,180"),
        ({"points": ("1,2,3,4",)}, "--point '1,2,3,4' is not"),
        ({"points": ("a,b",)}, "--point 'a,b' is not"),
        ({"points": ("nan,1",)}, "--point 'nan,1' is not"),
        ({"points": ("1,inf",)}, "--point '1,inf' is not"),
        ({"points": ("",)}, "--point '' is not"),
        ({"points": ("1,2,7",)}, r"the label is 7, expected 1 \(foreground\) or 0"),
        ({"points": ("1,2,0.5",)}, "the label is 0.5"),
        ({"boxes": ("1,2,3",)}, r"--box '1,2,3' is not x0,y0,x1,y1 in pixels, for example --box"),
        ({"boxes": ("9,2,3,4",)}, "ends before it starts"),
        (
            {"boxes": ("1,2,3,4", "1,2,3,5"), "points": ("1,2",)},
            "2 boxes are 2 prompts.*points belong to",
        ),
        ({"boxes": ("1,2,3,4", "1,2,3,5"), "mask": Path("m.png")}, "the mask belongs to"),
    ],
)
def test_unclear_prompt_is_refused_with_what_to_do(given: dict[str, object], reason: str) -> None:
    with pytest.raises(PromptError, match=reason):
        make_prompts(PromptArguments(**given))


def test_mask_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"absent.png cannot be read \(No such file"):
        make_prompts(PromptArguments(mask=tmp_path / "absent.png"))
    (tmp_path / "text.png").write_bytes(b"hello")
    with pytest.raises(MaskError, match=r"text.png: the label map cannot be read: the content is not a known"):
        make_prompts(PromptArguments(mask=tmp_path / "text.png"))
    with pytest.raises(MaskError, match="mode RGB"):
        make_prompts(PromptArguments(mask=_mask_file(tmp_path / "rgb.png", "RGB")))


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (Prompt(points_xy=np.array([[5, 5], [61, 5]])), "point 61,5 lies outside the picture of 60 x 40"),
        (Prompt(points_xy=np.array([[5, 40.5]])), "point 5,40.5 lies outside"),
        (Prompt(points_xy=np.array([[-1, 5]])), "point -1,5 lies outside"),
        (Prompt(box_xyxy=np.array([60, 0, 70, 10])), "box 60,0,70,10 lies outside"),
        (Prompt(box_xyxy=np.array([-9, -9, 0, 10])), "box -9,-9,0,10 lies outside"),
        (Prompt(mask=np.ones((60, 40), bool)), "mask has 40 x 60 pixels, the picture 60 x 40"),
    ],
)
def test_prompt_of_another_picture_is_refused(prompt: Prompt, reason: str) -> None:
    with pytest.raises(PromptError, match=reason):
        check_fit([Prompt(points_xy=np.array([[1, 1]])), prompt], (40, 60))


def test_prompts_on_the_border_and_boxes_that_reach_over_it_are_taken() -> None:
    check_fit(
        [
            Prompt(points_xy=np.array([[0, 0], [60, 40]])),
            Prompt(box_xyxy=np.array([-5, -5, 100, 100])),
            Prompt(mask=np.ones((40, 60), bool)),
        ],
        (40, 60),
    )
