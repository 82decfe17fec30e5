"""LVIS's ground truth: COCO's form, and for each picture which categories were looked for.

LVIS is federated: a category's pictures are those where it is annotated, those where it is known to be absent
(`neg_category_ids`), and where it is annotated but perhaps not everywhere (`not_exhaustive_category_ids`). Of all other
pictures nothing is known about it, so nothing may be counted there. Categories are rare, common or frequent by the
number of training pictures they are in.

Source: Gupta, Dollar and Girshick 2019 (LVIS), arXiv 1908.03195, section 3; the files of v0.5 and v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlparse

from anymask.dataset.formats.coco import objects
from anymask.dataset.formats.coco_file import CocoFile
from anymask.errors import MaskError
from anymask.masks.validate import shown

Frequency = Literal["r", "c", "f"]
"""In under 10 training pictures (rare), under 100 (common), or more (frequent)."""
FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)


@dataclass(frozen=True, kw_only=True, slots=True)
class Federation:
    """What was looked for in one picture, beside the categories that are annotated in it."""

    absent: frozenset[int]
    """Category ids that are known not to be there."""
    not_exhaustive: frozenset[int]
    """Category ids that may be there more often than annotated."""


class LvisFile(CocoFile):
    """The pictures of one LVIS file."""

    def __init__(self, value: object) -> None:
        """Of the parsed file.

        Raises: MaskError as for COCO, and when a category has no frequency.
        """
        super().__init__(value)
        assert isinstance(value, Mapping)  # all else was refused
        self.frequencies: dict[int, Frequency] = {
            item["id"]: _frequency(item.get("frequency"), item["id"]) for item in objects(value, "categories")
        }
        """Category id -> how common it is."""

    def file_name(self, image_id: int) -> str:
        """`file_name` where the file has it (v0.5), else the last two parts of `coco_url` (v1): val2017/0139.jpg.

        Raises: MaskError when it has neither.
        """
        image = self.image(image_id)
        if image.get("file_name"):
            return super().file_name(image_id)
        parts = urlparse(str(image.get("coco_url", ""))).path.split("/")[-2:]
        if len(parts) != 2 or not all(parts):
            raise MaskError(f"image {image_id} has neither a file_name nor a coco_url that names its file")
        return "/".join(parts)

    def federation(self, image_id: int) -> Federation:
        """What was looked for in that picture.

        Raises: MaskError when the file does not say it.
        """
        image = self.image(image_id)
        absent, not_exhaustive = image.get("neg_category_ids"), image.get("not_exhaustive_category_ids")
        if not isinstance(absent, list) or not isinstance(not_exhaustive, list):
            raise MaskError(
                f"image {image_id} lacks neg_category_ids or not_exhaustive_category_ids; this is no LVIS file"
            )
        return Federation(absent=frozenset(absent), not_exhaustive=frozenset(not_exhaustive))


def _frequency(value: object, category: int) -> Frequency:
    for known in FREQUENCIES:
        if value == known:
            return known
    raise MaskError(f"category {category} has frequency {shown(value)}, expected one of {', '.join(FREQUENCIES)}")
