from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anymask.cli.main import main
from anymask.dataset.formats import from_sa1b
from anymask.masks.regions import fill_and_clean
from anymask.masks.rle import decode, encode, from_json
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.prompts.types import Prompt

Run = Any


@pytest.fixture
def run(small_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `anymask segment` in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def segment(*arguments: object) -> tuple[int, str, str]:
        code = main(["segment", *map(str, arguments), "--model", str(small_model)])
        return (code, *capsys.readouterr())

    return segment


def test_masks_are_the_predictors(run: Run, photo_path: Path, small_model: Path) -> None:
    code, out, err = run(photo_path, "--point", "300,180", "--point", "150,220,0", "--json")
    assert (code, err) == (0, "")
    predictor = Predictor(load(small_model))
    predictor.set_image(photo_path)
    expected = predictor.predict(Prompt(points_xy=np.array([[300, 180], [150, 220]]), labels=np.array([1, 0])))
    answer = json.loads(out)
    (picture,) = answer["pictures"]
    (mask,) = picture["masks"]
    assert np.array_equal(decode(from_json(mask["segmentation"])), expected.masks()[0])
    assert mask["predicted_iou"] == pytest.approx(float(expected.predicted_iou[0]))
    assert mask["prompt"] == 0
    assert picture["picture"] == str(photo_path)
    assert picture["size_hw"] == [400, 600]
    assert picture["prompts"] == [{"points": [[300, 180, 1], [150, 220, 0]]}]
    assert answer["model"] == str(small_model)
    assert answer["failed"] == []


def test_best_of_three_is_given_for_a_click_and_all_three_when_asked_for(run: Run, photo_path: Path) -> None:
    _, best, _ = run(photo_path, "--point", "300,180", "--json")
    _, three, _ = run(photo_path, "--point", "300,180", "--multimask", "--json")
    (one,), several = (json.loads(text)["pictures"][0]["masks"] for text in (best, three))
    assert len(several) == 3
    assert [mask["prompt"] for mask in several] == [0, 0, 0]
    assert one["predicted_iou"] == max(mask["predicted_iou"] for mask in several)
    assert one["segmentation"] in [mask["segmentation"] for mask in several]


def test_each_box_gets_its_mask(run: Run, photo_path: Path) -> None:
    _, out, _ = run(photo_path, "--box", "170,15,430,325", "--box", "320,60,430,335", "--json")
    _, second, _ = run(photo_path, "--box", "320,60,430,335", "--json")
    both, alone = (json.loads(text)["pictures"][0]["masks"] for text in (out, second))
    assert [mask["prompt"] for mask in both] == [0, 1]
    assert both[1]["segmentation"] == alone[0]["segmentation"]
    assert both[0]["segmentation"] != both[1]["segmentation"]


def test_mask_file_changes_the_answer(run: Run, photo_path: Path, tmp_path: Path) -> None:
    rough = np.zeros((400, 600), np.uint8)
    rough[100:300, 200:400] = 255
    Image.fromarray(rough).save(tmp_path / "rough.png")
    answers = [run(photo_path, "--box", "170,15,430,325", *more, "--json") for more in ((), ("--mask", "rough.png"))]
    assert [code for code, _, _ in answers] == [0, 0]
    scores = [json.loads(out)["pictures"][0]["masks"][0]["predicted_iou"] for _, out, _ in answers]
    assert scores[0] != scores[1]


def test_files_are_written_and_told(run: Run, photo_path: Path, tmp_path: Path) -> None:
    code, out, err = run(photo_path, "--point", "300,180", "--out", "answers")
    assert (code, err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "answers").iterdir()) == ["coffee.json", "coffee_overlay.png"]
    assert out.startswith(f"{photo_path}: 1 mask (predicted IoU ")
    assert out.endswith("-> answers/coffee.json, answers/coffee_overlay.png\n")
    assert len(from_sa1b(json.loads((tmp_path / "answers" / "coffee.json").read_text()))) == 1


def test_files_go_to_a_named_folder_unless_json_is_all_that_is_wanted(
    run: Run, photo_path: Path, tmp_path: Path
) -> None:
    run(photo_path, "--point", "300,180", "--json")
    assert list(tmp_path.iterdir()) == []
    _, out, _ = run(photo_path, "--point", "300,180", "--json", "--format", "png")
    assert json.loads(out)["pictures"][0]["files"] == {"png": "anymask_out/coffee_labels.png"}
    run(photo_path, "--point", "300,180")
    assert (tmp_path / "anymask_out" / "coffee.json").is_file()


