"""Labelled pictures of any form that is read, as a stream of records.

Beside shards and folders of sets (`read.py`), a folder of this shape is a set of its own, named as the folder:

    SET/images/...           the pictures: JPEG, PNG or WebP, in sub-folders too
    SET/annotations.json     COCO or LVIS, file names from images/ on
    or SET/maps/....png      label maps, each where its picture is, with its name
    or SET/polygons/....json labelme files, likewise
    or SET/polygons.json     a VIA file, file names from images/ on
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from anymask.dataset.annotated import AnnotatedPictures, open_annotations
from anymask.dataset.formats.polygon_files import Polygon, from_labelme, from_via
from anymask.dataset.formats.sa1b import to_sa1b
from anymask.dataset.read import read_source
from anymask.dataset.record import Record
from anymask.errors import DatasetError, ImageError, MaskError, PathError
from anymask.images.paths import safe_join
from anymask.masks.polygons import from_polygons
from anymask.masks.sets import set_from_rles

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@runtime_checkable
class RecordSource(Protocol):
    """Records by name, in order."""

    def names(self) -> list[str]:
        """`SET/ID` of every record; pictures are not read."""
        ...

    def __iter__(self) -> Iterator[Record]:
        """The records in the order of their names."""
        ...


Data = Path | str | RecordSource
"""A shard, a folder of sets, a folder of the shape above, or anything that gives records."""


def read_data(data: Sequence[Data]) -> Iterator[Record]:
    """The records of each of `data`, one after the other.

    Raises: DatasetError for what is missing, damaged or of no known form.
    """
    for one in data:
        yield from open_data(one)


def picture_names(one: Data) -> list[str]:
    """`SET/ID` of every record.

    Raises: DatasetError as `read_data`.
    """
    source = open_data(one)
    return source.names() if isinstance(source, RecordSource) else [record.name for record in source]


def open_data(one: Data) -> RecordSource | Iterator[Record]:
    """Whatever `one` is, as records.

    Raises: DatasetError as `read_data`.
    """
    if isinstance(one, RecordSource):
        return one
    path = Path(one)
    return open_folder(path) if (path / "images").is_dir() else read_source(path)


def open_folder(path: Path) -> RecordSource:
    """The set in a folder with `images` and one form of labels.

    Raises: DatasetError when there is no label, or more than one form.
    """
    forms = [name for name in ("annotations.json", "maps", "polygons", "polygons.json") if (path / name).exists()]
    if len(forms) != 1:
        raise DatasetError(
            f"{path} has images and {' and '.join(forms) or 'no labels'}; beside images there must be one of "
            "annotations.json, maps, polygons and polygons.json"
        )
    images, name = path / "images", path.resolve().name
    if forms[0] == "annotations.json":
        return AnnotatedPictures(open_annotations(path / forms[0]), images, name)
    if forms[0] == "maps":
        return MapFolder(images, path / "maps", name)
    return PolygonFolder(images, path / forms[0], name)


class _Folder:
    """Pictures below one folder, in order of their names."""

    def __init__(self, images: Path, set_name: str) -> None:
        self.images = images
        self.set_name = set_name
        found = sorted(path for path in images.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
        self._pictures = {self._id(path): path.relative_to(images) for path in found}
        if len(self._pictures) != len(found):
            raise DatasetError(f"{images} has two pictures of one name; each needs a name of its own")

    def names(self) -> list[str]:
        """`SET/ID` of every picture."""
        return [f"{self.set_name}/{key}" for key in self._pictures]

    def _id(self, path: Path) -> str:
        return path.relative_to(self.images).with_suffix("").as_posix().replace("/", "_")

    def _read(self, root: Path, name: str) -> bytes:
        try:
            return safe_join(root, name).read_bytes()
        except (OSError, PathError) as error:
            raise DatasetError(
                f"{root / name} cannot be read ({error}); every picture of {self.images} needs its labels"
            ) from error


class MapFolder(_Folder):
    """Pictures with a label map each: 0 where nobody said anything, every other number a region."""

    def __init__(self, images: Path, maps: Path, set_name: str) -> None:
        """Raises: DatasetError for two pictures of one name."""
        super().__init__(images, set_name)
        self.maps = maps

    def __iter__(self) -> Iterator[Record]:
        for key, path in self._pictures.items():
            labels = self._read(self.maps, path.with_suffix(".png").as_posix())
            yield Record(key, self.set_name, self._read(self.images, path.as_posix()), (labels,))


class PolygonFolder(_Folder):
    """Pictures with polygons; each is a mask of its own, and they may overlap."""

    def __init__(self, images: Path, polygons: Path, set_name: str) -> None:
        """`polygons` is a folder of labelme files or a VIA file.

        Raises: DatasetError for two pictures of one name, or a VIA file that cannot be used.
        """
        super().__init__(images, set_name)
        self.polygons = polygons
        self._of_all = None if polygons.is_dir() else self._via(polygons)

    def __iter__(self) -> Iterator[Record]:
        for key, path in self._pictures.items():
            picture = self._read(self.images, path.as_posix())
            yield Record(key, self.set_name, picture, (self._as_sa1b(key, path, picture),), "sa1b")

    def _via(self, path: Path) -> dict[str, list[Polygon]]:
        try:
            return from_via(json.loads(path.read_bytes()))
        except (OSError, ValueError, RecursionError) as error:
            raise DatasetError(f"{path} cannot be used: {error}") from error

    def _as_sa1b(self, key: str, path: Path, picture: bytes) -> bytes:
        try:
            size_hw = Record(key, self.set_name, picture).size_hw()
            rles = [from_polygons([polygon], size_hw) for polygon in self._polygons(path)]
            plain = to_sa1b(set_from_rles(rles, size_hw), 1, f"{key}.jpg")
        except (ImageError, MaskError, ValueError, RecursionError) as error:
            raise DatasetError(f"the polygons of {self.set_name}/{key}: {error}") from error
        return json.dumps(plain, separators=(",", ":")).encode()

    def _polygons(self, path: Path) -> list[Polygon]:
        if self._of_all is None:
            return from_labelme(json.loads(self._read(self.polygons, path.with_suffix(".json").as_posix())))
        if path.as_posix() not in self._of_all:
            raise MaskError(f"{self.polygons} has no entry for {path.as_posix()}")
        return self._of_all[path.as_posix()]
