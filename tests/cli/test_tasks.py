"""`anymask segment --task`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anymask.cli.main import main
from anymask.cli.tasks import detections_of
from anymask.dataset.formats import from_sa1b
from anymask.dataset.formats.coco_results import NOTHING
from anymask.errors import PromptError
from anymask.masks.rle import from_json
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.instances import segment_boxes
from anymask.predict.tasks.proposals import ProposalConfig, propose

Run = Any


@pytest.fixture
def run(small_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `anymask segment` in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def segment(*arguments: object) -> tuple[int, str, str]:
        code = main(["segment", *map(str, arguments), "--model", str(small_model)])
        return (code, *capsys.readouterr())

    return segment


def test_proposals_are_those_of_the_library(run: Run, photo_path: Path, small_model: Path, tmp_path: Path) -> None:
    code, _, err = run(photo_path, "--task", "proposals", "--points-per-side", "3", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    written = from_sa1b(json.loads((tmp_path / "out" / "coffee.json").read_text()))
    expected = propose(Predictor(load(small_model)), photo_path, ProposalConfig(points_per_side=3))
    assert written.rles == expected.masks.rles
    assert len(written) > 0


def test_instances_of_boxes_on_the_command_line_and_in_a_file_are_the_same(
    run: Run, photo_path: Path, small_model: Path, tmp_path: Path
) -> None:
    boxes = [[170, 15, 430, 325], [20, 60, 130, 335]]
    results = [
        {"image_id": "coffee", "score": 0.9 - index / 10, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for index, (x0, y0, x1, y1) in enumerate(boxes)
    ]
    results.append({"image_id": "coffee", "score": 0.01, "bbox": [0, 0, 5, 5]})
    (tmp_path / "boxes.json").write_text(json.dumps(results))
    asked = [part for box in boxes for part in ("--box", ",".join(map(str, box)))]
    _, by_option, _ = run(photo_path, "--task", "instances", *asked, "--json")
    code, by_file, _ = run(photo_path, "--task", "instances", "--detections", tmp_path / "boxes.json", "--json")
    assert code == 0
    first, second = (json.loads(text)["pictures"][0]["masks"] for text in (by_option, by_file))
    assert [mask["segmentation"] for mask in first] == [mask["segmentation"] for mask in second]
    predictor = Predictor(load(small_model))
    predictor.set_image(photo_path)
    expected = segment_boxes(predictor, np.array(boxes))
    assert tuple(from_json(mask["segmentation"]) for mask in first) == expected.rles
    assert [mask["prompt"] for mask in first] == [0, 1]


def test_of_several_pictures_one_without_boxes_is_named(run: Run, photo_path: Path, tmp_path: Path) -> None:
    shutil.copy(photo_path, tmp_path / "000000000139.jpg")
    shutil.copy(photo_path, tmp_path / "other.jpg")
    results = [{"image_id": 139, "score": 0.9, "bbox": [170, 15, 200, 200]}]
    (tmp_path / "boxes.json").write_text(json.dumps(results))
    code, out, err = run("000000000139.jpg", "other.jpg", "--task", "instances", "--detections", "boxes.json")
    assert code == 1
    assert "000000000139.jpg: 1 mask" in out
    assert "'other.jpg': the file of --detections has nothing for it" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "proposals", "--point", "3,3"], "asks its own clicks"),
        (["--task", "proposals", "--detections", "x.json"], "asks its own clicks"),
        (["--task", "instances"], "needs boxes"),
        (["--task", "instances", "--point", "3,3", "--box", "1,1,9,9"], "starts from boxes"),
        (["--task", "instances", "--box", "1,1,9,9", "--detections", "x.json"], "one of the two"),
        (["--task", "instances", "--box", "1,1,9,9", "--points-per-side", "4"], "belongs to"),
        (["--task", "proposals", "--everything"], "goes without"),
        (["--task", "proposals", "--tree"], "goes without"),
        (["--detections", "x.json", "--box", "1,1,9,9"], "belongs to --task instances"),
    ],
)
def test_what_does_not_go_together_is_said(run: Run, photo_path: Path, arguments: list[str], message: str) -> None:
    code, _, err = run(photo_path, *arguments)
    assert code == 2
    assert message in err


def test_a_picture_is_found_by_name_stem_or_number() -> None:
    for key, name in (("cup.jpg", "cup.jpg"), ("cup", "cup.jpg"), (139, "a/000000000139.jpg")):
        assert detections_of({key: NOTHING}, Path(name)) is NOTHING
    with pytest.raises(PromptError, match="000000000140"):
        detections_of({139: NOTHING}, Path("000000000140.jpg"))
