"""How much masks agree: the only intersection-over-union formulas of the project (boxes have theirs in `boxes.py`).

Losses, metrics, de-duplication and stability all divide through `ratio`. Two empty masks have IoU 0, as in the COCO
library.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import faster_coco_eval.mask_api_new_cpp as native
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.errors import MaskError
from anymask.masks.boxes import masks_to_boxes
from anymask.masks.rle import encode_batch, to_native
from anymask.masks.types import Rle
from anymask.masks.validate import check_masks, check_same_size

BOUNDARY_DILATION_RATIO = 0.02
"""Width of the boundary band as a share of the picture's diagonal. Source: Cheng et al. 2021, arXiv 2103.16562."""


def ratio(intersection: Tensor, union: Tensor) -> Tensor:
    """`intersection / union` in float32, 0 where the union is 0; any matching shapes."""
    return intersection.float() / union.float().clamp(min=1e-12)


def mask_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """(A, B) float32 IoU of every pair of (A, H, W) and (B, H, W) masks; one (H, W) mask counts as a stack of one.

    Raises: MaskError when a shape or type is not a mask's, or sizes differ.

    >>> mask_iou([[1, 1, 0]], [[0, 1, 1]]).round(3).tolist()
    [[0.3330000042915344]]
    """
    a_masks, b_masks = _stacks(a, b)
    if len(a_masks) * len(b_masks) > len(a_masks) + len(b_masks):
        # Run lengths are compared some times faster than pixels, once they are made: each mask is used several times.
        return rle_iou_matrix(encode_batch(a_masks), encode_batch(b_masks)).astype(np.float32)
    counts = [(np.count_nonzero(x & y), np.count_nonzero(x | y)) for x in a_masks for y in b_masks]
    return _ratio_array(counts).reshape(len(a_masks), len(b_masks))


def mask_iou_pairs(a: npt.ArrayLike, b: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """(M,) float32 IoU of mask k of `a` with mask k of `b`, both (M, H, W); (H, W) counts as a stack of one.

    Raises: MaskError when a shape or type is not a mask's, or shapes differ.
    """
    a_masks, b_masks = _stacks(a, b)
    if len(a_masks) != len(b_masks):
        raise MaskError(f"{len(a_masks)} masks against {len(b_masks)}; give as many of one as of the other")
    counts = [(np.count_nonzero(x & y), np.count_nonzero(x | y)) for x, y in zip(a_masks, b_masks, strict=True)]
    return _ratio_array(counts)


def count(masks: Tensor) -> Tensor:
    """(...) int64 true pixels of (..., H, W) bool, on the same device."""
    if masks.device.type != "cpu":
        return masks.flatten(-2).sum(-1)
    # numpy counts booleans in vector code, some 20 times faster than torch adds them on a CPU.
    flat = masks.detach().reshape(-1, masks.shape[-2] * masks.shape[-1]).numpy()
    return torch.tensor([np.count_nonzero(mask) for mask in flat], dtype=torch.int64).reshape(masks.shape[:-2])


def iou_per_mask(logits: Tensor, target: Tensor, threshold: float = 0.0) -> Tensor:
    """(...) float32 IoU of `logits > threshold` with `target`, pair by pair, both (..., H, W) and broadcast.

    `target` is bool or any number with non-zero foreground. No gradient flows through a threshold.
    """
    predicted = logits > threshold
    truth = target if target.dtype == predicted.dtype else target != 0
    return ratio(count(predicted & truth), count(predicted | truth))


def soft_iou(probabilities: Tensor, target: Tensor) -> Tensor:
    """(...) IoU of (..., H, W) probabilities in [0, 1] with a target in [0, 1]: products for intersections.

    Differentiable in `probabilities`; equals `iou_per_mask` when both are 0 or 1.
    """
    truth = target.to(probabilities.dtype)
    intersection = (probabilities * truth).flatten(-2).sum(-1)
    total = probabilities.flatten(-2).sum(-1) + truth.flatten(-2).sum(-1)
    return ratio(intersection, total - intersection)


def rle_iou_matrix(
    a: Sequence[Rle], b: Sequence[Rle], crowd: Sequence[bool] | npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64]:
    """(A, B) float64 IoU of every pair of masks, in compiled code; 0 where the union is empty.

    Where `crowd` says that a mask of `b` covers a group, its column is the share of the mask of `a` inside it, COCO's
    measure for crowds.

    Raises: MaskError when one is malformed or sizes differ.
    """
    if not a or not b:
        return np.zeros((len(a), len(b)))
    check_same_size(rle.size_hw for rle in (*a, *b))
    matrix = native.iou(to_native(a), to_native(b), [0] * len(b) if crowd is None else [int(one) for one in crowd])
    return np.asarray(matrix, np.float64).reshape(len(a), len(b))


def boundary(mask: npt.ArrayLike, dilation_ratio: float = BOUNDARY_DILATION_RATIO) -> npt.NDArray[np.bool_]:
    """(M, H, W) bool: the pixels of each mask (H, W) or (M, H, W) within a band of its inner boundary.

    The band is `dilation_ratio` of the picture's diagonal, rounded, at least 1 px, in chessboard distance; outside the
    picture counts as background, so a mask cut off by the border has its boundary there too.

    Raises: MaskError when the shape or type is not a mask's, or the ratio is not above 0.
    """
    masks = _stack(mask)
    if not dilation_ratio > 0:
        raise MaskError(f"dilation_ratio is {dilation_ratio}, expected a share of the diagonal above 0")
    height, width = masks.shape[1:]
    band = max(1, round(dilation_ratio * float(np.hypot(height, width))))
    kernel = np.ones((3, 3), np.uint8)
    edges = np.zeros(masks.shape, np.bool_)
    for index, (x0, y0, x1, y1) in enumerate(masks_to_boxes(masks).astype(int)):
        if x1 == x0:
            continue
        one = masks[index, y0:y1, x0:x1]
        framed = cv2.copyMakeBorder(one.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        inside = cv2.erode(framed, kernel, iterations=band)[1:-1, 1:-1]
        edges[index, y0:y1, x0:x1] = one & (inside == 0)
    return edges


def boundary_iou(
    a: npt.ArrayLike, b: npt.ArrayLike, dilation_ratio: float = BOUNDARY_DILATION_RATIO
) -> npt.NDArray[np.float32]:
    """(A, B) float32 Boundary IoU of every pair: the IoU of the two masks' inner boundary bands.

    Source: Cheng et al. 2021, arXiv 2103.16562.

    Raises: MaskError as `mask_iou` and `boundary` do.
    """
    a_masks, b_masks = _stacks(a, b)
    return mask_iou(boundary(a_masks, dilation_ratio), boundary(b_masks, dilation_ratio))


def _ratio_array(counts: Sequence[tuple[int | np.signedinteger, int | np.signedinteger]]) -> npt.NDArray[np.float32]:
    """(N,) intersection over union of N pairs of counts, 0 where the union is 0."""
    intersection, union = np.array(counts, np.float64).reshape(-1, 2).T
    return (intersection / np.maximum(union, 1)).astype(np.float32)


def _stack(masks: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    array = np.asarray(masks)
    return check_masks(array[None] if array.ndim == 2 else array)


def _stacks(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    a_masks, b_masks = _stack(a), _stack(b)
    check_same_size([a_masks.shape[1:], b_masks.shape[1:]])
    return a_masks, b_masks
