"""One picture of a dataset with its label maps, as the bytes on disk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anymask.dataset.formats.png import decode_labels
from anymask.errors import DatasetError, ImageError, MaskError
from anymask.images.limits import ImageLimits
from anymask.images.load import load_image
from anymask.images.sniff import open_container

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
    """The label map files (PNG), encoded, in the order of their numbers; empty when nobody labelled the picture."""

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

        Raises: DatasetError when a map is damaged, not a whole number a pixel, or not of the picture's size;
        ImageError when the picture's size cannot be read.
        """
        maps = [self._decode_map(index) for index in range(len(self.maps_bytes))]
        size_hw = self.size_hw() if maps else None
        for index, labels in enumerate(maps):
            if labels.shape != size_hw:
                raise DatasetError(
                    f"label map {index} of {self.name} is {labels.shape} (height, width), its picture is {size_hw}; "
                    "a label map must have its picture's size"
                )
        return maps

    def _decode_map(self, index: int) -> npt.NDArray[np.uint16]:
        where = f"label map {index} of {self.name}"
        try:
            return decode_labels(self.maps_bytes[index])
        except MaskError as error:
            raise DatasetError(f"{where}: {error}; write it again or remove the picture") from error
