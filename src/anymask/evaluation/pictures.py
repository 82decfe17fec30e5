"""Pictures with ground truth, streamed: of an annotation file and its folder, or of shards and folders of maps."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from anymask.dataset.annotated import AnnotatedPictures, open_annotations
from anymask.dataset.formats.coco import OBJECT
from anymask.dataset.formats.lvis import Frequency, LvisFile
from anymask.dataset.labelled import Data, picture_names, read_data
from anymask.dataset.record import Record
from anymask.errors import DatasetError
from anymask.evaluation.matching import PictureTruth
from anymask.masks.rle import encode


class LabelledPicture(Protocol):
    """One picture and what is annotated in it; both are read when asked for."""

    @property
    def name(self) -> str:
        """`SET/ID`."""
        ...

    @property
    def keys(self) -> tuple[int | str, ...]:
        """What a results file may call it."""
        ...

    def image_bytes(self) -> bytes:
        """The picture's file.

        Raises: DatasetError when it is not there.
        """
        ...

    def truth(self) -> PictureTruth:
        """The masks.

        Raises: DatasetError, ImageError or MaskError when they are damaged.
        """
        ...


class LabelledPictures(Protocol):
    """Many of them, and what their categories are called."""

    @property
    def categories(self) -> dict[int, str]:
        """Id -> name; empty where nobody named any."""
        ...

    @property
    def frequencies(self) -> dict[int, Frequency]:
        """Id -> how common; empty outside LVIS."""
        ...

    def names(self) -> list[str]:
        """Of all pictures, in order; masks are not read."""
        ...

    def take(self, wanted: set[str]) -> Iterator[LabelledPicture]:
        """The pictures of those names, in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedPicture:
    """A picture of an annotation file."""

    source: AnnotatedPictures
    image_id: int

    @property
    def name(self) -> str:
        """`SET/ID`."""
        return self.source.name(self.image_id)

    @property
    def keys(self) -> tuple[int | str, ...]:
        """The id in the annotation file."""
        return (self.image_id,)

    def image_bytes(self) -> bytes:
        """The picture's file.

        Raises: DatasetError when it is not there.
        """
        return self.source.image_bytes(self.image_id)

    def truth(self) -> PictureTruth:
        """The masks, with what was looked for in LVIS.

        Raises: MaskError when one is refused.
        """
        file = self.source.file
        federation = file.federation(self.image_id) if isinstance(file, LvisFile) else None
        return PictureTruth.of(file.picture(self.image_id), federation)


class AnnotationFile:
    """The pictures of an annotation file, sorted by id, as the reference codes go through them."""

    def __init__(self, annotations: Path | str, pictures: Path | str) -> None:
        """Of COCO's or LVIS's form; `pictures` is the folder that its file names start from.

        Raises: DatasetError.
        """
        path = Path(annotations)
        self.source = AnnotatedPictures(open_annotations(path), pictures, path.stem)
        self._by_name = {self.source.name(image_id): image_id for image_id in sorted(self.source.file.image_ids)}
        if len(self._by_name) != len(self.source):
            raise DatasetError(f"{annotations} names one picture twice; each needs a file of its own")

    @property
    def categories(self) -> dict[int, str]:
        """Id -> name."""
        return self.source.file.categories

    @property
    def frequencies(self) -> dict[int, Frequency]:
        """Id -> how common; empty outside LVIS."""
        return self.source.file.frequencies if isinstance(self.source.file, LvisFile) else {}

    def names(self) -> list[str]:
        """Of all pictures, by id."""
        return list(self._by_name)

    def take(self, wanted: set[str]) -> Iterator[AnnotatedPicture]:
        """The pictures of those names, by id."""
        return (AnnotatedPicture(self.source, key) for name, key in self._by_name.items() if name in wanted)


@dataclass(frozen=True, slots=True, eq=False)
class RecordedPicture:
    """A picture with label maps: every label of every map is a mask of the one category OBJECT."""

    record: Record

    @property
    def name(self) -> str:
        """`SET/ID`."""
        return self.record.name

    @property
    def keys(self) -> tuple[int | str, ...]:
        """Its whole name, and its id in the set."""
        return (self.record.name, self.record.id)

    def image_bytes(self) -> bytes:
        """The picture's file."""
        return self.record.image_bytes

    def truth(self) -> PictureTruth:
        """The masks.

        Raises: DatasetError or ImageError for a damaged map.
        """
        masks = [labels == label for labels in self.record.label_maps() for label in np.unique(labels[labels > 0])]
        return PictureTruth(
            rles=tuple(encode(mask) for mask in masks),
            area_px=np.array([mask.sum() for mask in masks], np.float64),
            categories=np.full(len(masks), OBJECT, np.int64),
            is_crowd=np.zeros(len(masks), np.bool_),
        )


class RecordedPictures:
    """The pictures of tar shards and folders of label maps (or SA-1B), in their order."""

    def __init__(self, data: Sequence[Data]) -> None:
        self.data = tuple(data)

    @property
    def categories(self) -> dict[int, str]:
        """None: label maps name nothing."""
        return {}

    @property
    def frequencies(self) -> dict[int, Frequency]:
        """None."""
        return {}

    def names(self) -> list[str]:
        """Of all pictures.

        Raises: DatasetError for damaged or missing data, or one name twice.
        """
        found = [name for one in self.data for name in picture_names(one)]
        if len(set(found)) != len(found):
            raise DatasetError("a picture comes twice in the data given; give each shard or folder once")
        return found

    def take(self, wanted: set[str]) -> Iterator[RecordedPicture]:
        """The pictures of those names."""
        return (RecordedPicture(record) for record in read_data(self.data) if record.name in wanted)


def draw(names: Sequence[str], most: int | None) -> set[str]:
    """At most `most` names of each set, spread by a hash, so that fewer are always among more; all when None."""
    by_set: dict[str, list[str]] = {}
    for name in names:
        by_set.setdefault(name.split("/", 1)[0], []).append(name)
    return {
        name
        for several in by_set.values()
        for name in sorted(several, key=lambda one: (zlib.crc32(one.encode()), one))[:most]
    }


def image_hash(image_bytes: bytes) -> str:
    """16 hex digits that change with the picture's file alone."""
    return hashlib.sha256(image_bytes).hexdigest()[:16]


def truth_hash(image_bytes: bytes, truth: PictureTruth) -> str:
    """16 hex digits that change with the picture and with everything annotated in it."""
    digest = hashlib.sha256(image_bytes)
    for rle, *facts in zip(truth.rles, truth.area_px, truth.categories, truth.is_crowd, strict=True):
        digest.update(repr((rle.size_hw, rle.counts, *(fact.item() for fact in facts))).encode())
    if truth.federation is not None:
        parts = (sorted(truth.federation.absent), sorted(truth.federation.not_exhaustive))
        digest.update(repr(parts).encode())
    return digest.hexdigest()[:16]
