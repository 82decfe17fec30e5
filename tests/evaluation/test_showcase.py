"""Which masks are shown, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anymask.dataset import read_folder
from anymask.errors import DatasetError
from anymask.evaluation.baselines import Felzenszwalb, GrabCut, GrabCutConfig
from anymask.evaluation.protocols.points import PointsConfig, run
from anymask.evaluation.results import ClickScores, PictureResult, TargetResult
from anymask.evaluation.segmenter import Segmenter
from anymask.evaluation.showcase import choose, picture_blocks
from anymask.figures import Gallery, Heading
from anymask.masks.rle import encode
from tests.evaluation.small_data import write_small_sets

RLE = encode(np.eye(4, dtype=bool))


def result(picture: str, *ious: float) -> PictureResult:
    targets = [
        TargetResult(
            map_index=0,
            label=label,
            area_px=99,
            clicks=ClickScores(confident=iou, oracle=1.0, curve=(iou,), mask=RLE, first_xy=(1.5, 2.5)),
            box=None,
        )
        for label, iou in enumerate(ious, start=1)
    ]
    return PictureResult(picture=picture, sha256="0", targets=tuple(targets))


def test_the_most_extreme_come_first_and_one_a_picture() -> None:
    chosen = choose([result("s/a", 0.1, 0.2, 0.9), result("s/b", 0.5), result("s/c", 0.15, 0.95)], count=2)
    assert [(one.result.picture, one.iou) for one in chosen["Worst"]] == [("s/a", 0.1), ("s/c", 0.15)]
    assert [(one.result.picture, one.iou) for one in chosen["Best"]] == [("s/c", 0.95), ("s/a", 0.9)]
    assert [one.iou for one in chosen["Median"]] == [0.2, 0.5]


def test_equals_are_shown_in_a_fixed_order() -> None:
    results = [result("s/b", 0.5), result("s/a", 0.5), result("s/c", 0.5)]
    assert choose(results, 2) == choose(results[::-1], 2)


@pytest.mark.parametrize("segmenter", [Felzenszwalb(), GrabCut(GrabCutConfig(iterations=1))], ids=["clicks", "boxes"])
def test_every_set_shows_answers_beside_the_truth(data_dir: Path, tmp_path: Path, segmenter: Segmenter) -> None:
    data = [write_small_sets(tmp_path, [data_dir / "val-food_plates.tar", data_dir / "val-davis16_val.tar"], 2)]
    found = run(PointsConfig(clicks=(1,)), data, [segmenter])
    blocks = picture_blocks(found, data)
    assert [type(block) for block in blocks] == [Heading, Gallery] * 4
    sizes = {record.name: record.size_hw() for record in read_folder(data[0])}
    for gallery in blocks[1::2]:
        assert len(gallery.pictures) == 2
        for picture in gallery.pictures:
            name = picture.caption.split(" - ")[1].split(",")[0]
            height, width = sizes[name]
            assert picture.pixels.shape == (height, 2 * width + 6, 3)


def test_other_data_than_was_evaluated_is_refused(data_dir: Path, tmp_path: Path) -> None:
    one = write_small_sets(tmp_path / "one", [data_dir / "val-food_plates.tar"], 2)
    other = write_small_sets(tmp_path / "other", [data_dir / "val-coco_mini.tar"], 2)
    evaluated = run(PointsConfig(clicks=(1,)), [one], [Felzenszwalb()])
    with pytest.raises(DatasetError, match="same shards"):
        picture_blocks(evaluated, [other])
    (one / "food_plates" / sorted((one / "food_plates").glob("*.png"))[0].name).unlink()
    with pytest.raises(DatasetError, match="as it was evaluated"):
        picture_blocks(evaluated, [one])
