"""Which of many overlapping boxes to keep: non-maximum suppression with the semantics of `torchvision.ops.nms`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from anymask.errors import MaskError
from anymask.masks import boxes as box

_BLOCK = 128
"""Boxes resolved one by one before the rest is compared with the kept ones at once."""


def nms(boxes_xyxy: npt.ArrayLike, scores: npt.ArrayLike, threshold: float) -> npt.NDArray[np.int64]:
    """(K,) int64 indices of the kept boxes, best score first (equal scores: in the order given).

    A box is dropped when its IoU with a kept one of higher rank is above `threshold` (not equal to it).
    `boxes_xyxy` is (M, 4) in any one frame, `scores` (M,).

    Raises: MaskError when shapes do not match.

    >>> nms([[0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]], [0.5, 0.9, 0.1], 0.7).tolist()
    [1, 2]
    """
    return batched_nms(boxes_xyxy, scores, np.zeros(len(np.atleast_1d(np.asarray(scores))), np.int64), threshold)


def batched_nms(
    boxes_xyxy: npt.ArrayLike, scores: npt.ArrayLike, groups: npt.ArrayLike, threshold: float
) -> npt.NDArray[np.int64]:
    """The same as `nms`, but only boxes of one group (M,) compete.

    Raises: MaskError when shapes do not match.
    """
    candidates = np.asarray(boxes_xyxy, np.float32)
    values, labels = np.asarray(scores), np.asarray(groups)
    m = len(values) if values.ndim == 1 else -1
    if candidates.size == 0 and m == 0:
        return np.zeros(0, np.int64)
    if candidates.shape != (m, 4) or labels.shape != (m,):
        raise MaskError(
            f"boxes, scores and groups have shapes {candidates.shape}, {values.shape}, {labels.shape}; "
            "expected (M, 4), (M,), (M,)"
        )
    # torchvision compares its float32 overlaps with the threshold in float64: take the float32 just at or below it.
    limit = np.float32(threshold)
    if float(limit) > threshold:
        limit = np.nextafter(limit, np.float32(-np.inf))
    order = np.argsort(-values, kind="stable")
    alive = order
    kept: list[npt.NDArray[np.int64]] = []
    while len(alive):
        head, rest = alive[:_BLOCK], alive[_BLOCK:]
        chosen = head[_resolve(_clashes(candidates, labels, head, head, limit))]
        kept.append(chosen)
        alive = rest[~_clashes(candidates, labels, chosen, rest, limit).any(axis=0)]
    return np.concatenate(kept)


def _clashes(
    candidates: npt.NDArray[np.float32],
    labels: npt.NDArray[np.generic],
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    limit: np.float32,
) -> npt.NDArray[np.bool_]:
    """(F, S) bool: the pairs that overlap too much and are of one group."""
    overlap = box.iou_matrix(candidates[first], candidates[second])
    return np.asarray((overlap > limit) & (labels[first][:, None] == labels[second]))


def _resolve(clashes: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Positions kept when each one in turn removes those after it that it clashes with; `clashes` is (N, N)."""
    alive = np.ones(len(clashes), np.bool_)
    for position in range(len(clashes)):
        if alive[position]:
            alive[position + 1 :] &= ~clashes[position, position + 1 :]
    return np.flatnonzero(alive)
