import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from anymask.data_engine.coco_spool import NAME, has_all, open_spool, remove_spool
from anymask.dataset.formats.coco import CocoPicture, to_coco
from anymask.masks import rle
from anymask.masks.sets import set_from_rles
from anymask.masks.types import MaskSet
from tests.data_engine.world import SIZE_HW, rectangle

Labels = list[str | None]


def masks(count: int) -> MaskSet:
    return set_from_rles([rle.from_json(rectangle(0, 0, 5 + n, 5)) for n in range(count)], SIZE_HW)


def spool(part: Path, pictures: list[tuple[int, Labels]], noted: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The file as read back, and what is noted."""
    file = io.BytesIO()
    with open_spool(part, noted) as opened:
        for number, labels in pictures:
            opened.add(number, f"{number}.png", masks(len(labels)), labels)
        now = opened.note()
        with tarfile.open(fileobj=file, mode="w") as tar:
            opened.write_into(tar)
    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        member = tar.extractfile(NAME)
        assert member is not None
        return json.load(member), now


@pytest.mark.parametrize("pictures", [[], [(3, [])], [(3, ["cup", None]), (4, []), (5, ["dog", "cup", None])]])
def test_it_is_the_file_that_is_written_at_once(tmp_path: Path, pictures: list[tuple[int, Labels]]) -> None:
    names: dict[str, int] = {}
    expected = [
        CocoPicture(
            image_id=number,
            file_name=f"{number}.png",
            masks=masks(len(labels)),
            category_ids=tuple(names.setdefault(label or "object", len(names) + 1) for label in labels),
        )
        for number, labels in pictures
    ]
    found, _ = spool(tmp_path / "a.part", pictures, {})
    assert found == to_coco(expected, {number: name for name, number in names.items()} or None)


def test_it_goes_on_where_it_was_noted(tmp_path: Path) -> None:
    part = tmp_path / "a.part"
    pictures: list[tuple[int, Labels]] = [(1, ["cup", None]), (2, ["dog"]), (3, ["cup"])]
    whole, _ = spool(tmp_path / "whole.part", pictures, {})
    _, noted = spool(part, pictures[:1], {})
    spool(part, [(9, ["lost"])], noted)
    assert spool(part, pictures[1:], noted)[0] == whole
    assert has_all(part, noted)
    remove_spool(part)
    assert not has_all(part, noted)
    assert has_all(part, {})
