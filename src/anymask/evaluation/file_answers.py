"""The masks or boxes of a results file as a column of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from anymask.dataset.formats.coco_results import NOTHING, Detections, read_detections
from anymask.errors import DatasetError
from anymask.evaluation.matching import PictureAnswers, PictureTruth
from anymask.evaluation.pictures import LabelledPicture
from anymask.images.load import LoadedImage
from anymask.masks.rle import area


@dataclass(slots=True)
class FileAnswers:
    """The masks of a results file (COCO json) as a column: a detector's, or anyone's proposals."""

    path: Path
    name: str = "file"
    _found: dict[int | str, Detections] | None = field(default=None, repr=False)

    @property
    def fingerprint(self) -> str:
        """The file's size and time: gigabytes are not hashed at every start."""
        try:
            state = self.path.stat()
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read ({error.strerror}); give a COCO results file") from error
        return f"file {self.path.name} {state.st_size} {state.st_mtime_ns}"

    def detections(self, picture: LabelledPicture) -> Detections:
        """What the file says of the picture, in its order.

        Raises: DatasetError when it cannot be read.
        """
        if self._found is None:
            self._found = read_detections(self.path)
        return next((self._found[key] for key in picture.keys if key in self._found), NOTHING)

    def answer(self, picture: LabelledPicture, _image: LoadedImage, _truth: PictureTruth) -> PictureAnswers:
        """What the file says of the picture; where it says nothing, nothing was found.

        Raises: DatasetError for a box without a mask.
        """
        found = self.detections(picture)
        rles = tuple(rle for rle in found.rles if rle is not None)
        if len(rles) != len(found):
            raise DatasetError(f"{self.path} has boxes without masks for {picture.name}; masks are scored here")
        return PictureAnswers(
            rles=rles,
            scores=found.scores,
            area_px=np.array([area(rle) for rle in rles], np.float64),
            categories=found.categories,
            boxes_xyxy=found.boxes_xyxy,
        )
