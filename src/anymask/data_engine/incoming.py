"""Pictures and masks of folders, COCO files, label maps and SA-1B, one picture at a time, whatever the form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anymask.dataset.entries import ReadLimits, RecordEntry, Span, read_entry
from anymask.dataset.formats.coco_file import CocoFile
from anymask.dataset.formats.coco_index import CocoIndex
from anymask.dataset.formats.png import decode_labels
from anymask.dataset.formats.sa1b import from_sa1b
from anymask.dataset.members import read_members
from anymask.dataset.read import index_folder, index_shards
from anymask.errors import DatasetError, ImageError
from anymask.images.paths import safe_join
from anymask.images.sniff import SUFFIXES, media_type_of
from anymask.masks.sets import set_from_label_map
from anymask.masks.types import MaskSet

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})
"""Suffixes of the files of a folder that are looked at; what they are is told by content."""
COCO_NAMES = ("annotations.json", "instances.json", "_annotations.coco.json")
_ANY_BYTES = 2**63
_START_BYTES = 16
"""Of a picture, which tell its format."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One picture on its way in. What is read is read when it is its turn."""

    file_name: str
    picture: Callable[[], bytes] | None
    """Its file; None when the picture must be there already."""
    masks: Callable[[], list[tuple[MaskSet, list[str | None]]]] | None = None
    """Its masks with a label each; None when nothing was said."""


@dataclass(frozen=True, slots=True)
class Source:
    """All that comes in, and what is left out of it."""

    items: list[Incoming]
    problems: list[str]


def open_source(form: str, path: Path, limits: ReadLimits | None = None) -> Source:
    """What lies at `path`; names and sizes are read now, pictures and masks one by one later.

    Raises: DatasetError, MaskError for something that is not of this form.
    """
    limits = limits or ReadLimits()
    if not path.exists():
        raise DatasetError(f"there is no file or folder {path}; give one that is on the server's machine")
    if form == "folder":
        return _folder(path)
    if form == "coco":
        return _coco(path, limits)
    if path.is_dir():
        return Source([_of_record(entry) for entry in index_folder(path, limits)], [])
    return Source([_of_record(entry) for entry in index_shards([path], limits)], [])


def open_annotations(form: str, file_name: str, data: bytes) -> Source:
    """The masks of one uploaded file, for pictures that are there already.

    Raises: DatasetError, MaskError for something that is not of this form.
    """
    if form == "coco":
        return Source(list(_coco_items(CocoFile(_parse(data, file_name)), lambda _: None)), [])
    if form == "sa1b":
        record = _parse(data, file_name)
        name = record.get("image", {}).get("file_name") if isinstance(record, Mapping) else None
        return Source([Incoming(str(name or Path(file_name).stem), None, lambda: _unlabelled(from_sa1b(record)))], [])
    if form == "labels":
        return Source(
            [Incoming(Path(file_name).stem, None, lambda: _unlabelled(set_from_label_map(decode_labels(data))))], []
        )
    raise DatasetError(f"masks cannot be uploaded as {form!r}; send coco, sa1b or labels")


def _folder(path: Path) -> Source:
    if not path.is_dir():
        raise DatasetError(f"{path} is not a folder; give the folder that holds the pictures")
    items: list[Incoming] = []
    problems: list[str] = []
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path)
        if any(part.startswith(".") for part in name.parts) or file.is_dir():
            continue
        if file.suffix.lower() not in PICTURES:
            problems.append(f"{name.as_posix()}: not a picture by its name, left out")
        elif file.is_symlink() or any(parent.is_symlink() for parent in file.parents if parent.is_relative_to(path)):
            problems.append(f"{name.as_posix()}: a link, left out; copy the file into the folder")
        else:
            items.append(Incoming(name.as_posix(), file.read_bytes))
    return Source(items, problems)


