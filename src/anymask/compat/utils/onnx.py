"""The public `SamOnnxModel`: decoder and upsampling as one module for torch.onnx.export.

New code exports with `anymask export`, whose graphs answer many prompts at once and leave upsampling to the reader.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anymask.errors import InputError
from anymask.model.sam import Sam
from anymask.predict.graphs import DecoderGraph

Outputs = tuple[Tensor, ...]


class SamOnnxModel(nn.Module):
    """One prompt on an embedded image to masks at the original size. For models without finer maps.

    With `return_single_mask` the best mask only; with `use_stability_score` the scores are stabilities instead of
    predicted IoU; with `return_extra_metrics` stability and area at the original size are given too.

    Raises: InputError for a model whose embedding has finer maps.
    """

    def __init__(
        self,
        model: Sam,
        return_single_mask: bool,
        use_stability_score: bool = False,
        return_extra_metrics: bool = False,
    ) -> None:
        super().__init__()
        if model.config.mask_decoder.skip_finer:
            raise InputError(
                "SamOnnxModel takes one embedding map, and this model's decoder needs the finer ones too; "
                "export it with `anymask export`"
            )
        self.model = model
        self.decoder = DecoderGraph(model)
        self.img_size = model.input_size
        self.return_single_mask = return_single_mask
        self.use_stability_score = use_stability_score
        self.stability_score_offset = 1.0
        self.return_extra_metrics = return_extra_metrics

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> Outputs:
        """Masks (1, K, H, W) as logits, scores (1, K), [stability (1, K), area (1, K),] low-res logits (1, K, m, m).

        `image_embeddings` (1, C, h, w); `point_coords` (1, N, 2) input pixels, boxes as two points labelled 2 and 3, a
        point labelled -1 where there is no box; `point_labels` (1, N) float; `mask_input` (1, 1, m, m);
        `has_mask_input` (1,) 1 or 0; `orig_im_size` (2,) float height and width.
        """
        with torch.no_grad():
            masks, scores = self.decoder([image_embeddings], point_coords, point_labels, mask_input, has_mask_input)
            if self.use_stability_score:
                scores = self._stability(masks)
            if self.return_single_mask:
                masks, scores = self.select_masks(masks, scores, point_coords.shape[1])
            upscaled = self.mask_postprocessing(masks, orig_im_size)
            if self.return_extra_metrics:
                areas = (upscaled > self.model.mask_threshold).sum(-1).sum(-1)
                return upscaled, scores, self._stability(upscaled), areas, masks
            return upscaled, scores, masks

    def mask_postprocessing(self, masks: Tensor, orig_im_size: Tensor) -> Tensor:
        """(1, K, m, m) -> (1, K, H, W) logits; as `Frame.to_original_logits`, with sizes that are part of the input."""
        full = F.interpolate(masks, (self.img_size, self.img_size), mode="bilinear", align_corners=False)
        size = self.resize_longest_image_size(orig_im_size, self.img_size)
        full = full[..., : size[0], : size[1]]
        height, width = orig_im_size.to(torch.int64)
        return F.interpolate(full, (height, width), mode="bilinear", align_corners=False)

    def select_masks(self, masks: Tensor, iou_preds: Tensor, num_points: int) -> tuple[Tensor, Tensor]:
        """The best ambiguous mask (1, 1, m, m) and its score for a lone point, else the single-mask token's."""
        # A weight instead of a branch: a graph must hold both.
        weight = torch.cat((torch.full_like(iou_preds[:1, :1], 1000.0), torch.zeros_like(iou_preds[:1, 1:])), dim=1)
        best = (iou_preds + (num_points - 2.5) * weight).argmax(dim=1, keepdim=True)
        chosen = best[:, :, None, None].expand(-1, -1, *masks.shape[2:])
        return masks.gather(1, chosen), iou_preds.gather(1, best)

    @staticmethod
    def resize_longest_image_size(input_image_size: Tensor, longest_side: int) -> Tensor:
        """(2,) int64 height and width inside the input, of (2,) original ones."""
        size = input_image_size.to(torch.float32)
        return torch.floor(size * (longest_side / size.max()) + 0.5).to(torch.int64)

    def _stability(self, masks: Tensor) -> Tensor:
        """As `masks.stability.stability_score`, in operations that a graph can hold."""
        inner = (masks > self.model.mask_threshold + self.stability_score_offset).sum(-1).sum(-1)
        outer = (masks > self.model.mask_threshold - self.stability_score_offset).sum(-1).sum(-1)
        return inner / outer
