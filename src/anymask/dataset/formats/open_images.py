"""Open Images' instance masks: a CSV with a row a mask, and a folder of one-bit PNGs that it names.

Only MaskPath and ImageID are needed, LabelName is kept. A mask's PNG may have another size than its picture's; all
masks of one picture have one size in practice, and masks here have theirs.

Source: storage.googleapis.com/openimages/web/download_v7.html, "Segmentation masks".
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from anymask.dataset.formats.png import decode_labels
from anymask.errors import DatasetError, MaskError
from anymask.images.paths import safe_join
from anymask.masks.rle import encode
from anymask.masks.sets import set_from_rles
from anymask.masks.types import MaskSet, Rle

Rows = list[dict[str, str]]


def read_rows(table: Path) -> Iterator[tuple[str, Rows]]:
    """(ImageID, its rows) in the file's order, one picture in memory at a time.

    Raises: DatasetError when the file is not there or lacks a column, or a picture's rows do not stand together.
    """
    try:
        with table.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            missing = {"MaskPath", "ImageID"} - set(reader.fieldnames or ())
            if missing:
                raise DatasetError(f"{table} has no column {' and '.join(sorted(missing))}; give Open Images' mask CSV")
            seen: set[str] = set()
            for image_id, rows in groupby(reader, key=lambda row: row["ImageID"]):
                if image_id in seen:
                    raise DatasetError(f"{table}: the rows of {image_id} do not stand together; sort it by ImageID")
                seen.add(image_id)
                yield image_id, list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{table} cannot be read ({error})") from error


def from_open_images(rows: Rows, folder: Path) -> tuple[MaskSet, tuple[str, ...]]:
    """The masks of one picture's rows, and each one's LabelName.

    Raises: MaskError when a PNG is missing or damaged or two have different sizes; PathError for a name that leaves the
    folder.
    """
    rles: list[Rle] = []
    for row in rows:
        path = safe_join(folder, row["MaskPath"])
        try:
            rles.append(encode(decode_labels(path.read_bytes()) > 0))
        except OSError as error:
            raise MaskError(f"{path} cannot be read ({error.strerror})") from error
    return set_from_rles(rles, rles[0].size_hw), tuple(row.get("LabelName", "") for row in rows)
