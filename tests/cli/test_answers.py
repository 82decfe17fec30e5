from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.cli.answers import AnswerFolder, Format, describe_masks, unique_stems
from anymask.dataset.formats import from_coco, from_png, from_sa1b
from anymask.errors import PathError
from anymask.masks.rle import decode
from anymask.masks.sets import set_from_masks
from anymask.masks.types import MaskSet

_PIXELS = np.full((20, 30, 3), 90, np.uint8)


def _masks() -> MaskSet:
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:18, 3:25] = True
    masks[1, 5:9, 5:9] = True
    return set_from_masks(masks, predicted_iou=[0.9, 0.8])


def test_every_form_holds_the_masks(tmp_path: Path) -> None:
    folder, masks = AnswerFolder(tmp_path / "new" / "out", list(Format)), _masks()
    files = folder.add(Path("photos/cup.jpg"), "cup", _PIXELS, masks, [])
    coco = folder.finish()
    out = tmp_path / "new" / "out"
    assert files == {form: str(out / f"cup{end}") for form, end in _ENDS.items()}
    assert coco == str(out / "coco.json")
    sa1b = json.loads((out / "cup.json").read_text())
    assert sa1b["image"] == {"image_id": 1, "width": 30, "height": 20, "file_name": "cup.jpg"}
    assert from_sa1b(sa1b).rles == masks.rles
    (picture,) = from_coco(json.loads((out / "coco.json").read_text()))
    assert picture.masks.rles == masks.rles
    on_top = from_png((out / "cup_labels.png").read_bytes())
    assert on_top.rles[1] == masks.rles[1]
    assert np.array_equal(decode(on_top.rles[0]), decode(masks.rles[0]) & ~decode(masks.rles[1]))
    drawn = np.asarray(Image.open(out / "cup_overlay.png"))
    assert (drawn != _PIXELS).any()
    assert sorted(path.name for path in out.iterdir()) == ["coco.json", "cup.json", "cup_labels.png", "cup_overlay.png"]


_ENDS = {"sa1b": ".json", "png": "_labels.png", "overlay": "_overlay.png"}


def test_coco_numbers_the_pictures_in_their_order(tmp_path: Path) -> None:
    folder = AnswerFolder(tmp_path, [Format.COCO, Format.COCO])
    for name in ("b.jpg", "a.jpg"):
        assert folder.add(Path(name), name[0], _PIXELS, _masks(), []) == {}
    folder.finish()
    pictures = from_coco(json.loads((tmp_path / "coco.json").read_text()))
    assert [(picture.image_id, picture.file_name, len(picture.masks)) for picture in pictures] == [
        (1, "b.jpg", 2),
        (2, "a.jpg", 2),
    ]


def test_nothing_is_finished_when_coco_is_not_wanted(tmp_path: Path) -> None:
    assert AnswerFolder(tmp_path, [Format.PNG]).finish() is None


def test_pictures_of_one_name_never_share_a_file() -> None:
    pictures = [Path("a/cup.jpg"), Path("b/cup.png"), Path("cup_2.png"), Path("CUP.png"), Path("tea.png")]
    stems = unique_stems(pictures)
    assert stems[0] == "cup"
    assert stems[-1] == "tea"
    assert len({stem.casefold() for stem in stems}) == len(pictures)


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(PathError, match="cannot be made"):
        AnswerFolder(tmp_path / "out", [Format.PNG])


def test_answers_never_leave_their_folder(tmp_path: Path) -> None:
    outside, out = tmp_path / "outside.json", tmp_path / "out"
    outside.write_text("precious")
    out.mkdir()
    (out / "cup.json").symlink_to(outside)
    with pytest.raises(PathError, match="leads outside"):
        AnswerFolder(out, [Format.SA1B]).add(Path("cup.jpg"), "cup", _PIXELS, _masks(), [])
    assert outside.read_text() == "precious"
    for stem in ("../cup", "a\nb", "%2e%2e"):
        with pytest.raises(PathError):
            AnswerFolder(out, [Format.SA1B]).add(Path("cup.jpg"), stem, _PIXELS, _masks(), [])


def test_file_that_cannot_be_written_leaves_the_old_one_whole(tmp_path: Path) -> None:
    (tmp_path / "cup.json").mkdir()
    (tmp_path / "cup.json" / "kept").write_text("precious")
    with pytest.raises(PathError, match=r"cup.json cannot be written \(.*\); what was there before is whole"):
        AnswerFolder(tmp_path, [Format.SA1B]).add(Path("cup.jpg"), "cup", _PIXELS, _masks(), [])
    assert [path.name for path in tmp_path.iterdir()] == ["cup.json"]
    assert (tmp_path / "cup.json" / "kept").read_text() == "precious"


@pytest.mark.parametrize(("masks_per_prompt", "prompts"), [(1, [0, 1]), (2, [0, 0])])
def test_masks_say_which_prompt_they_answer(masks_per_prompt: int, prompts: list[int]) -> None:
    described = describe_masks(_masks(), Path("cup.jpg"), masks_per_prompt)
    assert [mask["prompt"] for mask in described] == prompts
    assert [mask["area"] for mask in described] == [16 * 22, 16]


def test_masks_of_no_prompt_name_none() -> None:
    assert all("prompt" not in mask for mask in describe_masks(_masks(), Path("cup.jpg"), None))
