"""Labelled pictures from any form that is read, one in memory at a time: shards and folders of label maps or of SA-1B's
files, COCO's JSON, ADE20K, Open Images."""

from __future__ import annotations

from collections.abc import Container, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from anymask.dataset.annotated import open_annotations
from anymask.dataset.entries import RecordEntry, read_entry
from anymask.dataset.formats import ade20k, open_images
from anymask.dataset.formats.coco_file import CocoFile
from anymask.dataset.labelled_picture import LabelledPicture, Refuse, labelled
from anymask.dataset.provenance import UNKNOWN, Notes
from anymask.dataset.read import index_folder, index_shards
from anymask.errors import AnymaskError, DatasetError
from anymask.images.paths import safe_join


class Source(StrEnum):
    """A form of dataset that is read."""

    RECORDS = "records"
    COCO = "coco"
    ADE20K = "ade20k"
    OPEN_IMAGES = "openimages"


def find_form(path: Path) -> Source:
    """The form of what is at `path`, told by its names.

    Raises: DatasetError when there is nothing, or nothing that is known.
    """
    if path.suffix == ".json":
        return Source.COCO
    if path.suffix == ".csv":
        return Source.OPEN_IMAGES
    if path.is_dir():
        return Source.ADE20K if next(path.rglob(f"*{ade20k.SEGMENTATION}"), None) is not None else Source.RECORDS
    if path.suffix == ".tar":
        return Source.RECORDS
    raise DatasetError(
        f"{path} is no dataset that is read here; give tar shards, a folder of sets, SA-1B's files, COCO's or LVIS's "
        ".json, ADE20K's folder or Open Images' mask .csv"
    )


def read_labelled(
    path: Path, images: Path | None = None, refuse: Refuse | None = None, *, wanted: Container[str] | None = None
) -> Iterator[LabelledPicture]:
    """The pictures at `path` in stored order. `images` is the folder of COCO's pictures or Open Images' masks, beside
    the file unless it is given. Of `wanted` keys (those of `list_keys`) alone, the others are not decoded.

    A picture that is damaged is left out and told to `refuse`; without it, it ends the reading.

    Raises: DatasetError when nothing is there, or the whole is damaged.
    """
    for key, make in _makers(path, images):
        if wanted is not None and key not in wanted:
            continue
        try:
            picture = make()
        except AnymaskError as error:
            if refuse is None:
                raise DatasetError(f"{key}: {error}") from error
            refuse(key, str(error))
            continue
        yield picture


def list_keys(path: Path, images: Path | None = None) -> Iterator[str]:
    """A key of every picture at `path`, in stored order; nothing is decoded.

    Raises: DatasetError as `read_labelled`.
    """
    return (key for key, _ in _makers(path, images))


def _makers(path: Path, images: Path | None) -> _Makers:
    form = find_form(path)
    if not path.exists():
        raise DatasetError(f"there is no file or folder {path}; give a dataset")
    if form is Source.COCO:
        return _coco(path, images)
    if form is Source.ADE20K:
        return _ade20k(path)
    if form is Source.OPEN_IMAGES:
        return _open_images(path, images or path.parent)
    return _records(path)


def record_entries(path: Path) -> Iterator[RecordEntry]:
    """Where the records of a shard, a folder of sets, or a folder of shards lie; one shard's are in memory at a time.

    Raises: DatasetError as `index_shards` and `index_folder`.
    """
    return index_folder(path) if path.is_dir() else iter(index_shards([path]))


_Makers = Iterator[tuple[str, Any]]
"""(key, function that gives the LabelledPicture)."""


def _records(path: Path) -> _Makers:
    for entry in record_entries(path):
        yield entry.name, partial(_read_record, entry)


def _read_record(entry: RecordEntry) -> LabelledPicture:
    return labelled(read_entry(entry))


def _coco(path: Path, images: Path | None) -> _Makers:
    """The annotations are in memory as JSON; masks of one picture at a time."""
    file = open_annotations(path)
    for image_id in file.image_ids:
        yield f"{path.name}:{image_id}", partial(_read_coco, file, image_id, images or path.parent)


def _read_coco(file: CocoFile, image_id: int, images: Path) -> LabelledPicture:
    picture = file.picture(image_id)
    name = picture.file_name or str(image_id)
    return LabelledPicture(
        name=name,
        masks=picture.masks,
        notes=Notes(licence=file.licences.get(image_id, UNKNOWN), source=name),
        categories=tuple(file.categories.get(one, str(one)) for one in picture.category_ids),
        crowds=picture.is_crowd if any(picture.is_crowd) else (),
        read_image=partial(_read_beside, images, name),
    )


def _read_beside(folder: Path, name: str) -> bytes:
    path = safe_join(folder, name)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); name the folder of the pictures") from error


def _ade20k(path: Path) -> _Makers:
    for file in sorted(path.rglob(f"*{ade20k.SEGMENTATION}")):
        name = file.relative_to(path).as_posix().removesuffix(ade20k.SEGMENTATION)
        yield name, partial(_read_ade20k, file, name)


def _read_ade20k(file: Path, name: str) -> LabelledPicture:
    picture = file.with_name(file.name.removesuffix(ade20k.SEGMENTATION) + ".jpg")
    masks = ade20k.from_ade20k(_read_beside(file.parent, file.name))
    read = partial(_read_beside, picture.parent, picture.name)
    return LabelledPicture(name=name, masks=masks, notes=Notes(source=picture.name), read_image=read)


def _open_images(path: Path, folder: Path) -> _Makers:
    for image_id, rows in open_images.read_rows(path):
        yield image_id, partial(_read_open_images, image_id, rows, folder)


def _read_open_images(image_id: str, rows: open_images.Rows, folder: Path) -> LabelledPicture:
    masks, labels = open_images.from_open_images(rows, folder)
    return LabelledPicture(name=image_id, masks=masks, notes=Notes(source=image_id), categories=labels)
