"""Everything in a picture: a grid of clicks over it and over zoomed crops, good masks kept and doubles suppressed.

Decisions are those of the public generator, in its order: predicted IoU, stability, edge of the crop, suppression in
the crop, suppression between crops, small regions. Full-size logits are never made (see `tracing.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from anymask.errors import ConfigError
from anymask.images.load import ImageSource, LoadedImage, load_image
from anymask.masks.sets import join_sets
from anymask.masks.types import MaskSet
from anymask.predict.batching import batch_clicks
from anymask.predict.pending import Found, PendingMasks, Rejects
from anymask.predict.predictor import Predictor, ReadyImage
from anymask.predict.tracing import Thresholds, Tracer
from anymask.prompts.grid import crop_boxes, grids_for_layers

Progress = Callable[[int, int], None]
"""Called with the points done and the points in all, after every batch."""

Crop = tuple[int, int, int, int]
"""(x0, y0, x1, y1) original pixels."""

EDGE_DISTANCE_PX = 20.0
"""A box this near to a crop's inner edge is of a mask that the crop cut.

Source: segment_anything 1.0, `utils/amg.py`, `is_box_near_crop_edge`."""

STABILITY_MARGIN = 10.0
"""How far a stability counted on n low-res cells may lie below the one at the original size, times sqrt(n).

`benchmarks/stability_margin.py` measures it: at most 4.4 over 3,272 masks, real outlines at six sharpnesses with and
without noise. Twice that is granted before a mask is discarded unseen."""

_MASKS_AT_ONCE = 16
"""Masks traced together: bounds memory, and is enough to amortise the array calls."""

_BATCHES_AHEAD = 4
"""Batches of clicks whose masks may wait to be traced while the model decodes more: bounds memory."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class AutomaticConfig:
    """Everything-mode. The defaults are those of the public generator."""

    points_per_side: int | None = 32
    """Clicks along each side of the picture; None when `point_grids` gives them."""
    point_grids: tuple[npt.NDArray[np.float64], ...] | None = None
    """(N, 2) unit coordinates, one array for the whole picture and one for each layer of crops."""
    points_per_batch: int = 64
    """Clicks decoded together; changes memory and speed only."""
    predicted_iou_threshold: float = 0.88
    """Masks are kept above this; 0 keeps all."""
    stability_threshold: float = 0.95
    """Masks are kept from this on; 0 keeps all."""
    stability_offset: float = 1.0
    """Logits up and down at which stability compares the mask."""
    box_nms_threshold: float = 0.7
    """Box IoU above which the mask of lower predicted IoU in the same crop is a double."""
    crop_layers: int = 0
    """Layers of zoomed crops; layer i has 2^i a side."""
    crop_nms_threshold: float = 0.7
    """Box IoU above which the mask of the larger crop is a double."""
    crop_overlap_ratio: float = 512 / 1500
    """Overlap of the first layer's crops, as a share of the picture's short side; halved in each further layer."""
    crop_points_downscale: int = 1
    """Clicks a side are divided by this in each further layer."""
    min_region_area_px: int = 0
    """Holes and islands below this are removed, and doubles suppressed again; 0 leaves masks as they are."""
    drop_small_masks: bool = False
    """Drop a mask whose largest island is below `min_region_area_px`, instead of keeping that island."""
    max_area_share: float | None = None
    """Masks of this share of the picture or more are dropped; None keeps them."""
    tree: bool = False
    """Fill `MaskSet.parents`: which mask is part of which."""

    def __post_init__(self) -> None:
        if (self.points_per_side is None) == (self.point_grids is None):
            raise ConfigError("AutomaticConfig: give points_per_side or point_grids, one of the two")
        if self.point_grids is not None and len(self.point_grids) != self.crop_layers + 1:
            raise ConfigError(
                f"AutomaticConfig.point_grids has {len(self.point_grids)} grids, expected one for the picture and one "
                f"for each of {self.crop_layers} crop layers"
            )
        least = {"points_per_side": 1, "points_per_batch": 1, "crop_points_downscale": 1}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not value >= least.get(field.name, 0):
                raise ConfigError(
                    f"AutomaticConfig.{field.name} is {value}, expected {least.get(field.name, 0)} or more"
                )
        if self.drop_small_masks and not self.min_region_area_px:
            raise ConfigError("AutomaticConfig.drop_small_masks needs min_region_area_px: below how many is small?")

    @staticmethod
    def named(preset: str) -> AutomaticConfig:
        """The preset "default" (the public generator's), "paper" (how SA-1B was made; slower, finer) or "tiny".

        The embedded model is small, and modest about its masks: `default` finds little with it. "tiny" has the
        thresholds at which it finds most labelled regions of training pictures for the fewest wrong masks.

        Raises: ConfigError for another name.
        """
        if preset == "default":
            return AutomaticConfig()
        if preset == "paper":
            # Source: paper, section 4 and appendix B.
            return AutomaticConfig(
                crop_layers=2,
                crop_points_downscale=2,
                min_region_area_px=100,
                drop_small_masks=True,
                max_area_share=0.95,
            )
        if preset == "tiny":
            # Source: `benchmarks/tiny_preset.py` on training pictures.
            return AutomaticConfig(
                predicted_iou_threshold=0.5,
                stability_threshold=0.85,
                stability_offset=0.5,
                min_region_area_px=50,
                drop_small_masks=True,
            )
        raise ConfigError(f"unknown preset {preset!r}; known are default, paper and tiny")

    def grids(self) -> list[npt.NDArray[np.float64]]:
        """Unit (x, y) of the clicks: for the whole picture, then for a crop of each layer."""
        if self.point_grids is not None:
            return list(self.point_grids)
        return grids_for_layers(self.points_per_side or 0, self.crop_layers, self.crop_points_downscale)


