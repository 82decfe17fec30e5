"""Small pictures with overlapping masks as SA-1B's files, for the tests of this folder and of training."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.dataset.formats import to_sa1b
from anymask.masks import set_from_masks


def nested_masks(height: int = 24, width: int = 32) -> npt.NDArray[np.bool_]:
    """(3, H, W): a whole, a part of it, and a region beside both."""
    masks = np.zeros((3, height, width), np.bool_)
    masks[0, 2:20, 2:20] = True
    masks[1, 6:12, 6:12] = True
    masks[2, 4:20, 24:30] = True
    return masks


def sa1b_files(number: int, masks: npt.NDArray[np.bool_] | None = None) -> dict[str, bytes]:
    """sa_N.jpg and sa_N.json by name."""
    masks = nested_masks() if masks is None else masks
    height, width = masks.shape[1:]
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    record = to_sa1b(set_from_masks(masks), number, f"sa_{number}.jpg")
    return {f"sa_{number}.jpg": buffer.getvalue(), f"sa_{number}.json": json.dumps(record).encode()}


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    """A tar shard of `files` in their order."""
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    """A folder of `files`."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
