"""A COCO file of ground truth, opened: its pictures one by one, each rasterised when it is asked for.

The annotations stay as the parsed JSON (about a kilobyte each); masks of one picture at a time are in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anymask.dataset.formats.coco import (
    CocoPicture,
    annotations_by_image,
    category_names,
    image_file_name,
    objects,
    read_picture,
)
from anymask.errors import DatasetError, MaskError
from anymask.masks.validate import shown


class CocoFile:
    """The pictures, annotations and categories of one COCO file."""

    def __init__(self, value: object) -> None:
        """Of the parsed file.

        Raises: MaskError when it has another form or an annotation names an unknown picture.
        """
        if not isinstance(value, Mapping):
            raise MaskError(f"a COCO file must be an object, got {type(value).__name__}")
        self.categories = category_names(value)
        """Id -> name, empty when the file names none."""
        self._annotations = annotations_by_image(value)
        self._images = {image["id"]: image for image in objects(value, "images")}
        self.licences = _licences(value)
        """Image id -> name of its licence, where the file says so."""

    @property
    def image_ids(self) -> tuple[int, ...]:
        """In the order of the file."""
        return tuple(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[CocoPicture]:
        return (self.picture(image_id) for image_id in self._images)

    def picture(self, image_id: int) -> CocoPicture:
        """One picture with its masks.

        Raises: DatasetError for another id; MaskError when a mask is refused.
        """
        image = self.image(image_id)
        return read_picture({**image, "file_name": self.file_name(image_id)}, self._annotations[image_id])

    def image(self, image_id: int) -> Mapping[str, Any]:
        """What the file says of one picture, as it stands there.

        Raises: DatasetError for another id.
        """
        if image_id not in self._images:
            raise DatasetError(f"image {image_id} is not in the annotation file, which has {len(self)} pictures")
        return self._images[image_id]

    def file_name(self, image_id: int) -> str:
        """Where the picture lies below its folder; join with `images.paths.safe_join` only.

        Raises: MaskError when it is no text.
        """
        return image_file_name(self.image(image_id))

    def size_hw(self, image_id: int) -> tuple[int, int]:
        """Height and width of one picture, as the file says them; nothing is rasterised."""
        image = self.image(image_id)
        return int(image["height"]), int(image["width"])

    def annotation_count(self, image_id: int) -> int:
        """How many annotations one picture has; nothing is rasterised."""
        return len(self._annotations[self.image(image_id)["id"]])


def read_annotations(path: Path | str) -> object:
    """The JSON value of the file at `path`, whatever it is.

    Raises: DatasetError when it is not there, or no JSON.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror}); give a COCO annotation file") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} cannot be used: {error}") from error


def _licences(value: Mapping[str, Any]) -> dict[int, str]:
    given = value.get("licenses") or []
    if not isinstance(given, list):
        raise MaskError(f'"licenses" must be a list, got {shown(given)}')
    known = [item for item in given if isinstance(item, Mapping)]
    names = {item.get("id"): item.get("name") for item in known if isinstance(item.get("id"), int | str)}
    found = {item["id"]: item.get("license") for item in objects(value, "images")}
    licences = {key: names.get(licence) for key, licence in found.items() if isinstance(licence, int | str)}
    return {key: name for key, name in licences.items() if isinstance(name, str)}
