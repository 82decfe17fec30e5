"""Labelled pictures written in forms that others read: COCO's and LVIS's JSON, PNG label maps, pictures beside them.

SA-1B's form is written by `write.py`. COCO's form is one JSON file, so its annotations are in memory until the end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from anymask.dataset.formats.coco import CocoPicture, to_coco
from anymask.dataset.formats.lvis import to_lvis
from anymask.dataset.formats.png import encode_labels
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.write import release_jpeg
from anymask.errors import DatasetError, InputError
from anymask.images.paths import safe_join
from anymask.masks.sets import to_layers
from anymask.runs import write_atomically

_NOT_IN_NAMES = re.compile(r"[^0-9A-Za-z._-]+")


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written."""

    pictures: int
    masks: int


def write_coco(
    folder: Path, pictures: Iterable[LabelledPicture], left_out: dict[str, str], *, as_lvis: bool = False
) -> Converted:
    """Write images/NAME.jpg for each picture and coco.json (or lvis.json) for all; classes keep their names.

    A picture that cannot be read goes into `left_out`, with the reason. Clicks, crops and how masks were made have no
    place in this form.

    Raises: DatasetError when the folder cannot be written, or only some pictures have classes.
    """
    found: list[CocoPicture] = []
    ids: dict[str, int] = {}

    def add(picture: LabelledPicture, stem: str, jpeg: bytes) -> None:
        _write(folder, f"images/{stem}.jpg", jpeg)
        for name in picture.categories:
            ids.setdefault(name, len(ids) + 1)
        category_ids = tuple(ids[name] for name in picture.categories)
        name = f"images/{stem}.jpg"
        found.append(
            CocoPicture(
                image_id=len(found) + 1,
                file_name=name,
                masks=picture.masks,
                category_ids=category_ids,
                is_crowd=picture.crowds,
            )
        )

    written = _write_each(pictures, left_out, add)
    if ids and any(not picture.category_ids and len(picture.masks) for picture in found):
        raise DatasetError("some pictures have classes and some have none; convert them apart")
    categories = {number: name for name, number in ids.items()} or None
    value = to_lvis(found, categories) if as_lvis else to_coco(found, categories)
    licences = sorted({picture.licence for picture in written})
    value["licenses"] = [{"id": number, "name": name, "url": ""} for number, name in enumerate(licences, start=1)]
    for image, picture in zip(value["images"], written, strict=True):
        image["license"] = licences.index(picture.licence) + 1
    _write(folder, "lvis.json" if as_lvis else "coco.json", json.dumps(value, allow_nan=False).encode())
    return Converted(len(written), sum(picture.masks for picture in written))


def write_label_maps(folder: Path, pictures: Iterable[LabelledPicture], left_out: dict[str, str]) -> Converted:
    """Write SET/ID.jpg with SET/ID__K.png for each picture: as many label maps as keep every mask whole.

    Scores, classes and notes have no place in label maps; masks without a pixel are left out.

    Raises: DatasetError when the folder cannot be written.
    """

    def add(picture: LabelledPicture, stem: str, jpeg: bytes) -> None:
        set_name = _plain(picture.name.rpartition("/")[0]) or "pictures"
        layers = to_layers(picture.masks)
        for number, layer in enumerate(layers):
            _write(folder, f"{set_name}/{stem}__{number}.png", encode_labels(layer))
        # The picture last: label maps without a picture are refused, so a stopped run is noticed.
        _write(folder, f"{set_name}/{stem}.jpg", jpeg)

    written = _write_each(pictures, left_out, add)
    return Converted(len(written), sum(picture.masks for picture in written))


@dataclass(frozen=True, slots=True)
class _Written:
    masks: int
    licence: str


def _write_each(
    pictures: Iterable[LabelledPicture], left_out: dict[str, str], add: Callable[[LabelledPicture, str, bytes], None]
) -> list[_Written]:
    stems: dict[str, str] = {}
    written = []
    for picture in pictures:
        stem = _plain(picture.name.rpartition("/")[2])
        if stem in stems:
            left_out[picture.name] = f"its file would have the name of {stems[stem]}'s, {stem}.jpg; rename one"
            continue
        try:
            jpeg = release_jpeg(picture)
        except InputError as error:
            left_out[picture.name] = str(error)
            continue
        stems[stem] = picture.name
        add(picture, stem, jpeg)
        written.append(_Written(len(picture.masks), picture.notes.licence))
    return written


def _plain(name: str) -> str:
    """A file name of letters, digits, dots, dashes and underscores, without a picture's ending."""
    stem = re.sub(r"\.(jpe?g|png|webp|gif)$", "", name, flags=re.IGNORECASE)
    return _NOT_IN_NAMES.sub("_", stem).lstrip(".")


def _write(folder: Path, name: str, data: bytes) -> None:
    path = safe_join(folder, name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written ({error.strerror}); what was there before is whole") from error
