"""Everything-mode after the model: what each filter took, and masks still being traced while the model goes on."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from anymask.masks.boxes import area as box_area
from anymask.masks.sets import join_sets
from anymask.masks.suppress import nms
from anymask.masks.tree import build_tree
from anymask.masks.types import MaskSet
from anymask.predict.cleaning import clean_masks, inclusive_boxes

if TYPE_CHECKING:
    from anymask.predict.automatic import AutomaticConfig


@dataclass(slots=True)
class Rejects:
    """Why answers of the model are not among the masks: how many each filter took, in the filters' order."""

    predicted_iou: int = 0
    stability: int = 0
    area_share: int = 0
    crop_edge: int = 0
    doubles: int = 0
    """Boxes overlapped one of higher predicted IoU in the same crop."""
    doubles_of_crops: int = 0
    """Boxes overlapped one of a more zoomed crop."""
    cleaned: int = 0
    """Nothing large enough was left of them, or they became doubles, when small regions were removed."""

    def add(self, other: Rejects) -> None:
        """Count what `other` counted too."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The masks of some clicks that passed the filters, and what the filters took."""

    masks: MaskSet
    rejects: Rejects


class PendingMasks:
    """A picture that the model is done with, and whose masks may still be traced elsewhere."""

    def __init__(self, size_hw: tuple[int, int], config: AutomaticConfig) -> None:
        self.size_hw, self.config = size_hw, config
        self.rejects = Rejects()
        """Complete once `masks` has given them."""
        self._crops: list[list[Future[Found]]] = []

    def add_crop(self, batches: list[Future[Found]]) -> None:
        """The answers to one crop's clicks, in order."""
        self._crops.append(batches)

    def masks(self) -> MaskSet:
        """The masks that pass all filters; waits for those that are being traced. To be called once."""
        config, found = self.config, []
        for batches in self._crops:
            parts = [batch.result() for batch in batches]
            for part in parts:
                self.rejects.add(part.rejects)
            masks = join_sets([part.masks for part in parts], self.size_hw)
            kept = masks.take(nms(inclusive_boxes(masks), masks.predicted_iou, config.box_nms_threshold))
            self.rejects.doubles += len(masks) - len(kept)
            found.append(kept)
        masks = join_sets(found, self.size_hw)
        if len(self._crops) > 1:
            zoom = 1 / box_area(masks.crop_boxes_xyxy)
            kept = masks.take(nms(inclusive_boxes(masks), zoom, config.crop_nms_threshold))
            self.rejects.doubles_of_crops = len(masks) - len(kept)
            masks = kept
        if config.min_region_area_px > 0:
            threshold = max(config.box_nms_threshold, config.crop_nms_threshold)
            kept = clean_masks(masks, config.min_region_area_px, threshold, drop_small=config.drop_small_masks)
            self.rejects.cleaned = len(masks) - len(kept)
            masks = kept
        return build_tree(masks) if config.tree else masks
