"""One picture of a dataset with its label maps, as the bytes on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from anymask.dataset.formats.png import decode_labels
from anymask.dataset.formats.sa1b import from_sa1b
from anymask.dataset.provenance import Notes, read_notes
from anymask.errors import DatasetError, ImageError, MaskError
from anymask.images.limits import ImageLimits
from anymask.images.load import load_image
from anymask.images.sniff import open_container
from anymask.masks.sets import MAX_LABELS, join_sets, set_from_label_map, to_layers
from anymask.masks.types import MaskSet
from anymask.masks.validate import shown

LabelForm = Literal["png", "sa1b"]
"""What people said of a picture as it lies on disk: label maps, or one SA-1B JSON file of masks that may overlap."""
_TURNED = 5
"""From this EXIF orientation on, height and width change places when the picture is turned upright."""


@dataclass(frozen=True, slots=True)
class Record:
    """One picture and what people said of it. Decoding happens on demand, so a record is cheap to carry or pickle."""

    id: str
    """Name inside its set, without folder and extension."""
    set_name: str
    image_bytes: bytes
    """The picture file, encoded."""
    maps_bytes: tuple[bytes, ...] = ()
    """The label map files (PNG), encoded, in the order of their numbers; empty when nobody labelled the picture. In
    SA-1B's form the one JSON file."""
    form: LabelForm = "png"
    """What `maps_bytes` are."""

    @property
    def name(self) -> str:
        """`SET/ID`, unique in a dataset."""
        return f"{self.set_name}/{self.id}"

    def pixels(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB, original pixels, upright.

        Raises: ImageError when the picture is damaged or not of an allowed format.
        """
        try:
            return load_image(self.image_bytes).pixels
        except ImageError as error:
            raise ImageError(f"the picture of {self.name}: {error}") from error

    def size_hw(self) -> tuple[int, int]:
        """Height and width of the upright picture, from its header alone.

        Raises: ImageError when it has none that can be read.
        """
        try:
            container = open_container(self.image_bytes, ImageLimits())
        except ImageError as error:
            raise ImageError(f"the picture of {self.name}: {error}") from error
        height, width = container.size_hw
        return (width, height) if container.orientation >= _TURNED else (height, width)

    def label_maps(self) -> list[npt.NDArray[np.uint16]]:
        """One (H, W) uint16 per map: 0 where nobody said anything, 1..n one region or instance each.

        Masks of SA-1B may overlap, so they become several maps, in which each is whole (`masks.sets.to_layers`); a
        label is then 1 + the mask's place in the file.

        Raises: DatasetError when a map is damaged, not a whole number a pixel, or not of the picture's size, or a mask
        is refused; ImageError when the picture's size cannot be read.
        """
        if self.form == "sa1b":
            return self._layers()
        maps = [self._decode_map(index) for index in range(len(self.maps_bytes))]
        size_hw = self.size_hw() if maps else None
        for index, labels in enumerate(maps):
            if labels.shape != size_hw:
                raise DatasetError(
                    f"label map {index} of {self.name} is {labels.shape} (height, width), its picture is {size_hw}; "
                    "a label map must have its picture's size"
                )
        return maps

    def masks(self) -> MaskSet:
        """Every mask of the picture, overlaps and scores included; of label maps, map after map in rising order.

        Raises: DatasetError as `label_maps`; ImageError when the picture's size cannot be read.
        """
        if self.form == "sa1b":
            return self._sa1b_masks()
        return join_sets([set_from_label_map(labels) for labels in self.label_maps()], self.size_hw())

    def notes(self) -> Notes:
        """Licence, source and how each mask was made, as far as the file says so.

        Raises: DatasetError when the notes are damaged or of a later version.
        """
        if self.form != "sa1b":
            return Notes()
        try:
            value = self._parse_json()
        except MaskError as error:
            raise self._damaged(error) from error
        return read_notes(value) if isinstance(value, dict) and isinstance(value.get("annotations"), list) else Notes()

    def _layers(self) -> list[npt.NDArray[np.uint16]]:
        masks = self._sa1b_masks()
        try:
            return to_layers(masks)
        except MaskError as error:
            raise self._damaged(error) from error

    def _sa1b_masks(self) -> MaskSet:
        size_hw = self.size_hw()
        try:
            masks = from_sa1b(self._parse_json())
            if masks.size_hw != size_hw:
                raise MaskError(f"they are of a picture of {masks.size_hw} (height, width), this one is {size_hw}")
        except MaskError as error:
            raise self._damaged(error) from error
        return masks

    def _damaged(self, error: MaskError) -> DatasetError:
        return DatasetError(f"the masks of {self.name}: {error}; fetch the file again or remove the picture")

    def _parse_json(self) -> object:
        """The JSON value, of a reasonable number of annotations and of this picture as far as it says so."""
        try:
            value = json.loads(self.maps_bytes[0])
        except (ValueError, RecursionError) as error:
            raise MaskError(f"the JSON file cannot be read ({error})") from error
        image, annotations = (value.get(key) if isinstance(value, dict) else None for key in ("image", "annotations"))
        if isinstance(annotations, list) and len(annotations) > MAX_LABELS:
            raise MaskError(f"there are {len(annotations)} annotations, at most {MAX_LABELS} are read")
        file_name = image.get("file_name") if isinstance(image, dict) else None
        if file_name is not None and file_name != f"{self.id}.jpg":
            raise MaskError(f"the file says that it belongs to {shown(file_name)}")
        return value

    def _decode_map(self, index: int) -> npt.NDArray[np.uint16]:
        where = f"label map {index} of {self.name}"
        try:
            return decode_labels(self.maps_bytes[index])
        except MaskError as error:
            raise DatasetError(f"{where}: {error}; write it again or remove the picture") from error
