"""Wholes and parts: which mask lies inside which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.types import MaskSet


def build_tree(masks: MaskSet, share: float = 0.9) -> MaskSet:
    """The same masks with `parents`: for each, the index of the smallest larger mask that holds `share` of it, else -1.

    Of two masks of equal area the first counts as the larger, so there are no circles. An empty mask has no parent.

    Raises: MaskError when `share` is not above 0.5 and at most 1, or a mask is malformed.
    """
    if not 0.5 < share <= 1:
        raise MaskError(f"share is {share}, expected above 0.5 (else both could hold each other) and at most 1")
    return replace(masks, parents=_parents(masks, share))


def _parents(masks: MaskSet, share: float) -> npt.NDArray[np.int64]:
    iou = rle_iou_matrix(masks.rles, masks.rles)
    area = masks.area_px.astype(np.float64)
    # From IoU back to shared pixels: iou = shared / (a + b - shared).
    shared = iou * (area[:, None] + area) / (1 + iou)
    rank = np.empty(len(masks), np.int64)
    rank[np.lexsort((np.arange(len(masks)), -masks.area_px))] = np.arange(len(masks))
    holds = (shared >= share * area[:, None] - 1e-6) & (rank[None] < rank[:, None]) & (area[:, None] > 0)  # (M, M)
    # The smallest that holds it is the one of highest rank.
    found = np.full(len(masks), -1, np.int64)
    inside = np.flatnonzero(holds.any(axis=1))
    found[inside] = np.where(holds[inside], rank[None], -1).argmax(axis=1) if len(inside) else inside
    return found
