"""Labelled pictures drawn at random, with overlapping masks, scores and notes."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.provenance import Notes, Provenance
from anymask.masks.rle import encode
from anymask.masks.sets import set_from_rles

AUTOMATIC = Provenance(stage="automatic", model="tiny", model_sha256="ab" * 32, software="anymask 0")
CORRECTED = Provenance(stage="corrected", software="a person")


def random_masks(rng: np.random.Generator, count: int, size_hw: tuple[int, int]) -> list[npt.NDArray[np.bool_]]:
    """(H, W) masks of every kind: blobs, stripes, noise, one pixel, all of it."""
    height, width = size_hw
    y, x = np.mgrid[:height, :width]
    found = []
    for _ in range(count):
        kind = rng.integers(5)
        if kind == 0:
            found.append(rng.random(size_hw) < rng.random())
        elif kind == 1:
            found.append((x // int(rng.integers(1, 4))) % 2 == 0)
        elif kind == 2:
            mask = np.zeros(size_hw, np.bool_)
            mask[rng.integers(height), rng.integers(width)] = True
            found.append(mask)
        elif kind == 3:
            found.append(np.ones(size_hw, np.bool_))
        else:
            row, column, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(1, height)
            found.append((y - row) ** 2 + (x - column) ** 2 <= radius**2)
    return found


def jpeg(size_hw: tuple[int, int], seed: int = 0) -> bytes:
    """A JPEG of blocks."""
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize(size_hw[::-1], Image.Resampling.NEAREST).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def drawn_picture(
    number: int, masks: int = 4, size_hw: tuple[int, int] = (20, 30), categories: tuple[str, ...] = ()
) -> LabelledPicture:
    """sa_NUMBER with some masks, the same for the same arguments."""
    rng = np.random.default_rng(number)
    rles = [encode(mask) for mask in random_masks(rng, masks, size_hw)]
    data = jpeg(size_hw, number)
    return LabelledPicture(
        name=f"sa1b/sa_{number}",
        masks=set_from_rles(
            rles,
            size_hw,
            predicted_iou=rng.random(masks).astype(np.float32),
            stability=rng.random(masks).astype(np.float32),
            points_xy=rng.uniform(0, 20, (masks, 2)).astype(np.float32),
        ),
        notes=Notes(
            licence="CC0",
            source=f"photo {number}",
            made=(AUTOMATIC, CORRECTED),
            made_by_mask=tuple(int(one) for one in rng.integers(0, 2, masks)),
        ),
        categories=categories,
        read_image=lambda: data,
    )
