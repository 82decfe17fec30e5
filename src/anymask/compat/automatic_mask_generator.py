"""The public `SamAutomaticMaskGenerator`, over `segment_everything`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.compat.predictor import SamPredictor
from anymask.masks import rle
from anymask.masks.types import MaskSet, Rle
from anymask.model.sam import Sam
from anymask.predict.automatic import AutomaticConfig, segment_everything
from anymask.predict.cleaning import inclusive_boxes
from anymask.predict.predictor import Predictor
from anymask.prompts.grid import grids_for_layers

OUTPUT_MODES = ("binary_mask", "uncompressed_rle", "coco_rle")


class SamAutomaticMaskGenerator:
    """Everything-mode with the public arguments and records. Takes any `Sam` of this package.

    Arguments keep their public names and meaning; they can be changed on the instance until `generate` is called.
    `points_per_batch` bounds memory only.
    """

    def __init__(
        self,
        model: Sam,
        points_per_side: int | None = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float = 0.88,
        stability_score_thresh: float = 0.95,
        stability_score_offset: float = 1.0,
        box_nms_thresh: float = 0.7,
        crop_n_layers: int = 0,
        crop_nms_thresh: float = 0.7,
        crop_overlap_ratio: float = 512 / 1500,
        crop_n_points_downscale_factor: int = 1,
        point_grids: list[npt.NDArray[np.float64]] | None = None,
        min_mask_region_area: int = 0,
        output_mode: str = "binary_mask",
    ) -> None:
        if (points_per_side is None) == (point_grids is None):
            raise AssertionError("Exactly one of points_per_side or point_grid must be provided.")
        if output_mode not in OUTPUT_MODES:
            raise AssertionError(f"Unknown output_mode {output_mode}.")
        self.point_grids = (
            grids_for_layers(points_per_side, crop_n_layers, crop_n_points_downscale_factor)
            if points_per_side is not None
            else point_grids or []
        )
        self.predictor = SamPredictor(model)
        self.points_per_batch = points_per_batch
        self.pred_iou_thresh = pred_iou_thresh
        self.stability_score_thresh = stability_score_thresh
        self.stability_score_offset = stability_score_offset
        self.box_nms_thresh = box_nms_thresh
        self.crop_n_layers = crop_n_layers
        self.crop_nms_thresh = crop_nms_thresh
        self.crop_overlap_ratio = crop_overlap_ratio
        self.crop_n_points_downscale_factor = crop_n_points_downscale_factor
        self.min_mask_region_area = min_mask_region_area
        self.output_mode = output_mode

    def generate(self, image: npt.NDArray[np.uint8]) -> list[dict[str, Any]]:
        """One record a mask of the (H, W, 3) uint8 RGB image: segmentation, area, bbox, predicted_iou, point_coords,
        stability_score, crop_box; boxes are XYWH, `bbox` between the centres of its outermost pixels."""
        config = AutomaticConfig(
            points_per_side=None,
            point_grids=tuple(self.point_grids[: self.crop_n_layers + 1]),
            points_per_batch=self.points_per_batch,
            predicted_iou_threshold=self.pred_iou_thresh,
            stability_threshold=self.stability_score_thresh,
            stability_offset=self.stability_score_offset,
            box_nms_threshold=self.box_nms_thresh,
            crop_layers=self.crop_n_layers,
            crop_nms_threshold=self.crop_nms_thresh,
            crop_overlap_ratio=self.crop_overlap_ratio,
            min_region_area_px=self.min_mask_region_area,
        )
        masks = segment_everything(Predictor(self.predictor.model), image, config)
        return [self._record(masks, index) for index in range(len(masks))]

    def _record(self, masks: MaskSet, index: int) -> dict[str, Any]:
        crop = [int(value) for value in masks.crop_boxes_xyxy[index]]
        box = [int(value) for value in inclusive_boxes(masks)[index]]
        return {
            "segmentation": self._segmentation(masks.rles[index]),
            "area": int(masks.area_px[index]),
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "predicted_iou": float(masks.predicted_iou[index]),
            "point_coords": [masks.points_xy[index].tolist()],
            "stability_score": float(masks.stability[index]),
            "crop_box": [crop[0], crop[1], crop[2] - crop[0], crop[3] - crop[1]],
        }

    def _segmentation(self, one: Rle) -> npt.NDArray[np.bool_] | dict[str, Any]:
        if self.output_mode == "binary_mask":
            return rle.decode(one)
        if self.output_mode == "coco_rle":
            return rle.to_json(one)
        return {"size": list(one.size_hw), "counts": rle.to_uncompressed(one)}