def segment_everything(
    predictor: Predictor,
    image: ImageSource | LoadedImage,
    config: AutomaticConfig | None = None,
    progress: Progress | None = None,
) -> MaskSet:
    """All masks of one picture that pass the filters of `config`, in the public generator's order.

    The images set in `predictor` stay as they are. Memory does not grow with the number of clicks.

    Raises: ImageError.
    """
    return start_everything(predictor, image, config, progress).masks()


def start_everything(
    predictor: Predictor,
    image: ImageSource | LoadedImage,
    config: AutomaticConfig | None = None,
    progress: Progress | None = None,
    tracers: Executor | None = None,
) -> PendingMasks:
    """`segment_everything` in two halves: this one returns when the model is done, `PendingMasks.masks` does the rest.

    With `tracers` (threads) masks are traced while the model decodes the next clicks; the result is the same.

    Raises: ImageError.
    """
    config = config or AutomaticConfig()
    loaded = image if isinstance(image, LoadedImage) else load_image(image, predictor.limits)
    crops, layers = crop_boxes(loaded.size_hw, config.crop_layers, config.crop_overlap_ratio)
    grids = config.grids()
    count = _Count(sum(len(grids[layer]) for layer in layers), progress)
    pending = PendingMasks(loaded.size_hw, config)
    for crop, layer in zip(crops, layers, strict=True):
        pending.add_crop(_segment_crop(predictor, _Task(loaded, crop, grids[layer], config), count, tracers))
    return pending


def segment_pictures(
    predictor: Predictor,
    images: Iterable[ImageSource | LoadedImage],
    config: AutomaticConfig | None = None,
    progress: Progress | None = None,
) -> Iterator[MaskSet]:
    """`segment_everything` of each of `images`, one after the other; `progress` counts anew for each.

    Raises: ImageError when a picture's turn comes.
    """
    for image in images:
        yield segment_everything(predictor, image, config, progress)


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """One crop to be segmented."""

    image: LoadedImage
    crop: Crop
    grid: npt.NDArray[np.float64]
    config: AutomaticConfig


