"""An annotation file in COCO's or LVIS's form, with the folder that its pictures lie in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from anymask.dataset.formats.coco_file import CocoFile, read_annotations
from anymask.dataset.formats.lvis import LvisFile
from anymask.dataset.formats.sa1b import to_sa1b
from anymask.dataset.record import Record
from anymask.errors import DatasetError, MaskError, PathError
from anymask.images.paths import safe_join


def open_annotations(path: Path | str) -> CocoFile | LvisFile:
    """The annotation file at `path`; as LVIS when its categories have frequencies.

    Raises: DatasetError when it is not there, or not of either form.
    """
    value = read_annotations(path)
    try:
        is_lvis = isinstance(value, Mapping) and any("frequency" in one for one in value.get("categories") or ())
        return LvisFile(value) if is_lvis else CocoFile(value)
    except (MaskError, TypeError) as error:
        raise DatasetError(f"{path} cannot be used: {error}") from error


class AnnotatedPictures:
    """The pictures of one annotation file, each read when it is asked for."""

    def __init__(self, file: CocoFile | LvisFile, pictures: Path | str, set_name: str) -> None:
        """Of an opened file; `pictures` is the folder that its file names start from.

        Raises: DatasetError when there is no such folder.
        """
        self.file = file
        self.folder = Path(pictures)
        self.set_name = set_name
        if not self.folder.is_dir():
            raise DatasetError(f"there is no folder {pictures}; give the one that the file names start from")

    def names(self) -> list[str]:
        """`SET/ID` of every picture."""
        return [self.name(image_id) for image_id in self.file.image_ids]

    def name(self, image_id: int) -> str:
        """`SET/ID`, where ID is the picture's path without ending, `/` written `_`."""
        return f"{self.set_name}/{self._id(image_id)}"

    def image_bytes(self, image_id: int) -> bytes:
        """The picture's file.

        Raises: DatasetError when it is not there, or its name leads out of the folder.
        """
        try:
            return safe_join(self.folder, self.file.file_name(image_id)).read_bytes()
        except OSError as error:
            raise DatasetError(
                f"the picture {self.file.file_name(image_id)!r} of image {image_id} is not in {self.folder} "
                f"({error.strerror}); fetch it, or take its annotations out of the file"
            ) from error
        except (PathError, MaskError) as error:
            raise DatasetError(f"the picture of image {image_id}: {error}") from error

    def record(self, image_id: int) -> Record:
        """The picture with its masks, crowds left out, as training and the points experiment take it.

        Raises: DatasetError as `image_bytes`, or when a mask is refused.
        """
        try:
            picture = self.file.picture(image_id)
            masks = picture.masks.take(~np.array(picture.is_crowd, np.bool_))
            plain = to_sa1b(masks, image_id, f"{self._id(image_id)}.jpg")
        except MaskError as error:
            raise DatasetError(f"the masks of image {image_id}: {error}") from error
        data = json.dumps(plain, separators=(",", ":")).encode()
        return Record(self._id(image_id), self.set_name, self.image_bytes(image_id), (data,), "sa1b")

    def __iter__(self) -> Iterator[Record]:
        return (self.record(image_id) for image_id in self.file.image_ids)

    def __len__(self) -> int:
        return len(self.file)

    def _id(self, image_id: int) -> str:
        return str(PurePosixPath(self.file.file_name(image_id)).with_suffix("")).replace("/", "_")
