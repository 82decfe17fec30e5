"""The Berkeley segmentation set's own layout: images/SPLIT/ID.jpg, and groundTruth/SPLIT/ID.mat of several annotators.

Also the MATLAB files in which that benchmark takes predictions: `segs` (segmentations, fine to coarse) and `ucm2` (an
ultrametric contour map of double size).
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.dataset.entries import ReadLimits
from anymask.errors import DatasetError, ImageError, MissingDependencyError
from anymask.images.load import load_image

Mask = npt.NDArray[np.bool_]

SPLITS = ("train", "val", "test")
_PLACES = ("", "data", "BSDS500/data", "BSR/BSDS500/data")
"""Where below a folder the layout may begin: the archive as it unpacks, or any part of it."""
_PICTURE_SUFFIXES = (".jpg", ".png")
_HDF5_HEADER = b"MATLAB 7.3"


@dataclass(frozen=True, slots=True)
class BsdsPicture:
    """One picture with the lines that its annotators drew, as the bytes on disk."""

    id: str
    """The file name without its ending."""
    split: str
    """Of train, val and test."""
    image_bytes: bytes
    """The picture file."""
    truth_bytes: bytes
    """The MATLAB file."""

    @property
    def name(self) -> str:
        """`bsds500_SPLIT/ID`."""
        return f"bsds500_{self.split}/{self.id}"

    def pixels(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB.

        Raises: ImageError when the picture is damaged.
        """
        try:
            return load_image(self.image_bytes).pixels
        except ImageError as error:
            raise ImageError(f"the picture of {self.name}: {error}") from error

    def lines(self) -> list[Mask]:
        """(H, W) bool for each annotator: the boundaries as the file has them.

        Raises: DatasetError when the file is damaged or of another kind.
        """
        where = f"the ground truth of {self.name}"
        cell = _read(self.truth_bytes, where).get("groundTruth")
        try:
            maps = [np.asarray(one["Boundaries"][0, 0]) > 0 for one in np.asarray(cell, object).ravel()]
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise DatasetError(f"{where} holds no groundTruth with Boundaries ({error}); fetch it again") from error
        if not maps or any(one.ndim != 2 or one.shape != maps[0].shape for one in maps):
            raise DatasetError(f"{where} has maps of sizes {[one.shape for one in maps]}; fetch the file again")
        return maps


def is_bsds_folder(path: Path | str) -> bool:
    """Whether `path` is the unpacked archive, or the part of it that holds `images` and `groundTruth`."""
    return _find_root(Path(path)) is not None


def read_bsds(path: Path | str, split: str = "test", limits: ReadLimits | None = None) -> Iterator[BsdsPicture]:
    """The pictures of one split in the order of their names; one is in memory at a time.

    Raises: DatasetError when the layout or the split is not there, a picture has no ground truth or the other way
    round, or a file is too large.
    """
    root, limits = _find_root(Path(path)), limits or ReadLimits()
    if root is None or split not in SPLITS:
        raise DatasetError(
            f"{path} has no BSDS500 split {split!r}; give the unpacked archive (images/SPLIT/ID.jpg, "
            f"groundTruth/SPLIT/ID.mat) and one of {', '.join(SPLITS)}"
        )
    pictures = {item.stem: item for item in _files(root / "images" / split) if item.suffix in _PICTURE_SUFFIXES}
    truths = {item.stem: item for item in _files(root / "groundTruth" / split) if item.suffix == ".mat"}
    alone = sorted(set(pictures) ^ set(truths))
    if alone or not pictures:
        raise DatasetError(
            f"{root}: {len(alone)} of split {split} have a picture or a .mat file only, "
            f"first {alone[:3]}, and {len(pictures)} pictures are there; unpack the archive again"
        )
    for name in sorted(pictures):
        yield BsdsPicture(name, split, _bytes(pictures[name], limits), _bytes(truths[name], limits))


def decode_predictions(data: bytes, where: str) -> npt.NDArray[np.float64] | list[npt.NDArray[np.int64]]:
    """What a MATLAB file predicts: an (H, W) float64 contour map of [0, 1] (`ucm2`), or (H, W) label maps (`segs`).

    Raises: DatasetError when the file is damaged or holds neither.
    """
    values = _read(data, where)
    if "ucm2" in values:
        doubled = np.asarray(values["ucm2"], np.float64)
        return doubled[2::2, 2::2]
    if "segs" in values:
        return [np.asarray(one, np.int64) for one in np.asarray(values["segs"], object).ravel()]
    names = sorted(name for name in values if not name.startswith("__"))
    raise DatasetError(f"{where} holds {names}, expected segs (a cell of label maps) or ucm2 (a contour map)")


def _find_root(path: Path) -> Path | None:
    for place in _PLACES:
        root = path / place
        if (root / "images").is_dir() and (root / "groundTruth").is_dir():
            return root
    return None


def _files(folder: Path) -> list[Path]:
    return sorted(item for item in folder.iterdir() if not item.name.startswith(".")) if folder.is_dir() else []


def _bytes(path: Path, limits: ReadLimits) -> bytes:
    try:
        if path.stat().st_size > limits.max_member_bytes:
            raise DatasetError(f"{path} is larger than {limits.max_member_bytes} bytes; raise the limit")
        return path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def _read(data: bytes, where: str) -> dict[str, Any]:
    """The variables of a MATLAB file of version 5 to 7."""
    # Loaded here and not above: only these files need it.
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise MissingDependencyError(
            "MATLAB files need scipy, which is not installed: pip install 'anymask[eval]'"
        ) from error
    if data.startswith(_HDF5_HEADER):
        raise DatasetError(f"{where} is a MATLAB file of version 7.3; save it again with -v7")
    try:
        found: dict[str, Any] = loadmat(io.BytesIO(data))
    except (
        MatReadError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        OSError,
        EOFError,
        zlib.error,
        struct.error,
    ) as e:
        raise DatasetError(f"{where} is no MATLAB file that can be read ({e}); fetch it again") from e
    return found