def test_coco_file_is_one_for_all(run: Run, photo_path: Path, tmp_path: Path) -> None:
    code, out, _ = run(photo_path, photo_path, "--point", "300,180", "--format", "coco", "--out", "o")
    assert code == 0
    assert out.splitlines()[-1] == "all pictures -> o/coco.json"
    images = json.loads((tmp_path / "o" / "coco.json").read_text())["images"]
    assert [(image["id"], image["file_name"]) for image in images] == [(1, "coffee.jpg"), (2, "coffee.jpg")]


def test_everything_finds_masks_and_their_tree(run: Run, photo_path: Path) -> None:
    arguments = (photo_path, "--everything", "--points-per-side", "4", "--json")
    code, out, _ = run(*arguments)
    _, with_tree, _ = run(*arguments, "--tree")
    masks, in_tree = (json.loads(text)["pictures"][0]["masks"] for text in (out, with_tree))
    assert code == 0
    assert len(masks) > 0
    assert all("prompt" not in mask and "parent" not in mask for mask in masks)
    assert all("parent" in mask for mask in in_tree)
    assert [mask["segmentation"] for mask in masks] == [mask["segmentation"] for mask in in_tree]
    assert all(mask["predicted_iou"] > 0.88 and mask["stability_score"] >= 0.95 for mask in masks)


def test_paper_preset_cleans_masks_and_the_default_leaves_them_as_they_are(run: Run, photo_path: Path) -> None:
    arguments = (photo_path, "--everything", "--points-per-side", "4", "--json")
    _, plain, _ = run(*arguments)
    _, paper, _ = run(*arguments, "--preset", "paper")
    for out, is_clean in ((plain, False), (paper, True)):
        masks = [decode(from_json(mask["segmentation"])) for mask in json.loads(out)["pictures"][0]["masks"]]
        assert len(masks) > 0
        assert all(fill_and_clean(mask, 100)[1] for mask in masks) != is_clean


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((), "nothing was asked for; give --point"),
        (("--everything", "--point", "1,2"), "--everything asks its own clicks"),
        (("--everything", "--multimask"), "--everything asks its own clicks"),
        (("--preset", "paper", "--point", "1,2"), "belong to --everything; add it"),
        (("--tree", "--point", "1,2"), "belong to --everything"),
        (("--points-per-side", "8", "--point", "1,2"), "belong to --everything"),
        (("--point", "700,20"), "coffee.jpg': the point 700,20 lies outside the picture of 600 x 400"),
        (("--point", "1;2"), "--point '1;2' is not x,y"),
        (("--point", "1,2", "--device", "nowhere"), "device 'nowhere' cannot be used"),
        (("--point", "1,2", "--max-pixels", "1000"), "240,000 pixels, expected at most 1,000"),
    ],
)
def test_wrong_request_is_refused_with_what_to_do(
    run: Run, photo_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    code, out, err = run(photo_path, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert reason in err
    assert err.count("\n") == 1


def test_one_damaged_picture_of_several_is_named_and_the_others_are_done(
    run: Run, photo_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "cut.jpg").write_bytes(photo_path.read_bytes()[:9000])
    (tmp_path / "page.jpg").write_text("<html></html>")
    pictures = (photo_path, "cut.jpg", "page.jpg", photo_path)
    code, out, err = run(*pictures, "--box", "170,15,430,325", "--out", "o")
    assert code == 1
    assert out.count(": 1 mask") == 2
    assert err.splitlines()[0].startswith("failed: 'cut.jpg': the JPEG ends before its end-of-image marker")
    assert err.splitlines()[1].startswith("failed: 'page.jpg': the content is an HTML page")
    assert err.splitlines()[2] == "2 of 4 pictures failed"
    code, out, _ = run(*pictures, "--box", "170,15,430,325", "--json")
    answer = json.loads(out)
    assert code == 1
    assert [picture["picture"] for picture in answer["pictures"]] == [str(photo_path)] * 2
    assert [(failure["picture"], failure["error"]["kind"]) for failure in answer["failed"]] == [
        ("cut.jpg", "ImageError"),
        ("page.jpg", "ImageError"),
    ]


def test_single_damaged_picture_is_the_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html></html>")
    code, out, err = run("page.jpg", "--point", "1,2")
    assert (code, out) == (2, "")
    assert err.startswith("error: 'page.jpg': the content is an HTML page, expected JPEG, PNG, WebP or GIF")


def test_json_masks_are_whole_run_lengths_of_the_picture(run: Run, photo_path: Path) -> None:
    _, out, _ = run(photo_path, "--point", "300,180", "--json")
    segmentation = json.loads(out)["pictures"][0]["masks"][0]["segmentation"]
    rle = from_json(segmentation)
    assert rle.size_hw == (400, 600)
    assert encode(decode(rle)) == rle
