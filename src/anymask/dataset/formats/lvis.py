"""LVIS's ground truth: COCO's form, and for each picture which categories were looked for.

LVIS is federated: a category's pictures are those where it is annotated, those where it is known to be absent
(`neg_category_ids`), and where it is annotated but perhaps not everywhere (`not_exhaustive_category_ids`). Of all other
pictures nothing is known about it, so nothing may be counted there. Categories are rare, common or frequent by the
number of training pictures they are in.

Source: Gupta, Dollar and Girshick 2019 (LVIS), arXiv 1908.03195, section 3; the files of v0.5 and v1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlparse

from anymask.dataset.formats.coco import CocoPicture, Json, objects, to_coco
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


def to_lvis(pictures: Sequence[CocoPicture], categories: Mapping[int, str] | None = None) -> Json:
    """The pictures as an LVIS v1 file: COCO's keys, `coco_url` for the file, masks as run lengths.

    Nothing is known of categories that are not annotated in a picture, so both of its lists are empty. A category is
    rare, common or frequent by the pictures of this file (1 to 10, 11 to 100, more). Crowds are left out.

    Raises: MaskError as `to_coco`.
    """
    value = to_coco([_without_crowds(picture) for picture in pictures], categories)
    seen: dict[int, set[int]] = {category["id"]: set() for category in value["categories"]}
    masks = Counter(annotation["category_id"] for annotation in value["annotations"])
    for annotation in value["annotations"]:
        del annotation["iscrowd"]
        seen[annotation["category_id"]].add(annotation["image_id"])
    for image in value["images"]:
        image |= {"coco_url": image["file_name"], "neg_category_ids": [], "not_exhaustive_category_ids": []}
    for category in value["categories"]:
        count = len(seen[category["id"]])
        category |= {
            "image_count": count,
            "instance_count": masks[category["id"]],
            "frequency": "r" if count <= 10 else "c" if count <= 100 else "f",
            "synonyms": [category["name"]],
            "synset": category["name"],
            "def": "",
        }
    return value


def _without_crowds(picture: CocoPicture) -> CocoPicture:
    if not any(picture.is_crowd):
        return picture
    keep = [index for index, crowd in enumerate(picture.is_crowd) if not crowd]
    ids = tuple(picture.category_ids[index] for index in keep) if picture.category_ids else ()
    return CocoPicture(
        image_id=picture.image_id, file_name=picture.file_name, masks=picture.masks.take(keep), category_ids=ids
    )
