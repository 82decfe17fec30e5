from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.dataset.formats.open_images import from_open_images, read_rows
from anymask.errors import DatasetError, MaskError, PathError


def write_table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_rows_of_a_picture_come_together(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", "MaskPath,ImageID,LabelName\na,1,x\nb,1,y\nc,2,x\n")
    assert [(key, [row["MaskPath"] for row in rows]) for key, rows in read_rows(table)] == [
        ("1", ["a", "b"]),
        ("2", ["c"]),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [("MaskPath\na\n", "no column ImageID"), ("MaskPath,ImageID\na,1\nb,2\nc,1\n", "do not stand together")],
)
def test_other_tables_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        list(read_rows(write_table(tmp_path / "t.csv", text)))
    with pytest.raises(DatasetError, match="cannot be read"):
        list(read_rows(tmp_path / "gone.csv"))


def test_a_mask_outside_the_folder_a_missing_one_and_another_size_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 5), bool)).save(tmp_path / "a.png")
    Image.fromarray(np.ones((5, 5), bool)).save(tmp_path / "b.png")
    masks, labels = from_open_images([{"MaskPath": "a.png", "ImageID": "1"}], tmp_path)
    assert masks.area_px.tolist() == [20]
    assert labels == ("",)
    with pytest.raises(PathError):
        from_open_images([{"MaskPath": "../a.png"}], tmp_path / "sub")
    with pytest.raises(MaskError, match="cannot be read"):
        from_open_images([{"MaskPath": "c.png"}], tmp_path)
    with pytest.raises(MaskError, match="size"):
        from_open_images([{"MaskPath": "a.png"}, {"MaskPath": "b.png"}], tmp_path)
