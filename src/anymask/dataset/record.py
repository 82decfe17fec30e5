"""One picture of a dataset with its label maps, as the bytes on disk."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from anymask.errors import DatasetError, ImageError

MAX_MAP_PIXELS = 2**26
"""A label map whose header claims more pixels than this is refused before it is decoded."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INTEGER_MODES = {"1", "L", "P", "I;16", "I;16L", "I;16B", "I"}
"""Pillow's modes that hold one whole number a pixel. A palette (P) is read as its indices, as VOC's maps mean it."""


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
        """(H, W, 3) uint8 RGB, original pixels.

        Raises: ImageError when the picture is damaged or not of an allowed format.
        """
        try:
            with Image.open(io.BytesIO(self.image_bytes)) as picture:
                return np.array(picture.convert("RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise ImageError(f"the picture of {self.name} is damaged: {error}; replace or remove it") from error

    def label_maps(self) -> list[npt.NDArray[np.uint16]]:
        """One (H, W) uint16 per map: 0 where nobody said anything, 1..n one region or instance each.

        Raises: DatasetError when a map is damaged, not a whole number a pixel, or not of the picture's size.
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

    def size_hw(self) -> tuple[int, int]:
        """Height and width of the picture, from its header alone."""
        try:
            with Image.open(io.BytesIO(self.image_bytes)) as picture:
                return picture.height, picture.width
        except (UnidentifiedImageError, OSError) as error:
            raise DatasetError(f"the picture of {self.name} cannot be read: {error}; replace or remove it") from error

    def _decode_map(self, index: int) -> npt.NDArray[np.uint16]:
        where = f"label map {index} of {self.name}"
        data = self.maps_bytes[index]
        width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")  # PNG keeps them there
        if data.startswith(_PNG_SIGNATURE) and width * height > MAX_MAP_PIXELS:
            raise DatasetError(
                f"{where} claims {width}x{height} pixels, the limit is {MAX_MAP_PIXELS}; make it smaller"
            )
        try:
            with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
                if picture.mode not in _INTEGER_MODES:
                    raise DatasetError(
                        f"{where} is a {picture.mode} picture; expected 8 or 16 bit grey, one number a pixel"
                    )
                values = np.array(picture)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            raise DatasetError(
                f"{where} is not a readable PNG: {error}; write it again or remove the picture"
            ) from error
        if values.dtype != np.bool_ and (values.min(initial=0) < 0 or values.max(initial=0) > 65535):
            raise DatasetError(f"{where} holds numbers outside 0..65535")
        return values.astype(np.uint16)