def _coco(path: Path, limits: ReadLimits) -> Source:
    if path.suffix == ".tar":
        # The one file of all annotations may be larger than any picture.
        spans = dict(read_members(path, replace(limits, max_member_bytes=_ANY_BYTES)))
        name = next((name for name in COCO_NAMES if name in spans), None)
        if name is None:
            raise DatasetError(f"{path} holds no {COCO_NAMES[0]}; give a COCO file, its folder, or a tar of the two")
        file = CocoIndex(spans[name])
        by_name = {member.removeprefix("images/"): span for member, span in spans.items()}
        return Source(list(_coco_items(file, lambda each: _reader(each, by_name.get(each), limits))), [])
    if path.is_dir():
        found = next((path / name for name in COCO_NAMES if (path / name).is_file()), None)
        if found is None:
            raise DatasetError(f"{path} holds no {COCO_NAMES[0]}; give the COCO file itself")
        path = found
    file, root = CocoIndex(Span(path, 0, path.stat().st_size)), path.parent

    def find(name: str) -> Callable[[], bytes] | None:
        for folder in (root, root / "images"):
            picture = safe_join(folder, name)
            if picture.is_file():
                return picture.read_bytes
        return None

    return Source(list(_coco_items(file, find)), [])


def _coco_items(file: CocoFile | CocoIndex, find: Callable[[str], Callable[[], bytes] | None]) -> Iterator[Incoming]:
    for image_id in file.image_ids:
        name = file.file_name(image_id)
        yield Incoming(name, find(name), partial(_coco_masks, file, image_id))


def _coco_masks(file: CocoFile | CocoIndex, image_id: int) -> list[tuple[MaskSet, list[str | None]]]:
    picture, names = file.picture(image_id), file.categories
    plain = set(names.values()) == {"object"}
    labels = [None if plain else names.get(each) for each in picture.category_ids]
    return [(picture.masks, labels or [None] * len(picture.masks))]


def _of_record(entry: RecordEntry) -> Incoming:
    def masks() -> list[tuple[MaskSet, list[str | None]]]:
        record = read_entry(entry)
        if record.form == "sa1b":
            return _unlabelled(from_sa1b(_parse(record.maps_bytes[0], record.name)))
        each = [set_from_label_map(labels) for labels in record.label_maps()]
        return [pair for one in each for pair in _unlabelled(one)]

    def picture() -> bytes:
        return _read(entry.image)

    if entry.form == "sa1b":
        return Incoming(f"{entry.id}.jpg", picture, masks)
    # The suffix is not kept in an entry; the content says it.
    try:
        suffix = SUFFIXES[media_type_of(_read(entry.image, _START_BYTES))]
    except ImageError:
        suffix = entry.image.file.suffix if entry.image.offset == 0 else ""
    return Incoming(f"{entry.name}{suffix}", picture, masks)


def _unlabelled(masks: MaskSet) -> list[tuple[MaskSet, list[str | None]]]:
    return [(masks, [None] * len(masks))]


def _reader(name: str, span: Span | None, limits: ReadLimits) -> Callable[[], bytes] | None:
    if span is not None and span.size > limits.max_member_bytes:
        raise DatasetError(f"{name} has {span.size} bytes, the limit is {limits.max_member_bytes}")
    return None if span is None else lambda: _read(span)


def _read(span: Span, most: int | None = None) -> bytes:
    """All of it, or the first `most` bytes."""
    with span.file.open("rb") as stream:
        stream.seek(span.offset)
        return stream.read(span.size if most is None else min(span.size, most))


def _parse(data: bytes, name: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name} cannot be read as JSON ({error}); copy it again") from error


def scores_of(masks: MaskSet, index: int) -> dict[str, float]:
    """What a model said of one mask, as far as it is known, under the names of provenance."""
    known = {"predicted_iou": float(masks.predicted_iou[index]), "stability": float(masks.stability[index])}
    return {name: value for name, value in known.items() if np.isfinite(value)}