class _Count:
    """Points done, told to the caller's callback."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress

    def add(self, points: int) -> None:
        self.done += points
        if self.progress is not None:
            self.progress(self.done, self.total)


def _segment_crop(predictor: Predictor, task: _Task, count: _Count, tracers: Executor | None) -> list[Future[Found]]:
    """The masks of each batch of clicks in one crop, at their place in the picture, doubles included."""
    x0, y0, x1, y1 = task.crop
    ready = ReadyImage(predictor.model, predictor.embed(task.image.pixels[y0:y1, x0:x1]))
    tracer = Tracer(
        ready.frame,
        predictor.model.mask_size,
        thresholds=Thresholds(mask=predictor.model.mask_threshold, offset=task.config.stability_offset),
        origin_xy=(x0, y0),
        picture_hw=task.image.size_hw,
    )
    points_xy = task.grid * (x1 - x0, y1 - y0)
    batches: list[Future[Found]] = []
    unfinished: deque[Future[Found]] = deque()
    for start in range(0, len(points_xy), task.config.points_per_batch):
        points = points_xy[start : start + task.config.points_per_batch]
        several, rejects = _decode_points(ready, tracer, points, task)
        batch = _submit(tracers, several, rejects, tracer, task)
        batches.append(batch)
        unfinished.append(batch)
        if len(unfinished) > _BATCHES_AHEAD:
            unfinished.popleft().result()
        count.add(len(points))
    return batches


def _submit(tracers: Executor | None, several: _Logits, rejects: Rejects, tracer: Tracer, task: _Task) -> Future[Found]:
    if tracers is not None:
        return tracers.submit(_trace_all, several, rejects, tracer, task)
    done: Future[Found] = Future()
    done.set_result(_trace_all(several, rejects, tracer, task))
    return done


def _decode_points(
    ready: ReadyImage, tracer: Tracer, points_xy: npt.NDArray[np.float64], task: _Task
) -> tuple[_Logits, Rejects]:
    """The model's answers to some clicks (P, 2), in pixels of the crop, that may pass the filters."""
    config, answer = task.config, ready.decode(batch_clicks(points_xy, ready.frame), multimask=True)
    iou = answer.iou.float().flatten()
    keep = iou > config.predicted_iou_threshold if config.predicted_iou_threshold > 0 else torch.ones_like(iou).bool()
    rows = torch.nonzero(keep).flatten()
    rejects = Rejects(predicted_iou=len(iou) - len(rows))
    logits = answer.logits.flatten(0, 1)[rows].float()
    if config.stability_threshold > 0:
        hopeful = _may_be_stable(logits, tracer, config.stability_threshold)
        rows, logits = rows[hopeful], logits[hopeful]
        rejects.stability = len(hopeful) - len(rows)
    points = points_xy + task.crop[:2]
    origin = rows.cpu().numpy()
    click = points[origin // answer.iou.shape[1]]
    return _Logits(logits.cpu().numpy(), iou[rows].cpu().numpy(), click), rejects


def _trace_all(several: _Logits, rejects: Rejects, tracer: Tracer, task: _Task) -> Found:
    """The masks at the original size that pass the filters, a few at a time."""
    count = len(several.logits)
    parts = [_trace(several.part(i), tracer, task, rejects) for i in range(0, count, _MASKS_AT_ONCE)]
    return Found(join_sets(parts, task.image.size_hw), rejects)


@dataclass(frozen=True, slots=True, eq=False)
class _Logits:
    """M masks as low-res logits, with predicted IoU and the click in original pixels."""

    logits: npt.NDArray[np.float32]
    predicted_iou: npt.NDArray[np.float32]
    points_xy: npt.NDArray[np.float64]

    def part(self, start: int) -> _Logits:
        """At most `_MASKS_AT_ONCE` of them."""
        rows = slice(start, start + _MASKS_AT_ONCE)
        return _Logits(self.logits[rows], self.predicted_iou[rows], self.points_xy[rows])


def _may_be_stable(logits: Tensor, tracer: Tracer, threshold: float) -> Tensor:
    """(M,) bool: False where the low-res logits already show that the original size cannot reach `threshold`."""
    low_size, frame = logits.shape[-1], tracer.frame
    height, width = (-(-side * low_size // frame.input_size) for side in frame.resized_hw)
    visible = logits[:, :height, :width]
    inner = (visible > tracer.thresholds.mask + tracer.thresholds.offset).sum(dim=(1, 2))
    outer = (visible > tracer.thresholds.mask - tracer.thresholds.offset).sum(dim=(1, 2))
    cells = outer.float()
    return (cells > 0) & (inner / cells + STABILITY_MARGIN / cells.sqrt() >= threshold)


def _trace(several: _Logits, tracer: Tracer, task: _Task, rejects: Rejects) -> MaskSet:
    """The masks at the original size that are stable, not cut by the crop, and not nearly the whole picture."""
    config, traced = task.config, tracer.trace(several.logits)
    height, width = task.image.size_hw
    keep = np.ones(len(traced.area_px), np.bool_)
    if config.stability_threshold > 0:
        keep &= traced.stability >= config.stability_threshold
    stable = int(keep.sum())
    if config.max_area_share is not None:
        keep &= traced.area_px < config.max_area_share * height * width
    small_enough = int(keep.sum())
    # As in the public generator: here boxes end on the last pixel, crops one past it, and an empty mask lies in the
    # crop's first corner.
    boxes = traced.boxes_xyxy - (0, 0, 1, 1)
    boxes[traced.area_px == 0] = np.tile(task.crop[:2], 2)
    keep &= ~_is_cut(boxes, task.crop, (0, 0, width, height))
    rows = np.flatnonzero(keep)
    rejects.stability += len(keep) - stable
    rejects.area_share += stable - small_enough
    rejects.crop_edge += small_enough - len(rows)
    return MaskSet(
        size_hw=task.image.size_hw,
        rles=tuple(traced.rle(int(row)) for row in rows),
        area_px=traced.area_px[rows],
        boxes_xyxy=traced.boxes_xyxy[rows].astype(np.float32),
        predicted_iou=several.predicted_iou[rows],
        stability=traced.stability[rows],
        points_xy=several.points_xy[rows].astype(np.float32),
        crop_boxes_xyxy=np.tile(np.array(task.crop, np.float32), (len(rows), 1)),
    )


def _is_cut(boxes_xyxy: npt.NDArray[np.int64], crop: Crop, picture: Crop) -> npt.NDArray[np.bool_]:
    """(M,) bool: the box ends near an edge of the crop that is not near the same edge of the picture."""
    near_crop = np.abs(boxes_xyxy - np.array(crop)) <= EDGE_DISTANCE_PX
    near_picture = np.abs(boxes_xyxy - np.array(picture)) <= EDGE_DISTANCE_PX
    return np.asarray((near_crop & ~near_picture).any(axis=1))
