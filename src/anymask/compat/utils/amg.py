"""The functions of the public `utils.amg` that other code imports, each one of ours under its public name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.masks import regions, rle
from anymask.masks.boxes import masks_to_boxes
from anymask.masks.stability import stability_score
from anymask.prompts.grid import crop_boxes, grids_for_layers, point_grid

Json = dict[str, Any]


def batch_iterator(batch_size: int, *args: Sequence[Any]) -> Iterator[list[Any]]:
    """The sequences, all of one length, in parts of at most `batch_size`."""
    if not args or any(len(values) != len(args[0]) for values in args):
        raise AssertionError("Batched iteration must have inputs of all the same size.")
    for start in range(0, len(args[0]), batch_size):
        yield [values[start : start + batch_size] for values in args]


def build_point_grid(n_per_side: int) -> npt.NDArray[np.float64]:
    """(n * n, 2) unit (x, y)."""
    return point_grid(n_per_side)


def build_all_layer_point_grids(n_per_side: int, n_layers: int, scale_per_layer: int) -> list[npt.NDArray[np.float64]]:
    """One grid for the whole picture and one for each layer of crops."""
    return grids_for_layers(n_per_side, n_layers, scale_per_layer)


def generate_crop_boxes(
    im_size: Sequence[int], n_layers: int, overlap_ratio: float
) -> tuple[list[list[int]], list[int]]:
    """Crops [x0, y0, x1, y1] of a picture (H, W), and the layer of each."""
    boxes, layers = crop_boxes((im_size[0], im_size[1]), n_layers, overlap_ratio)
    return [list(box) for box in boxes], layers


def calculate_stability_score(masks: Tensor, mask_threshold: float, threshold_offset: float) -> Tensor:
    """(...) stability of (..., H, W) logits; 0 where the public one gives NaN."""
    return stability_score(masks, mask_threshold, threshold_offset)


def batched_mask_to_box(masks: Tensor) -> Tensor:
    """(..., 4) int64 boxes of (..., H, W) masks that end on the last pixel, zeros for empty masks."""
    flat = masks.reshape(-1, *masks.shape[-2:])
    boxes = masks_to_boxes(flat).to(torch.int64)
    filled = (boxes[:, 2:] > boxes[:, :2]).to(torch.int64)
    boxes[:, 2:] -= filled
    return boxes.reshape(*masks.shape[:-2], 4)


def box_xyxy_to_xywh(box_xyxy: Tensor) -> Tensor:
    """(4,) x0, y0, x1, y1 -> x0, y0, width, height."""
    return torch.cat((box_xyxy[:2], box_xyxy[2:] - box_xyxy[:2]))


def mask_to_rle_pytorch(tensor: Tensor) -> list[Json]:
    """Uncompressed run lengths of (M, H, W) bool masks."""
    encoded = rle.encode_batch(tensor.detach().cpu().numpy())
    return [{"size": list(one.size_hw), "counts": rle.to_uncompressed(one)} for one in encoded]


def rle_to_mask(rle: Json) -> npt.NDArray[np.bool_]:
    """(H, W) bool of run lengths in any of COCO's forms, checked."""
    return _decode(rle)


def area_from_rle(rle: Json) -> int:
    """Foreground pixels of uncompressed run lengths."""
    return sum(rle["counts"][1::2])


def coco_encode_rle(uncompressed_rle: Json) -> Json:
    """COCO's compressed form of run lengths."""
    return rle.to_json(rle.from_json(uncompressed_rle))


def remove_small_regions(
    mask: npt.NDArray[np.bool_], area_thresh: float, mode: Literal["holes", "islands"]
) -> tuple[npt.NDArray[np.bool_], bool]:
    """The mask without its small holes or islands, and whether there were any."""
    return regions.remove_small_regions(mask, area_thresh, mode)


def _decode(value: Json) -> npt.NDArray[np.bool_]:
    return rle.decode(rle.from_json(value))
