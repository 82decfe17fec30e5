"""A small Berkeley archive: pictures of three stripes, each outlined by two annotators a pixel apart."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.io import savemat

from anymask.masks.borders import label_borders

SIZE = (40, 60)


def stripes(seed: int, shift: int = 0) -> npt.NDArray[np.uint16]:
    """(40, 60) labels 1, 2, 3 from left to right; the cuts depend on the seed."""
    rng = np.random.default_rng(seed)
    cuts = np.array([rng.integers(10, 25), rng.integers(32, 50)]) + shift
    return np.broadcast_to(1 + np.searchsorted(cuts, np.arange(60), side="right"), SIZE).astype(np.uint16)


def painted(seed: int) -> npt.NDArray[np.uint8]:
    """(40, 60, 3) the stripes in three greys, with a little noise."""
    rng = np.random.default_rng(seed)
    grey = np.array([0, 40, 210, 110])[stripes(seed)] + rng.normal(0, 3, SIZE)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def cell(items: list[Any]) -> npt.NDArray[np.object_]:
    """A MATLAB cell of one row."""
    found = np.empty((1, len(items)), object)
    for index, item in enumerate(items):
        found[0, index] = item
    return found


def mat(**values: Any) -> bytes:
    """A MATLAB file."""
    file = io.BytesIO()
    savemat(file, values, do_compression=True)
    return file.getvalue()


def truth_file(maps: list[npt.NDArray[np.uint16]]) -> bytes:
    """A ground truth file, an annotator a label map."""
    return mat(
        groundTruth=cell([{"Segmentation": one, "Boundaries": label_borders(one).astype(np.uint8)} for one in maps])
    )


def write_archive(root: Path, count: int, split: str = "test") -> Path:
    """Pictures 1 .. count."""
    for folder in ("images", "groundTruth"):
        (root / folder / split).mkdir(parents=True)
    for seed in range(1, count + 1):
        Image.fromarray(painted(seed)).save(root / "images" / split / f"{seed}.png")
        truth = truth_file([stripes(seed), stripes(seed, 1)])
        (root / "groundTruth" / split / f"{seed}.mat").write_bytes(truth)
    return root


def write_maps(folder: Path, count: int) -> Path:
    """Edge maps of those pictures: the first annotator's lines at .8, and a line that nobody drew at .3."""
    folder.mkdir(parents=True)
    for seed in range(1, count + 1):
        strength = np.where(label_borders(stripes(seed)), 0.8, 0)
        strength[:, 4] = 0.3
        Image.fromarray(np.rint(255 * strength).astype(np.uint8)).save(folder / f"{seed}.png")
    return folder
