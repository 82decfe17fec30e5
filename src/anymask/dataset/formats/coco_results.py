"""A detector's results in COCO's form: one long list of boxes or masks with categories and scores, for many pictures.

The file is read in pieces, since a thousand proposals on each of 20,000 pictures are gigabytes of text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.dataset.formats.coco import OBJECT
from anymask.dataset.formats.sa1b import number, numbers
from anymask.errors import DatasetError, MaskError
from anymask.masks import boxes as box
from anymask.masks import rle as rles
from anymask.masks.types import Rle
from anymask.masks.validate import shown

_PIECE = 2**20
_WHITESPACE = " \t\r\n"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detections:
    """What a detector found in one picture; D rows in the order of the file."""

    boxes_xyxy: npt.NDArray[np.float32]
    """(D, 4) original pixels; the tight box of the mask where the file has none."""
    scores: npt.NDArray[np.float64]
    """(D,) how sure; any scale."""
    categories: npt.NDArray[np.int64]
    """(D,) ids; OBJECT where the file has none."""
    rles: tuple[Rle | None, ...]
    """Masks, None where the file has only a box."""

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: npt.NDArray[np.generic]) -> Detections:
        """Those at `rows` (indices or booleans), in that order."""
        index = np.arange(len(self))[rows]
        return Detections(
            boxes_xyxy=self.boxes_xyxy[index],
            scores=self.scores[index],
            categories=self.categories[index],
            rles=tuple(self.rles[i] for i in index),
        )


NOTHING = Detections(
    boxes_xyxy=np.zeros((0, 4), np.float32), scores=np.zeros(0), categories=np.zeros(0, np.int64), rles=()
)
"""What was found where nothing was."""


def read_detections(path: Path | str) -> dict[int | str, Detections]:
    """Image id (or name, where ids are text) -> what was found in it.

    Raises: DatasetError when the file is not there, no list of results, or one is malformed.
    """
    grouped: dict[int | str, list[_Row]] = {}
    for index, item in enumerate(stream_list(path)):
        try:
            row = _row(item)
        except MaskError as error:
            raise DatasetError(f"{path}: result {index}: {error}") from error
        grouped.setdefault(row.image, []).append(row)
    return {image: _detections(rows) for image, rows in grouped.items()}


def stream_list(path: Path | str) -> Iterator[Any]:
    """The values of a JSON list, one after the other; a megabyte of text is in memory at a time.

    Raises: DatasetError when the file is not there, no list, cut off or damaged.
    """
    try:
        with Path(path).open(encoding="utf-8") as stream:
            yield from _values(stream)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); give a COCO results file") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no COCO results file, a JSON list: {error}") from error


@dataclass(frozen=True, slots=True)
class _Row:
    image: int | str
    category: int
    score: float
    box_xyxy: tuple[float, float, float, float] | None
    rle: Rle | None


def _values(stream: Any) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    text, place = _skip(stream, "", 0)
    if text[place] != "[":
        raise ValueError(f"it starts with {text[place : place + 20]!r}, expected [")
    place += 1
    is_first = True
    while True:
        text, place = _skip(stream, text, place)
        if text[place] == "]":
            return
        if not is_first:
            if text[place] != ",":
                raise ValueError(f"expected a comma or ] before {text[place : place + 20]!r}")
            text, place = _skip(stream, text, place + 1)
        value, text, place = _decode(decoder, stream, text, place)
        is_first = False
        yield value


def _skip(stream: Any, text: str, place: int) -> tuple[str, int]:
    """Text and place of the next character that is no white space; read on where the text ends."""
    while True:
        while place < len(text) and text[place] in _WHITESPACE:
            place += 1
        if place < len(text):
            return text, place
        text, place = stream.read(_PIECE), 0
        if not text:
            raise ValueError("it ends before its last ]; write or copy it again")


def _decode(decoder: json.JSONDecoder, stream: Any, text: str, place: int) -> tuple[Any, str, int]:
    """The value at `place`; of a value that is cut by the end of the text, more is read."""
    text, place = text[place:], 0
    while True:
        try:
            value, end = decoder.raw_decode(text, place)
            if end < len(text) and text[end] in ",]" + _WHITESPACE:  # else a number might go on
                return value, text, end
            more = stream.read(_PIECE)
            if not more:
                return value, text, end
        except ValueError:
            more = stream.read(max(_PIECE, len(text)))
            if not more:
                raise
        text += more


def _row(item: object) -> _Row:
    if not isinstance(item, Mapping):
        raise MaskError(f"expected an object, got {shown(item)}")
    image = item.get("image_id")
    if isinstance(image, bool) or not isinstance(image, int | str):
        raise MaskError(f'"image_id" must be a whole number or a name, got {shown(image)}')
    score, category = number(item, "score"), item.get("category_id", OBJECT)
    if np.isnan(score):
        raise MaskError('"score" is missing; results need one each')
    if type(category) is not int:
        raise MaskError(f'"category_id" must be a whole number, got {shown(category)}')
    bbox = numbers(item, "bbox", 4)
    if bbox is not None and min(bbox[2:]) < 0:
        raise MaskError(f'"bbox" {bbox} has a negative side; COCO\'s boxes are x, y, width, height')
    rle = None if item.get("segmentation") is None else rles.from_json(item["segmentation"])
    if bbox is None and rle is None:
        raise MaskError("there is neither a bbox nor a segmentation")
    edges = None if bbox is None else (bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3])
    return _Row(image, category, score, edges, rle)


def _detections(rows: list[_Row]) -> Detections:
    boxes = [
        row.box_xyxy if row.box_xyxy is not None else box.rle_to_box(row.rle) if row.rle is not None else None
        for row in rows
    ]
    return Detections(
        boxes_xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.array([row.score for row in rows], np.float64),
        categories=np.array([row.category for row in rows], np.int64),
        rles=tuple(row.rle for row in rows),
    )
