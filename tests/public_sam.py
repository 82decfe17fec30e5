"""The public `segment_anything` package, imported without torchvision: the peer of parity tests and benchmarks.

It needs four torchvision functions, given here with the same meaning: `resize` and `to_pil_image` by Pillow (as
torchvision does itself for PIL pictures), `batched_nms` and `box_area` by own code.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Sequence
from types import ModuleType

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import Module


def resize(image: Image.Image, size: Sequence[int]) -> Image.Image:
    """`image` at `size` (height, width), antialiased bilinear."""
    height, width = size
    return image.resize((width, height), Image.Resampling.BILINEAR)


def to_pil_image(pixels: np.ndarray) -> Image.Image:
    """The (H, W, 3) uint8 array as a PIL picture."""
    return Image.fromarray(pixels)


def box_area(boxes: Tensor) -> Tensor:
    """(M,) areas of (M, 4) boxes x0, y0, x1, y1."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Kept indices, best first; a box goes when its IoU with a better kept one is strictly above the threshold."""
    order = torch.sort(scores, stable=True, descending=True).indices
    corners = boxes[order].numpy()
    area = box_area(boxes)[order].numpy()
    alive = np.ones(len(corners), bool)
    kept = []
    for i in range(len(corners)):
        if not alive[i]:
            continue
        kept.append(i)
        rest = i + 1 + np.flatnonzero(alive[i + 1 :])
        low = np.maximum(corners[i, :2], corners[rest, :2])
        high = np.minimum(corners[i, 2:], corners[rest, 2:])
        overlap = np.prod(np.clip(high - low, 0, None), axis=1)
        with np.errstate(invalid="ignore"):
            iou = overlap / (area[i] + area[rest] - overlap)
        alive[rest[iou > iou_threshold]] = False
    return order[torch.as_tensor(kept, dtype=torch.int64)]


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """NMS inside each class of `idxs`; kept indices, best first over all classes."""
    keep = torch.zeros(len(scores), dtype=torch.bool)
    for index in torch.unique(idxs):
        rows = torch.where(idxs == index)[0]
        keep[rows[nms(boxes[rows], scores[rows], iou_threshold)]] = True
    kept = torch.where(keep)[0]
    return kept[torch.sort(scores[kept], stable=True, descending=True).indices]


def _stand_in() -> dict[str, ModuleType]:
    """The torchvision modules that the public package imports from, by name."""
    names = ("torchvision", "transforms", "transforms.functional", "ops", "ops.boxes")
    modules = {name if name == "torchvision" else f"torchvision.{name}": ModuleType(name) for name in names}
    vars(modules["torchvision.transforms.functional"]).update(resize=resize, to_pil_image=to_pil_image)
    vars(modules["torchvision.ops.boxes"]).update(batched_nms=batched_nms, box_area=box_area)
    return modules


def import_public_sam() -> ModuleType:
    """The public package, every module loaded.

    The stand-in is in `sys.modules` during the import only: other packages would take it for a real torchvision.
    """
    absent = "torchvision" not in sys.modules and importlib.util.find_spec("torchvision") is None
    modules = _stand_in() if absent and "segment_anything" not in sys.modules else {}
    sys.modules.update(modules)
    try:
        return importlib.import_module("segment_anything")
    finally:
        for name in modules:
            del sys.modules[name]


_TOKEN_TABLE = re.compile(r"(_embed|_tokens?|point_embeddings\.\d)\.weight$")


def randomise(model: Module, seed: int = 0) -> Module:
    """`model` with every parameter and the positional matrix random, so that each of them matters and outputs are O(1).

    The public code starts position tables and biases at zero, with which parity would say nothing about them.
    """
    generator = torch.Generator().manual_seed(seed)
    tensors = [*model.named_parameters(), *model.named_buffers()]
    with torch.no_grad():
        for name, tensor in tensors:
            noise = torch.randn(tensor.shape, generator=generator)
            if name.startswith("pixel_"):
                continue
            if name.endswith("pos_embed"):
                tensor.copy_(0.5 * noise)
            elif name.endswith("gaussian_matrix") or _TOKEN_TABLE.search(name):
                tensor.copy_(noise)
            elif tensor.ndim > 1:
                tensor.copy_(noise * tensor[0].numel() ** -0.5)
            else:  # scales of norms, and biases
                tensor.copy_((1 if name.endswith("weight") else 0) + 0.1 * noise)
    return model
