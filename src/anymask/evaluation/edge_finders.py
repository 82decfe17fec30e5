"""What the edge benchmark can score: whatever gives an edge map of a picture, or segmentations from fine to coarse."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from anymask.dataset.formats.bsds import BsdsPicture, decode_predictions
from anymask.dataset.formats.edge_png import decode_edges
from anymask.dataset.formats.png import decode_labels
from anymask.dataset.record import Record
from anymask.errors import DatasetError, MaskError
from anymask.evaluation.boundaries.matching import above_thresholds
from anymask.evaluation.results import record_hash
from anymask.evaluation.seen import TRAINED, UNKNOWN, has_seen
from anymask.images.edges import edge_nms
from anymask.masks.borders import label_borders
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.edges import EdgesConfig, find_edges

Mask = npt.NDArray[np.bool_]
_BORDER_PX = 5
"""Published edge maps were weakened towards the picture's border over so many pixels when they were suppressed."""


@dataclass(frozen=True, slots=True)
class EdgePicture:
    """One picture with the lines that its annotators drew, of a shard or of the Berkeley layout."""

    source: Record | BsdsPicture

    @property
    def id(self) -> str:
        """The name of the picture in its set: what files of edge maps are named after."""
        return self.source.id

    @property
    def name(self) -> str:
        """`SET/ID`."""
        return self.source.name

    def sha256(self) -> str:
        """16 hex digits that change with the picture's or the ground truth's bytes."""
        if isinstance(self.source, Record):
            return record_hash(self.source)
        parts = (self.source.image_bytes, self.source.truth_bytes)
        return hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).hexdigest()[:16]

    def pixels(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB.

        Raises: ImageError when the picture is damaged.
        """
        return self.source.pixels()

    def lines(self) -> list[Mask]:
        """(H, W) bool for each annotator; of label maps, the borders between their regions.

        Raises: DatasetError when the ground truth is damaged, or there is none.
        """
        if isinstance(self.source, BsdsPicture):
            return self.source.lines()
        maps = self.source.label_maps()
        if not maps:
            raise DatasetError(f"{self.name} has no label map; give pictures that people have segmented")
        return [label_borders(labels) for labels in maps]


class EdgeFinder(Protocol):
    """One column of the benchmark. It must give the same for the same picture."""

    @property
    def name(self) -> str:
        """The column's heading; unique in an evaluation, and usable as a file name."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes answers: results of another one are not reused."""
        ...

    def find(self, picture: EdgePicture, levels: int) -> list[Mask]:
        """(H, W) bool line maps from the most lines to the fewest: at `levels` thresholds, or as many as there are
        segmentations; one or more, always the same number."""
        ...


@dataclass(slots=True)
class ModelEdges:
    """A promptable model's edges, by the paper's pipeline."""

    predictor: Predictor
    name: str = "model"
    trained_on: frozenset[str] | None = None
    """The sets the model has learned from; None where that is not known."""
    config: EdgesConfig = field(default_factory=EdgesConfig)

    def note(self, sets: Sequence[str]) -> str:
        """What has to stand beside its scores on pictures of `sets`; empty when it has seen none of them."""
        if self.trained_on is None:
            return UNKNOWN
        return TRAINED if any(has_seen(self.trained_on, name) for name in sets) else ""

    @property
    def fingerprint(self) -> str:
        """The hash of configuration and weights, what they are computed in, and the pipeline's settings."""
        model = self.predictor.model
        kind = f"{str(model.dtype).removeprefix('torch.')} {model.device.type}"
        return f"model {self.predictor.model_sha256()} {kind} {self.config}"

    def find(self, picture: EdgePicture, levels: int) -> list[Mask]:
        """The edge map cut at the thresholds.

        Raises: ImageError when the picture is damaged.
        """
        return above_thresholds(find_edges(self.predictor, picture.pixels(), self.config), levels)


@dataclass(slots=True)
class MapFolder:
    """Edge maps of others: ID.png or ID.mat a picture, as benchmarks exchange them.

    A PNG is a grey edge map; a MATLAB file holds `segs` or `ucm2`. With `segmentations` PNGs are label maps instead:
    ID.png, or ID__0.png, ID__1.png, ... from fine to coarse. Other files beside them are passed over.
    """

    folder: Path
    name: str
    segmentations: bool = False
    """PNGs are label maps."""
    suppress: bool = False
    """Edge maps are raw and go through edge suppression first, as published ones did before they were scored."""

    @property
    def fingerprint(self) -> str:
        """Folder, settings, and when each file was written."""
        files = sorted(item for item in self.folder.iterdir() if item.suffix in (".png", ".mat"))
        newest = max((item.stat().st_mtime_ns for item in files), default=0)
        return f"maps {len(files)} {newest} segmentations={self.segmentations} suppress={self.suppress}"

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that have no file here."""
        return [one for one in ids if not self._files(one)]

    def find(self, picture: EdgePicture, levels: int) -> list[Mask]:
        """The map cut at the thresholds, or the borders of each segmentation.

        Raises: DatasetError when a file is not there, damaged, or of another kind.
        """
        files = self._files(picture.id)
        if not files:
            raise DatasetError(f"{self.folder} has no map of {picture.id}; give one for every picture")
        where = str(files[0])
        if files[0].suffix == ".mat":
            found = decode_predictions(files[0].read_bytes(), where)
            if isinstance(found, list):
                return [label_borders(labels) for labels in found]
            strength = found
        elif self.segmentations:
            return [label_borders(_labels(file)) for file in files]
        else:
            strength = decode_edges(files[0].read_bytes(), where)
        return above_thresholds(edge_nms(strength, fade_px=_BORDER_PX) if self.suppress else strength, levels)

    def _files(self, picture_id: str) -> list[Path]:
        single = [self.folder / f"{picture_id}{suffix}" for suffix in (".png", ".mat")]
        found = [file for file in single if file.is_file()][:1]
        if found or not self.segmentations:
            return found
        numbered: list[Path] = []
        while (file := self.folder / f"{picture_id}__{len(numbered)}.png").is_file():
            numbered.append(file)
        return numbered


def _labels(file: Path) -> npt.NDArray[np.uint16]:
    try:
        return decode_labels(file.read_bytes())
    except MaskError as error:
        raise DatasetError(f"{file}: {error}") from error
